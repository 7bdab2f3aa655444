# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra that never were: observers of APOGEE and HARPS, emulators, libraries.

What they are made from is not part of the package: files are named by their paths.
"""

from ..utils.lazy import lazy_names

_HOMES = {
    "ALPHA_ELEMENTS": ".apogee_synthesis",
    "APOGEE_LABELS": ".priors",
    "ApogeeConditions": ".apogee",
    "EmulatedStars": ".emulators",
    "HARPS_LABELS": ".harps_library",
    "HarpsBank": ".harps_bank",
    "HarpsConditions": ".harps_conditions",
    "HarpsExposures": ".harps_exposures",
    "HarpsLibrary": ".harps_library",
    "HarpsSimulator": ".harps",
    "NODE_LABELS": ".apogee_synthesis",
    "QuadraticEmulator": ".emulators",
    "SigmoidEmulator": ".emulators",
    "SynthesisEmulator": ".apogee_synthesis",
    "bank_batches": ".harps_bank",
    "bank_labels": ".harps_bank",
    "broaden": ".apogee_synthesis",
    "draw_apogee_labels": ".priors",
    "draw_harps_labels": ".harps_library",
    "flattening_weights": ".priors",
    "make_harps_bank": ".harps_bank",
    "make_harps_templates": ".templates",
    "make_sample": ".sample",
    "make_templates": ".templates",
    "observe_apogee": ".apogee",
    "prepare_apogee": ".apogee",
    "prepare_bank": ".harps_bank",
    "read_nodes": ".apogee_synthesis",
    "rotation_kernels": ".rotation",
    "shift_pixels": ".apogee",
    "simulate_batches": ".harps_bank",
}
__all__ = sorted(_HOMES)
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
