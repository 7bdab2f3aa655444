# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""LAMOST low-resolution spectra with the labels of LAMOST's own pipeline."""

from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from astro_latent.simulation.ingredients import find_ingredient
from astro_latent.training.stars import group_stars
from recipes.real.stars import is_test

__all__ = ["FACTS", "LABELS", "read_stars"]

LABELS = ("teff", "logg", "fe_h")
#: What the arrays do not say.
FACTS = {"survey": "lamost", "frame": "barycentric", "resolving_power": 1800.0}

_FILE = "real/lamost_lrs/lamost_dr10_afg.npz"
_COLUMNS = ("obsid", "ra", "dec", "snrg", "subclass", "z", *LABELS)
_SPEED_OF_LIGHT = 299_792.458  # km/s


def read_stars(data: Path) -> dict[str, Any]:
    """Read all spectra and labels.

    Parameters
    ----------
    data : path
        Ingredients.

    Returns
    -------
    dict
        ``wavelength_vacuum`` (barycentric), ``flux``, ``error``, ``bad``, labels,
        ``radial_velocity`` (km/s), ``star`` (a number for each star), and ``test``:
        True for all spectra of a star one of whose spectra is for tests.
    """
    path = find_ingredient(data / _FILE, "LAMOST spectra with LASP labels")
    with np.load(path, allow_pickle=False) as file:
        error = file["err"].astype(np.float32)
        stars: dict[str, Any] = {name: file[name] for name in _COLUMNS}
        logarithm = file["loglam0"] + file["dloglam"] * np.arange(int(file["npix"]))
        stars |= {
            "wavelength_vacuum": 10.0**logarithm,
            "flux": file["flux_over_err_x10"].astype(np.float32) * error / 10,
            "error": error,
            "bad": file["bad"] != 0,
        }
    stars["radial_velocity"] = stars.pop("z").astype(float) * _SPEED_OF_LIGHT
    positions = Table({name: stars[name] for name in ("ra", "dec")})
    stars["star"] = group_stars(positions)[0]
    test = np.unique(stars["star"][is_test(stars["obsid"])])
    stars["test"] = np.isin(stars["star"], test)
    return stars
