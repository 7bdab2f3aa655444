# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra: files and specutils objects become described arrays, and back.

Names are loaded when first used; specutils only where one of its objects is made.
"""

from ..utils.lazy import lazy_names

# name -> the module that defines it
_LAZY = {
    "EXAMPLE_FORMATS": ".examples",
    "FATAL_FLAGS": "..utils.quality",
    "FORMATS": ".formats",
    "FRAMES": ".observation",
    "MEDIA": ".observation",
    "NORMALISATIONS": ".observation",
    "QUALITY_FLAGS": "..utils.quality",
    "Format": ".formats",
    "Observation": ".observation",
    "QualityFlag": "..utils.quality",
    "SpectraLike": ".reading",
    "SpectrumArrays": ".observation",
    "decode_flags": "..utils.quality",
    "estimate_noise": ".noise",
    "from_spectrum": ".convert",
    "identify_format": ".formats",
    "iter_arrays": ".reading",
    "iter_frame": ".frames",
    "read_arrays": ".formats",
    "read_spectra": ".loaders",
    "to_spectrum": ".convert",
    "write_example": ".examples",
}

#: Names that were here before there was a room for the pipeline.
_MOVED = {"fetch_spectra": "astro_latent.pipeline"}

__all__ = sorted(_LAZY)
__getattr__, __dir__ = lazy_names(__name__, _LAZY | _MOVED)
