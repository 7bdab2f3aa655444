# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""HARPS, ESPRESSO, FEROS, UVES and NIRPS: what ESO publishes as Phase 3."""

from ...utils.lazy import lazy_names

__all__ = ["EXAMPLES", "FORMATS", "SURVEYS", "conf"]

#: Names of surveys -> their classes.
SURVEYS = {
    "harps": "astro_latent.surveys.eso.survey:Harps",
    "espresso": "astro_latent.surveys.eso.survey:Espresso",
    "feros": "astro_latent.surveys.eso.survey:Feros",
    "uves": "astro_latent.surveys.eso.survey:Uves",
    "nirps": "astro_latent.surveys.eso.survey:Nirps",
}
#: Names of file formats -> how they are told and read.
FORMATS = {
    "eso_phase3": "astro_latent.surveys.eso.phase3:PHASE3",
    "harps_s1d": "astro_latent.surveys.eso.s1d:HARPS_S1D",
}

#: Names of file formats -> what lays out an example.
EXAMPLES = {
    "eso_phase3": "astro_latent.surveys.eso.examples:phase3_hdus",
    "harps_s1d": "astro_latent.surveys.eso.examples:s1d_hdus",
}

__getattr__, __dir__ = lazy_names(__name__, {"conf": ".config"})
