# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The last station of each reader: order, finiteness, absurd or copied values, flags.

What can be repaired in only one way is repaired and said; what cannot is refused.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
from astropy import units as u

from ..exceptions import SpectrumReadError
from ..utils.quality import QualityFlag
from .noise import estimate_noise
from .observation import Observation, SpectrumArrays

__all__ = [
    "find_frozen",
    "find_repeated",
    "find_zeros",
    "finish_arrays",
    "mask_from_bits",
    "sigma_from_ivar",
]

_ABSURD = 1e6  # times the typical flux: no star, no cosmic ray does that
_BESIDE_ABSURD = 50.0  # what else is garbage once a spectrum is known to hold some
_MARGIN = 16  # pixels masked on either side of garbage
_SAMPLE = 4_000  # pixels from which the typical flux is taken
_SHARE = 0.03  # of the pixels may be equal to their neighbours
_FEWEST = 20  # equal pixels that are looked at
_ANCHORS = 4096  # pixels whose equals are looked for
_SPARSE = 5  # bits by which the table in which they are looked up is larger than that
_MIXER = np.uint32(0x9E3779B1)  # multiplicative hash, Knuth
_COPIED = 32  # equal pixels in a row that make a repeated block
_PAIRS = 8  # anchors that have their equal at the same distance
_PADDING = 3  # zeros in a row that no counting gives

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
    return (pixmask.astype(np.int64, copy=False) & value) != 0


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


def find_zeros(flux: np.ndarray) -> np.ndarray:
    """Find exact zeros, which pad spectra and stand for lost pixels.

    Among fractions none is measured. Among whole numbers, such as counts, single ones
    are, but no three in a row.

    Parameters
    ----------
    flux : ndarray, shape (n_pixels,)
        Flux.

    Returns
    -------
    ndarray of bool, shape (n_pixels,)
        True for zeros that are no data.
    """
    zero = flux == 0
    if not zero.any() or not _is_whole(flux, np.isfinite(flux)):
        return zero
    edges = np.flatnonzero(np.diff(np.concatenate(([False], zero, [False]))))
    starts, stops = edges[::2], edges[1::2]
    for start, stop in zip(starts, stops, strict=True):
        zero[start:stop] = stop - start >= _PADDING
    return zero


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
    increasing = np.all(wavelength[1:] > wavelength[:-1])
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


