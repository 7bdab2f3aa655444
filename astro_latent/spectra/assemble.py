# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Columns whose roles are known become spectra: units, logarithms, errors, masks.

The same for FITS tables and images, VOTables, text, arrays and tables in memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import numpy as np
from astropy import units as u

from ..exceptions import SpectrumReadError
from .checks import finish_arrays, sigma_from_ivar
from .columns import Column, is_logarithm, medium_of_name
from .observation import Observation, SpectrumArrays
from .units import LOG_ANGSTROM, parse_unit, to_angstrom

__all__ = ["Context", "assemble_spectra", "axis_to_angstrom"]

#: Without a unit, wavelengths within these limits are Ångström; beyond them they might
#: as well be nanometres or micrometres.
_SURE = (3_000.0, 300_000.0)
_SURE_LOG = (3.0, 5.5)
_SHORTEST = 100.0  # Å; no spectrum of a star begins there


@dataclass(frozen=True, kw_only=True)
class Context:
    """What is known about a spectrum besides its columns, and asked of its reader.

    Parameters
    ----------
    observation : Observation
        What the file says.
    wavelength_unit : str or Unit, optional
        What the caller says, in place of the file.
    unit_hint : str
        What the header says where the column says nothing.
    estimate : bool
        Estimate the noise if there are no errors.
    meta : dict
        Header and other extras.
    """

    observation: Observation
    wavelength_unit: str | u.UnitBase | None = None
    unit_hint: str = ""
    estimate: bool = False
    meta: dict[str, Any] = field(default_factory=dict)

    def refuse(self, reason: str) -> NoReturn:
        """Raise an error that names the source."""
        where = self.observation.source or self.observation.obs_id or "the spectrum"
        msg = f"{where}: {reason}"
        raise SpectrumReadError(msg)


def axis_to_angstrom(
    values: np.ndarray, unit: str, context: Context
) -> tuple[np.ndarray, str]:
    """Bring a spectral axis to Ångström, by what is stated and else by its range.

    Parameters
    ----------
    values : ndarray
        As in the file.
    unit : str
        As the file spells it.
    context : Context
        With what the caller says.

    Returns
    -------
    wavelength : ndarray of float64
        Ångström.
    remark : str
        What was taken for granted.

    Raises
    ------
    SpectrumReadError
        If the unit is none of a spectral axis, or missing and not to be told.
    """
    stated: Any = unit.strip() or context.unit_hint
    stated = stated if context.wavelength_unit is None else context.wavelength_unit
    low, high = _find_range(values)
    known = parse_unit(stated) if isinstance(stated, str) else u.Unit(stated)
    silent = stated == "" or known == u.dimensionless_unscaled
    if silent and _SURE[0] <= low <= high <= _SURE[1]:
        return values, "no unit of wavelength, taken as Angstrom"
    log10 = _SURE_LOG[0] <= low <= high <= _SURE_LOG[1] and high - low < 1
    if log10 and (silent or (known == u.AA and context.wavelength_unit is None)):
        return 10.0**values, f"from {low:.4f} to {high:.4f}: taken as log10 of Angstrom"
    if silent:
        context.refuse(
            f"wavelengths from {low:.6g} to {high:.6g} without a unit; give "
            'wavelength_unit=, such as "nm", "um" or "log10(Angstrom)"'
        )
    wavelength = None if known is None else to_angstrom(values, known)
    if wavelength is None:
        context.refuse(
            f"the spectral axis is in {str(stated)!r}; only wavelengths, frequencies, "
            "energies and wave numbers are supported: give wavelength_unit="
        )
    if context.wavelength_unit is None and known == u.AA and high < _SHORTEST:
        context.refuse(
            f"wavelengths from {low:.6g} to {high:.6g} Angstrom are no star's; if they "
            "are something else, give wavelength_unit="
        )
    return wavelength, ""


def _find_range(values: np.ndarray) -> tuple[float, float]:
    """Return the least and the largest value that is finite and not zero, or NaN."""
    if values.size:
        low, high = values.min(), values.max()  # NaN where there is one
        if low > 0 and high < np.inf:
            return low, high  # the usual case
    usable = values[np.isfinite(values) & (values != 0)]
    return (usable.min(), usable.max()) if usable.size else (np.nan, np.nan)


def assemble_spectra(
    columns: Mapping[str, Column], context: Context
) -> list[SpectrumArrays]:
    """Make spectra of columns.

    Parameters
    ----------
    columns : mapping of str to Column
        By role, see `~astro_latent.spectra.columns.ROLES`; with wavelength and flux.
    context : Context
        All else.

    Returns
    -------
    list of SpectrumArrays
        One, or as many as the flux has rows; their ``obs_id`` ends in ``#1`` ...

    Raises
    ------
    SpectrumReadError
        If the shapes do not fit, or the axis cannot be understood.
    """
    flux = _rows(columns["flux"].values)
    parts: dict[str, list[np.ndarray]] = {"flux": flux}
    for role, column in columns.items():
        if role != "flux":
            rows = _rows(column.values)
            parts[role] = rows * len(flux) if len(rows) == 1 else rows
            if len(parts[role]) != len(flux):
                context.refuse(f"{len(flux)} rows of flux, {len(rows)} of {role}")
    found = []
    for number in range(len(flux)):
        row = {
            role: replace(column, values=parts[role][number])
            for role, column in columns.items()
        }
        own = context
        if len(flux) > 1:
            name = f"{context.observation.obs_id}#{number + 1}"
            seen = replace(context.observation, obs_id=name)
            own = replace(context, observation=seen)
        found.append(_assemble_one(row, own))
    return found


