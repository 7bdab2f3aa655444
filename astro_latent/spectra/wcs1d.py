# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra as images: one row or many, with wavelengths in the header or beside them.

What IRAF, iSpec, pipelines and many others write. Wavelengths are those of an
extension, else those that the header describes; a file without either is refused.
Medium and frame only where they are stated.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from astropy import units as u

from ..exceptions import SpectrumReadError
from .assemble import Context, assemble_spectra
from .axis import hint_unit, read_axis
from .columns import Column
from .facts import facts_from_header, number, stated_frame, stated_medium
from .fibermap import add_fibres
from .fits import FitsFile, Hdu
from .formats import Format
from .header import Header, chain_headers
from .images import ImageSet, find_sets
from .multispec import is_multispec, multispec_wavelengths
from .observation import Observation, SpectrumArrays, placeholder

__all__ = ["WCS1D", "identify_wcs1d", "read_wcs1d"]

_AIR_LIMIT = 25_000.0  # Å; nobody quotes air wavelengths redwards of K


def identify_wcs1d(file: FitsFile) -> bool:
    """Tell whether a file has images that may be spectra."""
    return any(_may_be_spectrum(found) for found in find_sets(file))


def _may_be_spectrum(found: ImageSet) -> bool:
    """Tell whether each row is a spectrum; surveys stack fluxes, errors, masks."""
    shape = found.flux.shape
    if is_multispec(found.flux.header):
        return shape[-1] > 1
    alone = len(found.images) == 1 and not found.prefix
    rows = int(np.prod(shape[:-1]))
    return shape[-1] > 1 and len(shape) <= 3 and (rows == 1 or not alone)


def _headers(file: FitsFile, hdu: Hdu) -> Mapping[str, Any]:
    """Return the header of an image, with the primary one behind it."""
    primary = file.primary
    return chain_headers(hdu.header, primary) if hdu.index else primary


def _read_observation(file: FitsFile, found: ImageSet) -> Observation:
    head = _headers(file, found.flux)
    facts = facts_from_header(head, file.path)
    if found.prefix:
        facts["obs_id"] = f"{facts['obs_id']}#{found.prefix}"
    return Observation(
        **facts,
        survey=str(head.get("INSTRUME") or "").strip().lower(),
        medium=stated_medium(head),
        frame=stated_frame(head),
        resolving_power=number(head, "SPEC_RES"),
        snr=number(head, "SNR"),
    )


def read_wcs1d(
    file: FitsFile,
    *,
    wavelength_unit: str | u.UnitBase | None = None,
    estimate: bool = False,
) -> list[SpectrumArrays]:
    """Read spectra that are images.

    Parameters
    ----------
    file : FitsFile
        The file. Image extensions have wavelengths, errors and masks by their names.
    wavelength_unit : str or `~astropy.units.Unit`, optional
        Unit of the axis, in place of what the header says.
    estimate : bool, optional
        Estimate the noise from the flux if the file has no uncertainties.

    Returns
    -------
    list of SpectrumArrays
        One for each row.

    Raises
    ------
    SpectrumReadError
        If the axis cannot be understood as wavelengths.
    """
    sets = [found for found in find_sets(file) if _may_be_spectrum(found)]
    if not sets:
        file.refuse("no image of one or two dimensions that could be a spectrum")
    spectra = []
    for found in sets:
        context = Context(
            observation=_read_observation(file, found),
            wavelength_unit=wavelength_unit,
            unit_hint=hint_unit(_headers(file, found.flux)),
            estimate=estimate,
            meta={"header": file.primary},
        )
        spectra += _read_set(file, found, context)
    spectra = add_fibres(file, spectra)
    return [_check_air(arrays, file.primary) for arrays in spectra]


