# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Many spectra on one wavelength axis, held as arrays or in an ``.npz`` file."""

import hashlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import log
from astropy import units as u
from astropy.table import Table

from ..exceptions import SpectrumReadError
from ..spectra.observation import Observation, SpectrumArrays

if TYPE_CHECKING:
    from specutils import SpectrumCollection

__all__ = ["SpectrumBlock", "as_block"]

_UNITS = {"nm": u.nm, "um": u.um, "micron": u.um, "aa": u.AA, "angstrom": u.AA}
_MEDIA = ("air", "vacuum")
_ERRORS = ("error", "err", "flux_error", "sigma")
_INVERSE = ("ivar", "inverse_variance")
_MASKS = ("mask", "bad")
_IDS = ("obs_id", "source_id", "gaia_source_id", "id")


@dataclass(frozen=True, kw_only=True)
class SpectrumBlock:
    """Spectra on one wavelength axis.

    Parameters
    ----------
    wavelength : ndarray, shape (n_pixels,)
        Ångström, increasing.
    flux : ndarray, shape (n_spectra, n_pixels)
        Any unit.
    sigma : ndarray, shape (n_spectra, n_pixels), or None
        Errors of the flux.
    mask : ndarray of bool, shape (n_spectra, n_pixels), or None
        True where a pixel must not be used.
    table : `~astropy.table.Table`
        What else is known of each spectrum.
    observation : Observation
        What is known of all.
    """

    wavelength: np.ndarray
    flux: np.ndarray
    sigma: np.ndarray | None
    mask: np.ndarray | None
    table: Table
    observation: Observation

    def __len__(self) -> int:
        return len(self.flux)

    def __iter__(self) -> Iterator[SpectrumArrays]:
        for row in range(len(self)):
            yield self.spectrum(row)

    def spectrum(self, row: int) -> SpectrumArrays:
        """Return one spectrum.

        Parameters
        ----------
        row : int
            Which.

        Returns
        -------
        SpectrumArrays
            Named by the table, or by its row.
        """
        facts = {**vars(self.observation), "obs_id": self._name(row)}
        flux = np.asarray(self.flux[row], dtype=float)
        sigma = None if self.sigma is None else np.asarray(self.sigma[row], dtype=float)
        mask = ~np.isfinite(flux)
        if self.mask is not None:
            mask = mask | np.asarray(self.mask[row], dtype=bool)
        if sigma is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = np.where(mask | ~(sigma > 0), np.nan, flux / sigma)
            if np.isfinite(ratio).any():
                facts["snr"] = float(np.nanmedian(ratio))
        return SpectrumArrays(
            wavelength=self.wavelength,
            flux=flux,
            sigma=sigma,
            mask=mask,
            observation=Observation(**facts),
        )

    def _name(self, row: int) -> str:
        name = next((n for n in _IDS if n in self.table.colnames), None)
        return f"row {row}" if name is None else str(self.table[name][row])

    def digest(self) -> str:
        """Return a hash of all pixels."""
        found = hashlib.blake2b(digest_size=16)
        for array in (self.wavelength, self.flux, self.sigma, self.mask):
            if array is not None:
                found.update(str((array.shape, array.dtype)).encode())
                for first in range(0, len(array), 4096):
                    found.update(array[first : first + 4096].tobytes())
        return found.hexdigest()


def as_block(source: object) -> SpectrumBlock | None:
    """Understand arrays with one wavelength axis; None for anything else.

    Parameters
    ----------
    source : mapping, path of an ``.npz`` file, SpectrumCollection, or object
        A mapping holds ``wavelength`` (a quantity, or Ångström; ``wavelength_nm``,
        ``wavelength_um``, ``wavelength_air`` and ``wavelength_vacuum`` say more),
        ``flux`` of shape (n_spectra, n_pixels), and optionally ``error`` (or ``ivar``,
        one over its square, 0 where a pixel must not be used), ``mask`` or ``bad``
        (True = do not use). Its other arrays with one value for each spectrum become
        columns.

    Returns
    -------
    SpectrumBlock or None
        The spectra.

    Raises
    ------
    SpectrumReadError
        If shapes do not fit, or wavelengths do not rise or fall.
    """
    if isinstance(source, str | Path) and str(source).lower().endswith(".npz"):
        with np.load(source, allow_pickle=False) as file:
            return _from_mapping({name: file[name] for name in file.files})
    if isinstance(source, Mapping) and _is_block(source):
        return _from_mapping(dict(source))
    specutils = sys.modules.get("specutils")
    if specutils is not None and isinstance(source, specutils.SpectrumCollection):
        return _from_collection(source)
    return None


def _is_block(source: Mapping[str, Any]) -> bool:
    """Whether fluxes, or wavelengths without fluxes, are not those of one spectrum."""
    axis = any(str(key).split("_")[0] == "wavelength" for key in source)
    return np.ndim(source.get("flux", 0)) == 2 or (axis and "flux" not in source)


