# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""GALAH: HERMES spectra, four files for each star."""

from ...utils.lazy import lazy_names

__all__ = ["EXAMPLES", "FORMATS", "SURVEYS", "conf"]

#: Names of surveys -> their classes.
SURVEYS = {
    "galah": "astro_latent.surveys.galah.survey:Galah",
}
#: Names of file formats -> how they are told and read.
FORMATS = {
    "galah": "astro_latent.surveys.galah.spectrum:GALAH_SPECTRUM",
}

#: Names of file formats -> what lays out an example.
EXAMPLES = {
    "galah": "astro_latent.surveys.galah.examples:galah_hdus",
}

__getattr__, __dir__ = lazy_names(__name__, {"conf": ".config"})
