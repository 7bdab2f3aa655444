# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Pipeline: the verbs, from spectra to tables."""

from .frames import add_results
from .reconstruct import reconstruct_spectra
from .rows import provenance
from .verbs import encode_spectra, fetch_spectra, iter_results, predict_parameters

__all__ = [
    "add_results",
    "encode_spectra",
    "fetch_spectra",
    "iter_results",
    "predict_parameters",
    "provenance",
    "reconstruct_spectra",
]
