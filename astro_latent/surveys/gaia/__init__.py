# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Gaia: mean spectra of the RVS and of the blue and red photometers."""

from ...utils.lazy import lazy_names

__all__ = ["EXAMPLES", "FORMATS", "SURVEYS", "conf"]

#: Names of surveys -> their classes.
SURVEYS = {
    "gaia": "astro_latent.surveys.gaia.survey:Gaia",
    "gaia_xp": "astro_latent.surveys.gaia.survey:GaiaXp",
}
#: Names of file formats -> how they are told and read.
FORMATS = {
    "gaia": "astro_latent.surveys.gaia.spectrum:GAIA_SPECTRUM",
    "gaia_fits": "astro_latent.surveys.gaia.spectrum:GAIA_FITS",
    "gaia_table": "astro_latent.surveys.gaia.spectrum:GAIA_TABLE",
}

#: Names of file formats -> what lays out an example.
EXAMPLES = {
    "gaia": "astro_latent.surveys.gaia.examples:gaia_votable",
    "gaia_fits": "astro_latent.surveys.gaia.examples:gaia_hdus",
    "gaia_table": "astro_latent.surveys.gaia.examples:gaia_csv",
}

__getattr__, __dir__ = lazy_names(__name__, {"conf": ".config"})
