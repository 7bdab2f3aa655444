# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""GALAH: HERMES spectra, four files for each star."""

__all__ = ["FORMATS", "SURVEYS"]

#: Names of surveys -> their classes.
SURVEYS = {
    "galah": "astro_latent.surveys.galah.survey:Galah",
}
#: Names of file formats -> how they are told and read.
FORMATS = {
    "galah": "astro_latent.surveys.galah.spectrum:GALAH_SPECTRUM",
}
