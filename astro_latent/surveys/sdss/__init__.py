# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""SDSS: optical spectra of BOSS, SEGUE and their forebears."""

from ...utils.lazy import lazy_names

__all__ = ["EXAMPLES", "FORMATS", "SURVEYS", "conf"]

#: Names of surveys -> their classes.
SURVEYS = {
    "sdss": "astro_latent.surveys.sdss.survey:Sdss",
}
#: Names of file formats -> how they are told and read.
FORMATS = {
    "sdss_spec": "astro_latent.surveys.sdss.spectrum:SDSS_SPEC",
    "sdss_spspec": "astro_latent.surveys.sdss.older:SDSS_SPSPEC",
    "sdss_mwm": "astro_latent.surveys.sdss.mwm:SDSS_MWM",
}

#: Names of file formats -> what lays out an example.
EXAMPLES = {
    "sdss_spec": "astro_latent.surveys.sdss.examples:sdss_hdus",
    "sdss_spspec": "astro_latent.surveys.sdss.examples:spspec_hdus",
    "sdss_mwm": "astro_latent.surveys.sdss.examples:mwm_hdus",
}

__getattr__, __dir__ = lazy_names(__name__, {"conf": ".config"})