def _find_absurd(flux: np.ndarray, valid: np.ndarray) -> np.ndarray | None:
    """Return the pixels that are garbage, or None if none is (the usual case)."""
    stride, size = max(1, flux.size // _SAMPLE), np.abs(flux)
    sample = size[::stride][valid[::stride]]
    least = 2.0 * float(size.max()) / _ABSURD  # NaN where there is one
    if 2 * np.count_nonzero(sample > least) > sample.size:
        return None  # the typical flux is larger, and no pixel far above it
    scale = np.median(sample) if sample.size else 0.0
    if not scale > 0:
        return None
    with np.errstate(invalid="ignore"):
        mask = valid & (size > _ABSURD * scale)
        if not mask.any():
            return None
        mask |= valid & (size > _BESIDE_ABSURD * scale)
    window = np.ones(2 * _MARGIN + 1)
    return np.convolve(mask, window, mode="same") > 0.5


def find_frozen(flux: np.ndarray, valid: np.ndarray) -> np.ndarray | None:
    """Find pixels that repeat their neighbours.

    Integers may, and a continuum of exactly one; a spectrum that is constant
    throughout has nothing that it could contradict.

    Parameters
    ----------
    flux : ndarray, shape (n_pixels,)
        Flux.
    valid : ndarray of bool, shape (n_pixels,)
        Which pixels count.

    Returns
    -------
    ndarray of bool, or None
        True for those pixels; None if they are few.
    """
    same = (flux[1:] == flux[:-1]) & valid[1:] & valid[:-1]
    count, total = np.count_nonzero(same), np.count_nonzero(valid)
    if count < max(_SHARE * total, _FEWEST) or count >= total - 1:
        return None
    same &= (flux[1:] != 0) & (flux[1:] != 1)
    if _is_whole(flux, valid) or np.count_nonzero(same) < _SHARE * total:
        return None
    mask = np.zeros(flux.shape, dtype=bool)
    mask[1:] |= same
    mask[:-1] |= same
    return mask


def _is_whole(flux: np.ndarray, valid: np.ndarray) -> bool:
    """Tell whether all values are whole numbers, which coincide by chance."""
    with np.errstate(invalid="ignore"):  # signalling NaNs, where not valid
        return not np.any((np.rint(flux) != flux) & valid)


def find_repeated(flux: np.ndarray, valid: np.ndarray) -> np.ndarray | None:
    """Find blocks of pixels that are exact copies of others.

    Parameters
    ----------
    flux : ndarray of float, shape (n_pixels,)
        Flux.
    valid : ndarray of bool, shape (n_pixels,)
        Which pixels count.

    Returns
    -------
    ndarray of bool, or None
        True for both copies; None if there are none.
    """
    distance = _find_distance(flux, valid)
    if not distance:
        return None
    same = (flux[distance:] == flux[:-distance]) & valid[distance:] & valid[:-distance]
    ends = np.flatnonzero(np.diff(np.concatenate(([False], same, [False]))))
    mask = np.zeros(flux.shape, dtype=bool)
    for first, last in zip(ends[::2], ends[1::2], strict=True):
        if last - first >= _COPIED:
            mask[first:last] = mask[first + distance : last + distance] = True
    return mask if mask.any() and not _is_whole(flux, valid) else None


def _find_distance(flux: np.ndarray, valid: np.ndarray) -> int:
    """Return the distance at which most of some pixels have their equal, or 0."""
    if flux.dtype.kind != "f":
        return 0
    with np.errstate(over="ignore"):
        bits = np.ascontiguousarray(flux, dtype=np.float32).view(np.uint32)
    usable = valid & (flux != 0) & (flux != 1)
    anchors = np.arange(0, len(flux), max(8, len(flux) // _ANCHORS))
    size = len(anchors).bit_length() + _SPARSE
    places = (bits * _MIXER) >> np.uint32(32 - size)
    table = np.zeros(1 << size, dtype=bool)
    table[places[anchors[usable[anchors]]]] = True
    found = np.flatnonzero(table.take(places) & usable)
    # value above, pixel below: in one sort, equal values stand next to each other
    keys = bits[found].astype(np.int64) << 32 | found
    keys.sort()
    equal = np.diff(keys >> 32) == 0
    counts = np.bincount(np.diff(keys & 0xFFFFFFFF)[equal], minlength=2)
    counts[:2] = 0
    best = int(np.argmax(counts))
    return best if counts[best] >= _PAIRS else 0


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
    mask, observation = _mask_corrupt(flux, finite, mask, observation)
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


def _mask_corrupt(
    flux: np.ndarray, finite: np.ndarray, mask: np.ndarray, observation: Observation
) -> tuple[np.ndarray, Observation]:
    """Mask what no instrument measures, until nothing of it is left, and say so."""
    while True:
        before = mask
        for find, what in (
            (_find_absurd, "of absurd flux"),
            (find_frozen, "that repeat their neighbours"),
            (find_repeated, "that repeat others"),
        ):
            found = find(flux, finite & ~mask)
            if found is not None:
                mask = mask | found
                count = int(found.sum())
                text = f"{count} pixel{'s' if count > 1 else ''} {what} masked"
                observation = observation.flagged(QualityFlag.CORRUPT_FLUX, text)
        if mask is before:  # no finder saw anything
            return mask, observation


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
    said = observation.flags & QualityFlag.NO_SIGNAL
    if not said and not ((flux > 0) & valid).any():
        reason = "no pixel with finite, positive, unmasked flux"
        observation = observation.flagged(QualityFlag.NO_SIGNAL, reason)
    if sigma is None:
        return replace(observation, noise="none").flagged(QualityFlag.NO_UNCERTAINTY)
    if observation.noise != "estimated":
        observation = replace(observation, noise="file")
    if np.isnan(observation.snr) and valid.any():
        ratio = np.median(flux[valid] / sigma[valid])
        observation = replace(observation, snr=float(max(ratio, 0.0)))
    return observation
