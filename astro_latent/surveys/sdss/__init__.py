# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""SDSS: optical spectra of BOSS, SEGUE and their forebears."""

__all__ = ["FORMATS", "SURVEYS"]

#: Names of surveys -> their classes.
SURVEYS = {
    "sdss": "astro_latent.surveys.sdss.survey:Sdss",
}
#: Names of file formats -> how they are told and read.
FORMATS = {
    "sdss_spec": "astro_latent.surveys.sdss.spectrum:SDSS_SPEC",
}
