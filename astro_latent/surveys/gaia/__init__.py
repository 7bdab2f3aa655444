# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Gaia: mean spectra of the RVS and of the blue and red photometers."""

__all__ = ["FORMATS", "SURVEYS"]

#: Names of surveys -> their classes.
SURVEYS = {
    "gaia": "astro_latent.surveys.gaia.survey:Gaia",
    "gaia_xp": "astro_latent.surveys.gaia.survey:GaiaXp",
}
#: Names of file formats -> how they are told and read.
FORMATS = {
    "gaia": "astro_latent.surveys.gaia.spectrum:GAIA_SPECTRUM",
}