def _from_mapping(arrays: dict[str, Any]) -> SpectrumBlock:
    name = next((key for key in arrays if key.split("_")[0] == "wavelength"), None)
    if name is None or "flux" not in arrays:
        msg = f"arrays need 'wavelength' and 'flux'; these are {', '.join(arrays)}"
        raise SpectrumReadError(msg)
    words = name.split("_")[1:]
    unit = next((_UNITS[word] for word in words if word in _UNITS), u.AA)
    medium = next((word for word in words if word in _MEDIA), "unknown")
    flux = _plain(arrays["flux"])
    sigma, mask = _find_errors(arrays), _find(arrays, _MASKS)
    columns = {
        key: value
        for key, value in arrays.items()
        if key != name and np.shape(value) == (len(flux),)
    }
    axis = u.Quantity(arrays[name], getattr(arrays[name], "unit", unit))
    if axis.ndim != 1:
        msg = f"{name} has the shape {axis.shape}; one axis for all spectra is needed"
        raise SpectrumReadError(msg)
    _complain_of_others(arrays, flux.shape)
    return _checked(
        axis.to_value(u.AA),
        flux,
        sigma,
        None if mask is None else _plain(mask).astype(bool),
        Table(columns) if columns else Table({"row": np.arange(len(flux))}),
        Observation(medium=medium),
    )


def _find(arrays: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((arrays[name] for name in names if name in arrays), None)


def _find_errors(arrays: dict[str, Any]) -> np.ndarray | None:
    """Return errors in the unit of the flux."""
    unit = getattr(arrays["flux"], "unit", None)
    error, inverse = _find(arrays, _ERRORS), _find(arrays, _INVERSE)
    if error is not None:
        if unit is not None and getattr(error, "unit", None) is not None:
            error = u.Quantity(error).to(unit)
        return _plain(error)
    if inverse is None:
        return None
    if unit is not None and getattr(inverse, "unit", None) is not None:
        inverse = u.Quantity(inverse).to(u.Unit(unit) ** -2)
    inverse = _plain(inverse)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(inverse > 0, inverse**-0.5, 0.0)  # no error: not used


def _complain_of_others(arrays: dict[str, Any], shape: tuple[int, ...]) -> None:
    """Warn of arrays that may have been meant as errors or masks."""
    known = ("flux", *_ERRORS, *_INVERSE, *_MASKS)
    others = [k for k, v in arrays.items() if np.shape(v) == shape and k not in known]
    if others and shape[0] != 1:
        log.warning(
            f"the arrays {', '.join(others)} have the shape of the flux and are not "
            f"used; {', '.join(known[1:])} would be"
        )
    lengths = {k: len(v) for k, v in arrays.items() if np.ndim(v) == 1}
    odd = [k for k, length in lengths.items() if length not in shape]
    if odd:
        log.warning(
            f"the arrays {', '.join(odd)} are not used: they hold "
            f"{', '.join(str(lengths[k]) for k in odd)} values for {shape[0]} spectra"
        )


def _from_collection(source: "SpectrumCollection") -> SpectrumBlock | None:
    axis = u.Quantity(source.spectral_axis).to_value(u.AA, u.spectral())
    if axis.ndim == 2 and not (axis == axis[0]).all():
        return None
    sigma = source.uncertainty
    if sigma is not None:
        from astropy.nddata import StdDevUncertainty

        sigma = sigma.represent_as(StdDevUncertainty).array
    table = Table({"row": np.arange(len(source.flux))})
    wavelength = axis[0] if axis.ndim == 2 else axis
    mask = None if source.mask is None else np.asarray(source.mask, dtype=bool)
    flux = np.asarray(source.flux.value)
    return _checked(wavelength, flux, sigma, mask, table, Observation())


def _plain(value: object) -> np.ndarray:
    if isinstance(value, np.ma.MaskedArray):
        value = value.filled(np.nan)
    return np.asarray(getattr(value, "value", value))


def _checked(
    wavelength: np.ndarray,
    flux: np.ndarray,
    sigma: np.ndarray | None,
    mask: np.ndarray | None,
    table: Table,
    observation: Observation,
) -> SpectrumBlock:
    shape = (len(flux), len(wavelength))
    for name, array in (("flux", flux), ("error", sigma), ("mask", mask)):
        if array is not None and array.shape != shape:
            msg = f"{name} has the shape {array.shape}; {shape} is needed for "
            msg += f"{shape[0]} spectra of {shape[1]} pixels"
            raise SpectrumReadError(msg)
    rising = np.diff(wavelength)
    if (rising < 0).all():
        wavelength, flux = wavelength[::-1], flux[:, ::-1]
        sigma = None if sigma is None else sigma[:, ::-1]
        mask = None if mask is None else mask[:, ::-1]
    elif not (rising > 0).all():
        msg = "the wavelengths of the arrays must rise or fall from pixel to pixel"
        raise SpectrumReadError(msg)
    return SpectrumBlock(
        wavelength=np.asarray(wavelength, dtype=float),
        flux=flux,
        sigma=sigma,
        mask=mask,
        table=table,
        observation=observation,
    )
