# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Stars of the MILES library with labels from the literature."""

from pathlib import Path
from typing import Any

import numpy as np

from astro_latent.simulation.ingredients import find_ingredient
from recipes.real.stars import is_test

__all__ = ["FACTS", "LABELS", "read_stars"]

LABELS = ("teff", "logg", "fe_h")
#: What the arrays do not say.
FACTS = {"survey": "miles", "frame": "rest", "resolving_power": 2000.0}

_FILE = "real/miles/miles_v9.1.npz"
_ERROR = 0.01  # of the flux; the library states none


def read_stars(data: Path, *, hottest: float = np.inf) -> dict[str, Any]:
    """Read all spectra and labels.

    Parameters
    ----------
    data : path
        Ingredients.
    hottest : float, optional
        K; stars above are left out.

    Returns
    -------
    dict
        ``wavelength_air`` (at rest), ``flux``, ``error`` of one per cent, labels, NaN
        where missing, ``miles_id`` and ``test``: True for test stars.
    """
    path = find_ingredient(data / _FILE, "the MILES library, version 9.1")
    with np.load(path, allow_pickle=False) as file:
        rows = ~(file["teff"] > hottest)
        stars: dict[str, Any] = {
            n: file[n][rows] for n in ("miles_id", "flux", *LABELS)
        }
        stars["wavelength_air"] = file["wavelength_air"]
    stars["error"] = _ERROR * np.abs(stars["flux"])
    stars["test"] = is_test(stars["miles_id"])
    return stars
