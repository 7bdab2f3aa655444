# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Room 2: files and specutils objects become described arrays, and back.

Names are loaded when first used; specutils only where one of its objects is made.
"""

from importlib import import_module
from typing import Any

# name -> the module that defines it
_PUBLIC = {
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
    "SpectrumArrays": ".observation",
    "decode_flags": "..utils.quality",
    "estimate_noise": "._noise",
    "fetch_spectra": ".fetching",
    "from_spectrum": ".convert",
    "identify_format": ".formats",
    "iter_arrays": ".reading",
    "read_arrays": ".reading",
    "read_spectra": ".reading",
    "to_spectrum": ".convert",
    "write_example": ".examples",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    if name not in _PUBLIC:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(_PUBLIC[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
