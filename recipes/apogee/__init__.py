# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What the networks for APOGEE spectra share: stars, tests, training."""
