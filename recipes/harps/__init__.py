# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What the networks for HARPS spectra share: ingredients, judging and writing."""
