# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What ``gaia_xp_starnet_v1`` is asked about test stars, fixed before they are seen."""

from pathlib import Path

import numpy as np

from recipes.gaia_xp_starnet_v1.spectra import LABELS, read_stars
from recipes.real.dwarfs import read_dwarfs
from recipes.real.look import Sample
from recipes.real.stars import is_test, select

__all__ = ["read_sample"]

_HOTTEST = 8000.0
_GIANTS = {"teff": (3800.0, 5500.0), "logg": (-1.0, 3.5), "a_k": (-1.0, 0.15)}


def read_sample(data: Path) -> Sample:
    """Read the test stars.

    Parameters
    ----------
    data : path
        Ingredients.

    Returns
    -------
    Sample
        Stars up to 8000 K; what is hotter, and dwarfs of another instrument, have to
        be flagged.
    """
    stars = read_stars(data)
    stars = select(stars, is_test(stars["source_id"]))
    hot = stars["teff"] > _HOTTEST
    known = np.isfinite(stars["fe_h"]) & np.isfinite(stars["alpha_m"])
    giants = ~hot
    for label, (low, high) in _GIANTS.items():
        giants &= (stars[label] > low) & (stars[label] < high)
    return Sample(
        spectra=stars,
        labels=tuple(LABELS),
        inside=~hot,
        subsets={
            "giants of 3800-5500 K, log g < 3.5, A(K) < 0.15": giants & known,
            "with [Fe/H] and [alpha/M] known": ~hot & known,
        },
        beyond={
            "hotter than 8000 K": select(stars, hot),
            "M, L and T dwarfs of SpeX": read_dwarfs(data),
        },
    )