def _read_set(
    file: FitsFile, found: ImageSet, context: Context
) -> list[SpectrumArrays]:
    columns = found.columns()
    if lost := sorted(found.images.keys() - columns.keys()):
        names = ", ".join(
            f"{found.images[r].name} {found.images[r].shape}" for r in lost
        )
        reason = f"{names} does not fit the flux {found.flux.shape}"
        if "wavelength" in lost:
            file.refuse(reason)
        context = replace(context, observation=context.observation.remarked(reason))
    head = _headers(file, found.flux)
    if is_multispec(head):
        return _read_orders(columns, head, context)
    columns["flux"] = replace(columns["flux"], values=_as_rows(file, columns["flux"]))
    if "wavelength" not in columns:
        if len(found.flux.shape) > 1 and head.get("CD1_2", 0) != 0:
            file.refuse(f"CD1_2={head['CD1_2']!r}: the rows are slanted; rectify them")
        size = found.flux.shape[-1]
        columns["wavelength"] = read_axis(found.flux, head, size)
    return assemble_spectra(columns, context)


def _as_rows(file: FitsFile, flux: Column) -> np.ndarray:
    """Return pixels, or rows of pixels; a cube of more than one plane is refused."""
    values = flux.values
    while values.ndim > 1 and len(values) == 1:
        values = values[0]
    if values.ndim > 2:
        file.refuse(
            f"an image of {values.ndim} dimensions {values.shape} is no spectrum; "
            "extract one first"
        )
    return values


def _read_orders(
    columns: dict[str, Column], head: Mapping[str, Any], context: Context
) -> list[SpectrumArrays]:
    """Read an image whose rows have each their own wavelengths (IRAF)."""
    flux = columns["flux"].values
    rows, sigma = flux.reshape(-1, flux.shape[-1]), None
    if flux.ndim == 3:  # bands of apall: the spectrum, others, and sigma if it says so
        bands = [str(head.get(f"BANDID{n + 1}") or "") for n in range(len(flux))]
        at = next((n for n, word in enumerate(bands) if "sigma" in word.lower()), -1)
        rows, sigma = flux[0], flux[at] if at > 0 else None
    waves = multispec_wavelengths(head, rows.shape[-1])
    if len(waves) != len(rows):
        context.refuse(f"{len(rows)} rows, but WAT2 describes {len(waves)} (multispec)")
    found = []
    for n, wave in enumerate(waves):
        seen = context.observation
        if len(rows) > 1:
            seen = replace(seen, obs_id=f"{seen.obs_id}#{n + 1}")
        if not np.isfinite(wave).any():
            reason = f"{seen.source}: order {n + 1} has no wavelengths (multispec)"
            found.append(placeholder(reason, obs_id=seen.obs_id, source=seen.source))
            continue
        one = {"flux": replace(columns["flux"], values=rows[n])}
        one["wavelength"] = Column(values=wave, unit=context.unit_hint)
        if sigma is not None:
            one["sigma"] = Column(values=sigma[n])
        try:
            found += assemble_spectra(one, replace(context, observation=seen))
        except SpectrumReadError as error:  # the other orders may be right
            facts = {"obs_id": seen.obs_id, "source": seen.source}
            found.append(placeholder(str(error), **facts))
    return found


def _check_air(arrays: SpectrumArrays, head: Header) -> SpectrumArrays:
    """Remark where wavelengths in air are unlikely: their unit may be wrong."""
    wavelength, seen = arrays.wavelength, arrays.observation
    if seen.medium != "air" or not wavelength.size or wavelength[0] <= _AIR_LIMIT:
        return arrays
    remark = (
        f"air wavelengths of {wavelength[0]:.0f} to {wavelength[-1]:.0f} Angstrom are "
        f"unlikely: check CUNIT1={head.get('CUNIT1')!r}"
    )
    return replace(arrays, observation=seen.remarked(remark))


WCS1D = Format(
    name="wcs1d",
    title="image of one spectrum or several, wavelengths in the header or an extension",
    identify=identify_wcs1d,
    read=read_wcs1d,
    options=("wavelength_unit", "estimate"),
    priority=4,
)
