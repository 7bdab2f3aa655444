# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra that never were: observers of APOGEE and HARPS, emulators, libraries."""
