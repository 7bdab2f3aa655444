# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What the columns of Gaia's spectra mean, whatever file they came in.

Three layouts hold mean spectra: one row per pixel (DataLink, INDIVIDUAL and COMBINED),
one row per source with arrays (DataLink RAW, the files of the bulk download), and the
same with a sampling of its own (GaiaXPy). Coefficients of basis functions are no
spectrum: they need GaiaXPy first.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from astropy import units as u

from ...exceptions import SpectrumReadError
from ...spectra.checks import finish_arrays
from ...spectra.facts import identifier_from_path
from ...spectra.observation import (
    MadeWhenAsked,
    Observation,
    SpectrumArrays,
    placeholder,
)
from ...spectra.units import parse_unit

__all__ = ["GaiaColumns", "holds_spectra", "read_columns"]

_RVS_RANGE = (8450.0, 8710.0)  # Å
_RVS_STEP = 0.1
_RVS_RESOLVING_POWER = 11_500.0
_XP_UNIT = u.W / u.m**2 / u.nm
_PIXELS = {"flux", "flux_error"}
_COEFFICIENTS = {"bp_coefficients", "rp_coefficients"}
#: Pixels of the arrays without wavelengths (data model of DR3) -> nanometres.
_SAMPLINGS = {
    343: 336.0 + 2.0 * np.arange(343),
    2401: 846.0 + 0.01 * np.arange(2401),
}
_NUMBER = re.compile(r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?")
_EMPTY = ("", "null", "nan", "none", "--")


@dataclass(frozen=True, kw_only=True)
class GaiaColumns:
    """Columns and parameters of one table, by names in small letters.

    Parameters
    ----------
    path : Path
        The file, or the name of what is in memory.
    columns : dict of str to ndarray
        One value per row each.
    units : dict of str to str
        Units of the columns that state one.
    facts : dict of str to object
        Parameters and keywords.
    sampling : ndarray, shape (n_pixels,), optional
        Wavelengths of the arrays of all rows, nm.
    header : mapping, optional
        What becomes ``meta["header"]``; by default ``facts`` and what the first row of
        a source says besides.
    """

    path: Path
    columns: dict[str, np.ndarray]
    units: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    sampling: np.ndarray | None = None
    header: Mapping[str, Any] | None = None

    def fact(self, name: str) -> str:
        """Return a parameter as text; "" if it is not there."""
        return str(self.facts.get(name, ""))


def holds_spectra(names: Iterable[str], facts: Iterable[str]) -> bool:
    """Tell by its names whether a table is one of spectra, or of their coefficients.

    Parameters
    ----------
    names, facts : iterable of str
        Columns and parameters, in small letters.

    Returns
    -------
    bool
        True if `read_columns` knows what to do with it.
    """
    columns, known = set(names), {*names, *facts}
    source = bool(known & {"source_id", "sourceid"})
    return source and (columns >= _PIXELS or columns >= _COEFFICIENTS)


def read_columns(found: GaiaColumns) -> Sequence[SpectrumArrays]:
    """Read all spectra of a table, each when it is asked for.

    Parameters
    ----------
    found : GaiaColumns
        The table.

    Returns
    -------
    sequence of SpectrumArrays
        One per source, in the order of the rows.

    Raises
    ------
    SpectrumReadError
        If the table holds something else than sampled, calibrated spectra.
    """
    _check_product(found)
    pieces = _list_rows(found)
    if not pieces:
        _refuse(found, "has no rows")
    if len(pieces) == 1:
        return [_make(found, pieces[0], alone=True)]
    return MadeWhenAsked(len(pieces), lambda at: _make_or_flag(found, pieces[at]))


def _refuse(found: GaiaColumns, reason: str) -> NoReturn:
    msg = f"{found.path}: {reason}"
    raise SpectrumReadError(msg)


def _check_product(found: GaiaColumns) -> None:
    if found.columns.keys() & _COEFFICIENTS:
        _refuse(
            found,
            "holds coefficients of basis functions (XP_CONTINUOUS), no fluxes; fetch "
            "XP_SAMPLED, or turn them into spectra with gaiaxpy.calibrate",
        )
    if "xp" in found.columns:
        _refuse(
            found,
            "is in pseudo-wavelengths and electrons per second (gaiaxpy.convert); "
            "gaiaxpy.calibrate gives wavelengths",
        )


def _has_pixel_rows(found: GaiaColumns) -> bool:
    flux = found.columns["flux"]
    return "wavelength" in found.columns and flux.ndim == 1 and flux.dtype.kind in "fiu"


def _list_rows(found: GaiaColumns) -> list[slice]:
    """Return the rows of each source."""
    size = len(found.columns["flux"])
    if not _has_pixel_rows(found):
        return [slice(number, number + 1) for number in range(size)]
    sources = found.columns.get("source_id", np.zeros(size))
    edges = np.flatnonzero(sources[1:] != sources[:-1]) + 1
    ends = [0, *edges.tolist(), size] if size else [0]
    return [slice(*pair) for pair in pairwise(ends)]


def _cut(found: GaiaColumns, rows: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return wavelengths in the unit of the table, flux and errors of a source."""
    flux, error = (found.columns[name][rows] for name in ("flux", "flux_error"))
    if _has_pixel_rows(found):
        return found.columns["wavelength"][rows], flux, error
    values, errors = _to_array(found, flux[0]), _to_array(found, error[0])
    return _find_sampling(found, rows.start, values.size), values, errors


def _to_array(found: GaiaColumns, cell: object) -> np.ndarray:
    """Return the numbers of a cell, which may be text such as ``"(1.0, nan)"``."""
    if isinstance(cell, bytes):
        cell = cell.decode("ascii", errors="replace")
    if isinstance(cell, str):
        cell = [
            np.nan if word.strip().lower() in _EMPTY else word
            for word in cell.strip().strip("()[]\"'").split(",")
        ]
    try:
        return np.atleast_1d(np.ma.filled(np.ma.asarray(cell, dtype=float), np.nan))
    except (TypeError, ValueError):
        _refuse(
            found, f"has something else than numbers in place of flux: {cell!r:.80}"
        )


def _find_sampling(found: GaiaColumns, number: int, size: int) -> np.ndarray:
    own = found.columns.get("wavelength")
    if own is not None:
        return _to_array(found, own[number])
    if found.sampling is not None:
        return found.sampling
    if size not in _SAMPLINGS:
        _refuse(
            found,
            f"has {size} pixels a source and no wavelengths; known without are "
            f"{' and '.join(map(str, _SAMPLINGS))}. Of GaiaXPy give the pair that "
            "calibrate returns, or its file beside that with the sampling",
        )
    return _SAMPLINGS[size]


def _find_position(found: GaiaColumns, row: int) -> tuple[float, float]:
    if {"ra", "dec"} <= found.columns.keys():
        return float(found.columns["ra"][row]), float(found.columns["dec"][row])
    text = f"{found.fact('ra')} {found.fact('dec')}"
    if not _NUMBER.search(text):
        text = found.fact("spatiallocation") or found.fact("pos")
    numbers = [float(word) for word in _NUMBER.findall(text)]
    if len(numbers) != 2 or not (0 <= numbers[0] <= 360 and -90 <= numbers[1] <= 90):
        return np.nan, np.nan
    return numbers[0], numbers[1]


def _name(found: GaiaColumns, rows: slice, *, alone: bool) -> dict[str, Any]:
    source = found.fact("source_id") or found.fact("sourceid")
    if "source_id" in found.columns:
        source = str(found.columns["source_id"][rows][0])
    name = identifier_from_path(found.path) if found.path.name else source
    ra, dec = _find_position(found, rows.start)
    return {
        "obs_id": name if alone or name == source else f"{name}#{source}",
        "source": str(found.path) if found.path.name else "",
        "target_name": found.fact("designation") or source,
        "ra": ra,
        "dec": dec,
    }


def _make_or_flag(found: GaiaColumns, rows: slice) -> SpectrumArrays:
    """One source of many that cannot be read leaves the others alone."""
    try:
        return _make(found, rows, alone=False)
    except SpectrumReadError as error:
        return placeholder(str(error), **_name(found, rows, alone=False))


def _make(found: GaiaColumns, rows: slice, *, alone: bool) -> SpectrumArrays:
    wavelength, flux, error = _cut(found, rows)
    angstrom = np.asarray(wavelength, float) * _to_angstrom(found)
    facts, unit = _recognise(angstrom, found.units.get("flux"))
    names = _name(found, rows, alone=alone)
    observation = Observation(**names, survey="gaia", **facts)
    if not facts:
        observation = observation.remarked(
            "neither the DR3 mean RVS spectrum nor a sampled BP/RP spectrum"
        )
    return finish_arrays(
        angstrom,
        np.asarray(flux),
        sigma=np.asarray(error),
        flux_unit=unit,
        observation=observation,
        meta={"header": _gather_facts(found, rows.start)},
    )


def _gather_facts(found: GaiaColumns, row: int) -> Mapping[str, Any]:
    if found.header is not None:
        return found.header
    others = found.columns.keys() - {"wavelength", *_PIXELS}
    return found.facts | {
        name: found.columns[name][row].item()
        for name in others
        if found.columns[name].ndim == 1 and found.columns[name].dtype.kind in "fiubU"
    }


def _to_angstrom(found: GaiaColumns) -> float:
    text = found.units.get("wavelength") or "nm"  # CSV states no units: the data model
    unit = parse_unit(text)
    if unit is None or not unit.is_equivalent(u.AA):
        _refuse(found, f"the spectral axis is in {text!r}, not a length")
    return round(float(u.Unit(unit).to(u.AA)), 9)  # 10, not 9.999999999999998


def _recognise(
    wavelength: np.ndarray, stated: str | None
) -> tuple[dict[str, Any], u.UnitBase]:
    """Return what follows from the kind of spectrum that the pixels show."""
    steps = np.diff(wavelength)
    inside = bool(steps.size) and bool(
        _RVS_RANGE[0] < wavelength[0] and wavelength[-1] < _RVS_RANGE[1]
    )
    unit = parse_unit(stated) if stated else None
    if unit is None:  # CSV states none: only RVS is without
        unit = u.dimensionless_unscaled if inside or stated == "" else _XP_UNIT
    if unit.is_equivalent(_XP_UNIT):
        return {"normalisation": "none"}, unit
    if not inside or not np.allclose(steps, _RVS_STEP, rtol=0, atol=1e-3):
        return {}, unit
    return {
        "medium": "vacuum",
        "frame": "rest",
        "normalisation": "continuum",
        "resolving_power": _RVS_RESOLVING_POWER,
        "radial_velocity": 0.0,
    }, unit
