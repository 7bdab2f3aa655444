# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""APOGEE: high-resolution spectra in the H band, published by SDSS."""

__all__ = ["EXAMPLES", "FORMATS", "SURVEYS"]

#: Names of surveys -> their classes.
SURVEYS = {
    "apogee": "astro_latent.surveys.apogee.survey:Apogee",
}
#: Names of file formats -> how they are told and read.
FORMATS = {
    "aspcapstar": "astro_latent.surveys.apogee.star:ASPCAP_STAR",
    "apstar": "astro_latent.surveys.apogee.star:APOGEE_STAR",
    "apvisit": "astro_latent.surveys.apogee.visit:APOGEE_VISIT",
}

#: Names of file formats -> what lays out an example.
EXAMPLES = {
    "apstar": "astro_latent.surveys.apogee.examples:apstar_hdus",
    "apvisit": "astro_latent.surveys.apogee.examples:apvisit_hdus",
    "aspcapstar": "astro_latent.surveys.apogee.examples:aspcapstar_hdus",
}
