# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What the weights that learned from real spectra have in common."""
