# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""LAMOST: optical spectra in low and in medium resolution."""

from ...utils.lazy import lazy_names

__all__ = ["EXAMPLES", "FORMATS", "SURVEYS", "conf"]

#: Names of surveys -> their classes.
SURVEYS = {
    "lamost": "astro_latent.surveys.lamost.survey:Lamost",
    "lamost_mrs": "astro_latent.surveys.lamost.survey:LamostMrs",
}
#: Names of file formats -> how they are told and read.
FORMATS = {
    "lamost_lrs": "astro_latent.surveys.lamost.spectrum:LAMOST_LRS",
    "lamost_mrs": "astro_latent.surveys.lamost.medium:LAMOST_MRS",
}

#: Names of file formats -> what lays out an example.
EXAMPLES = {
    "lamost_lrs": "astro_latent.surveys.lamost.examples:lamost_hdus",
    "lamost_mrs": "astro_latent.surveys.lamost.examples:lamost_mrs_hdus",
}

__getattr__, __dir__ = lazy_names(__name__, {"conf": ".config"})
