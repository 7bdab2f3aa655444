# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""DESI's table of fibres: which star each row of the images is, and where.

Wavelengths of DESI are in vacuum and barycentric (data model of its releases); no
header says so.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from .fits import FitsFile
from .observation import SpectrumArrays

__all__ = ["add_fibres"]

_COLUMNS = ("TARGETID", "TARGET_RA", "TARGET_DEC")


def add_fibres(file: FitsFile, spectra: list[SpectrumArrays]) -> list[SpectrumArrays]:
    """Add star and position to the spectra of a DESI file.

    Parameters
    ----------
    file : FitsFile
        The open file.
    spectra : list of SpectrumArrays
        One image after the other, row by row.

    Returns
    -------
    list of SpectrumArrays
        The same spectra; as they are if the file has no such table.
    """
    table = next((hdu for hdu in file.hdus if hdu.name == "FIBERMAP"), None)
    if (
        table is None
        or not table.is_table
        or not set(table.columns).issuperset(_COLUMNS)
    ):
        return spectra
    star, ra, dec = (
        np.atleast_1d(table.column(name))
        for name in ("TARGETID", "TARGET_RA", "TARGET_DEC")
    )
    if not len(star) or len(spectra) % len(star):
        return spectra
    found = []
    for number, arrays in enumerate(spectra):
        row = number % len(star)
        facts: dict[str, Any] = {
            "survey": "desi",
            "medium": "vacuum",
            "frame": "barycentric",
            "target_name": str(star[row]),
            "ra": float(ra[row]),
            "dec": float(dec[row]),
        }
        seen = replace(arrays.observation, **facts)
        found.append(replace(arrays, observation=seen))
    return found
