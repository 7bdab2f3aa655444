# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""LAMOST: low-resolution optical spectra."""

from ...utils.lazy import lazy_names

__all__ = ["EXAMPLES", "FORMATS", "SURVEYS", "conf"]

#: Names of surveys -> their classes.
SURVEYS = {
    "lamost": "astro_latent.surveys.lamost.survey:Lamost",
}
#: Names of file formats -> how they are told and read.
FORMATS = {
    "lamost_lrs": "astro_latent.surveys.lamost.spectrum:LAMOST_LRS",
}

#: Names of file formats -> what lays out an example.
EXAMPLES = {
    "lamost_lrs": "astro_latent.surveys.lamost.examples:lamost_hdus",
}

__getattr__, __dir__ = lazy_names(__name__, {"conf": ".config"})