def _rows(values: np.ndarray) -> list[np.ndarray]:
    """Return one array of pixels for each spectrum."""
    values = np.asarray(values)
    if values.dtype == object:  # rows of different lengths
        return [np.ma.filled(np.ma.asarray(row, float), np.nan) for row in values]
    if values.ndim <= 1:
        return [values.reshape(-1)]
    return list(values.reshape(-1, values.shape[-1]))


def _assemble_one(columns: Mapping[str, Column], context: Context) -> SpectrumArrays:
    axis = columns["wavelength"]
    unit = axis.unit
    if is_logarithm(axis.name) and parse_unit(unit) in (None, u.AA, u.Unit("")):
        unit = LOG_ANGSTROM.to_string()
    wavelength, remark = axis_to_angstrom(
        np.asarray(axis.values, dtype=np.float64), unit, context
    )
    observation = context.observation.remarked(remark)
    said = medium_of_name(axis.name)
    if said != "unknown" and observation.medium == "unknown":
        observation = replace(observation, medium=said)
    flux = columns["flux"]
    flux_unit = parse_unit(flux.unit)
    if not isinstance(flux_unit, u.UnitBase):
        flux_unit = u.dimensionless_unscaled
        remark = f"the unit of the flux is unknown: {flux.unit!r}"
        observation = observation.remarked(remark)
    sigma, mask = _read_errors(columns, flux_unit, context)
    return finish_arrays(
        wavelength,
        _as_floats(flux.values),
        sigma=sigma,
        mask=mask,
        flux_unit=flux_unit,
        observation=observation,
        estimate=context.estimate,
        meta=context.meta,
    )


def _as_floats(values: np.ndarray) -> np.ndarray:
    return values if values.dtype.kind == "f" else values.astype(np.float64)


def _read_errors(
    columns: Mapping[str, Column], flux_unit: u.UnitBase, context: Context
) -> tuple[np.ndarray | None, np.ndarray]:
    """Return standard deviations in the unit of the flux, and the mask."""
    flux = np.asarray(columns["flux"].values)
    mask = np.zeros(flux.shape, dtype=bool)
    for role, column in columns.items():
        if column.values.shape != flux.shape:
            context.refuse(f"{flux.shape} pixels of flux, {column.values.shape} {role}")
    if "mask" in columns:
        mask = mask | _is_set(columns["mask"].values)
    if "good" in columns:
        mask = mask | ~_is_set(columns["good"].values)
    if "sigma" in columns:
        sigma = _as_floats(columns["sigma"].values)
        if 2 * np.count_nonzero(sigma == 0) > sigma.size:
            return None, mask  # CALSPEC: where nobody knows them
        return sigma * _factor(columns["sigma"], flux_unit, 1, context), mask
    if "ivar" in columns:
        factor = _factor(columns["ivar"], flux_unit, -2, context)
        sigma, no_data = sigma_from_ivar(_as_floats(columns["ivar"].values) * factor)
        return sigma, mask | no_data
    if "variance" in columns:
        factor = _factor(columns["variance"], flux_unit, 2, context)
        with np.errstate(invalid="ignore"):
            return np.sqrt(_as_floats(columns["variance"].values) * factor), mask
    if "relative" in columns:
        with np.errstate(invalid="ignore"):
            return np.abs(flux) * columns["relative"].values, mask
    return None, mask


def _is_set(values: np.ndarray) -> np.ndarray:
    """Tell where a quality is not zero; text says T or F."""
    if values.dtype.kind in "SU":
        return np.char.upper(values.astype(str)) == "T"
    return np.nan_to_num(values, nan=1) != 0


def _factor(
    column: Column, flux_unit: u.UnitBase, power: int, context: Context
) -> float:
    """Return what brings an error, or its power, to the unit of the flux."""
    unit = parse_unit(column.unit) if column.unit.strip() else None
    if not isinstance(unit, u.UnitBase) or unit == u.dimensionless_unscaled:
        return 1.0
    wanted = flux_unit**power
    if unit == wanted or flux_unit == u.dimensionless_unscaled:
        return 1.0
    if power != 1 and unit == flux_unit:
        return 1.0  # copied from the column of the flux
    if not unit.is_equivalent(wanted):
        context.refuse(f"the flux is in {flux_unit}, its error in {column.unit!r}")
    return float(unit.to(wanted))
