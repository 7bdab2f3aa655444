# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""LAMOST: low-resolution optical spectra."""

__all__ = ["FORMATS", "SURVEYS"]

#: Names of surveys -> their classes.
SURVEYS = {
    "lamost": "astro_latent.surveys.lamost.survey:Lamost",
}
#: Names of file formats -> how they are told and read.
FORMATS = {
    "lamost_lrs": "astro_latent.surveys.lamost.spectrum:LAMOST_LRS",
}
