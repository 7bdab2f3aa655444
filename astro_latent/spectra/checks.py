# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The last station of each reader: order, finiteness, errors, flags.

What can be repaired in only one way is repaired and said; what cannot is refused.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
from astropy import units as u

from ..exceptions import SpectrumReadError
from ..utils.quality import QualityFlag
from .corrupt import find_zeros, mask_corrupt
from .noise import estimate_noise
from .observation import Observation, SpectrumArrays

__all__ = ["finish_arrays", "mask_from_bits", "sigma_from_ivar"]

# wavelength, flux, sigma, mask
_Arrays = tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]


def mask_from_bits(pixmask: np.ndarray, bits: Iterable[int]) -> np.ndarray:
    """Return where any of some bits is set.

    Parameters
    ----------
    pixmask : ndarray of int
        Bit masks.
    bits : iterable of int
        Bit numbers, 0 the lowest.

    Returns
    -------
    ndarray of bool
        True where one of the bits is set.
    """
    value = sum(1 << int(bit) for bit in set(bits))
    if pixmask.dtype.kind not in "iu" or value > np.iinfo(pixmask.dtype).max:
        pixmask = pixmask.astype(np.int64, copy=False)
    return (pixmask & value) != 0


def sigma_from_ivar(ivar: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return standard deviations from inverse variances.

    Parameters
    ----------
    ivar : ndarray, shape (n_pixels,)
        Inverse variances; not finite or not positive where there are no data.

    Returns
    -------
    sigma : ndarray of float32, shape (n_pixels,)
        Standard deviations, NaN where there are no data.
    mask : ndarray of bool, shape (n_pixels,)
        True where there are no data.
    """
    measured = np.isfinite(ivar) & (ivar > 0)
    sigma = np.full(ivar.shape, np.nan, dtype=np.float32)
    sigma[measured] = 1 / np.sqrt(ivar[measured])
    return sigma, ~measured


def _refuse(observation: Observation, reason: str) -> NoReturn:
    where = observation.source or observation.obs_id or "the spectrum"
    msg = f"{where}: {reason}"
    raise SpectrumReadError(msg)


def _pick(arrays: _Arrays, pixels: np.ndarray | slice) -> _Arrays:
    wavelength, flux, sigma, mask = arrays
    sigma = None if sigma is None else sigma[pixels]
    return wavelength[pixels], flux[pixels], sigma, mask[pixels]


def _order(arrays: _Arrays, observation: Observation) -> tuple[_Arrays, Observation]:
    """Make wavelengths finite and strictly increasing where only one way exists."""
    wavelength = arrays[0]
    increasing = (wavelength[1:] > wavelength[:-1]).all()
    if increasing and wavelength[0] > 0 and np.isfinite(wavelength[-1]):
        return arrays, observation  # the usual case
    keep = np.isfinite(wavelength) & (wavelength != 0)  # zero is what pads
    if not keep.all():
        lost = int((~keep).sum())
        if lost == len(keep):
            _refuse(observation, "no wavelength is finite")
        observation = observation.remarked(
            f"{lost} pixel{'s' if lost > 1 else ''} had no wavelength"
        )
        arrays = _pick(arrays, keep)
        wavelength = arrays[0]
    if wavelength[0] > wavelength[-1]:
        arrays = _pick(arrays, slice(None, None, -1))
        wavelength = arrays[0]
    if wavelength[0] <= 0:
        _refuse(observation, f"wavelengths must be positive, not {wavelength[0]}")
    step = np.diff(wavelength)
    if step.size and step.min() <= 0:
        at = int(np.argmax(step <= 0))
        kind = "repeats" if step[at] == 0 else "turns back"
        _refuse(
            observation,
            f"the wavelength {kind} at pixel {at + 1} ({wavelength[at + 1]} Angstrom)",
        )
    return arrays, observation


def finish_arrays(
    wavelength: np.ndarray,
    flux: np.ndarray,
    *,
    observation: Observation,
    sigma: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    flux_unit: u.UnitBase = u.dimensionless_unscaled,
    estimate: bool = False,
    meta: dict[str, Any] | None = None,
) -> SpectrumArrays:
    """Check one spectrum, mask what cannot be used, set its flags.

    Non-finite flux, zeros that are no data (`find_zeros`) and useless uncertainties
    (not finite, not positive) are masked; blocks of absurd or frozen flux as well,
    with ``CORRUPT_FLUX``. Descending wavelengths are turned round, pixels without a
    wavelength are dropped. What is finished does not change when it is finished again.

    Parameters
    ----------
    wavelength : ndarray, shape (n_pixels,)
        Ångström.
    flux : ndarray, shape (n_pixels,)
        Flux density.
    observation : Observation
        What is known; flags are added to it.
    sigma : ndarray, shape (n_pixels,), optional
        One standard deviation; all unusable counts as none.
    mask : ndarray of bool, shape (n_pixels,), optional
        True for bad pixels.
    flux_unit : `~astropy.units.Unit`, optional
        Unit of the flux.
    estimate : bool, optional
        Estimate the noise from the flux if there is no usable uncertainty.
    meta : dict, optional
        Header and other extras.

    Returns
    -------
    SpectrumArrays
        The spectrum.

    Raises
    ------
    SpectrumReadError
        If wavelengths repeat, turn back, or are nowhere finite.
    """
    wavelength = np.asarray(wavelength, dtype=np.float64)
    flux = np.asarray(flux)
    if wavelength.ndim != 1 or wavelength.shape != flux.shape or not flux.size:
        _refuse(
            observation,
            f"needs one flux per wavelength, has {flux.shape} and {wavelength.shape}",
        )
    mask = np.zeros(flux.shape, bool) if mask is None else np.asarray(mask, bool)
    arrays, observation = _order((wavelength, flux, sigma, mask), observation)
    wavelength, flux, sigma, mask = arrays
    finite = np.isfinite(flux)
    mask = mask | ~finite | find_zeros(flux)
    if sigma is not None:
        with np.errstate(invalid="ignore"):
            valid = np.isfinite(sigma) & (sigma > 0)
        sigma = sigma if valid.any() else None
        mask = mask | ~valid if sigma is not None else mask
    mask, observation = mask_corrupt(flux, finite, mask, observation)
    if sigma is None and estimate:
        sigma, mask, observation = _take_estimate(flux, mask, observation)
    return SpectrumArrays(
        wavelength=wavelength,
        flux=flux,
        sigma=sigma,
        mask=mask,
        flux_unit=flux_unit,
        observation=_describe(observation, flux, sigma, mask),
        meta={} if meta is None else meta,
    )


def _take_estimate(
    flux: np.ndarray, mask: np.ndarray, observation: Observation
) -> tuple[np.ndarray | None, np.ndarray, Observation]:
    """Estimate the noise where a file has no errors; None if that cannot be done."""
    sigma = estimate_noise(flux, mask=mask)
    if not np.isfinite(sigma).any():
        return None, mask, observation
    observation = replace(observation, noise="estimated")
    observation = observation.flagged(QualityFlag.NOISE_ESTIMATED)
    return sigma, mask | ~(sigma > 0), observation


def _describe(
    observation: Observation,
    flux: np.ndarray,
    sigma: np.ndarray | None,
    mask: np.ndarray,
) -> Observation:
    """Set what follows from the pixels: noise, signal-to-noise, signal at all."""
    valid = ~mask
    said = observation.flags & int(QualityFlag.NO_SIGNAL)  # as a flag, 10 times slower
    if not said and not ((flux > 0) & valid).any():
        reason = "no pixel with finite, positive, unmasked flux"
        observation = observation.flagged(QualityFlag.NO_SIGNAL, reason)
    if sigma is None:
        return replace(observation, noise="none").flagged(QualityFlag.NO_UNCERTAINTY)
    if observation.noise not in ("estimated", "file"):
        observation = replace(observation, noise="file")
    if np.isnan(observation.snr) and valid.any():
        ratio = np.median(flux[valid] / sigma[valid])
        observation = replace(observation, snr=float(max(ratio, 0.0)))
    return observation
