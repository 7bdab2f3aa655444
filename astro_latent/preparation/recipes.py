# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Recipes of the bundled models, by name."""

from .recipe import Recipe

__all__ = ["APOGEE_CHEBYSHEV_RECIPE", "APOGEE_RECIPE", "HARPS_RECIPE"]

#: HARPS, as Sedaghat et al. (2021): barycentric, one median, continuum left in.
HARPS_RECIPE = Recipe.from_dict(
    {
        "steps": [
            {"step": "convert_medium"},
            {"step": "shift_frame"},
            {"step": "match_resolution"},
            {"step": "resample", "method": "linear"},
            {"step": "divide_by_median", "per": "all"},
            {"step": "check_medium", "lines": "telluric_o2"},
        ],
        "requires": {"normalisation": "none"},
    }
)

_APOGEE_START = [
    {"step": "convert_medium"},
    {"step": "shift_frame", "templates": "apogee"},
    {"step": "match_resolution", "tolerance": 0.1},
    {"step": "resample", "method": "flux_conserving"},
]

#: APOGEE, as Fabbro et al. (2018): at rest, the median of each chip's good pixels.
APOGEE_RECIPE = Recipe.from_dict(
    {
        "steps": [
            *_APOGEE_START,
            {"step": "divide_by_median", "per": "segment"},
            {"step": "clip", "lower": -1.0, "upper": 3.0, "action": "mask"},
            {"step": "check_medium", "lines": "apogee"},
        ]
    }
)

#: APOGEE, normalised by a polynomial through continuum pixels, as Ness et al. (2015).
APOGEE_CHEBYSHEV_RECIPE = Recipe.from_dict(
    {
        "steps": [
            *_APOGEE_START,
            {
                "step": "continuum",
                "method": "chebyshev",
                "degree": 4,
                "pixels": "apogee_cannon",
            },
            {"step": "clip", "lower": 0.0, "upper": 1.5, "action": "mask"},
            {"step": "check_medium", "lines": "apogee"},
        ]
    }
)
