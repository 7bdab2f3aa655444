# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Flux that no instrument measures: zeros that pad, absurd, frozen and copied values.

Most spectra hold nothing of the kind: what tells so soonest is looked at first.
"""

import numpy as np

from ..utils.quality import QualityFlag
from .observation import Observation

__all__ = ["find_zeros", "mask_corrupt"]

_ABSURD = 1e6  # times the typical flux: no star, no cosmic ray does that
_BESIDE_ABSURD = 50.0  # what else is garbage once a spectrum is known to hold some
_MARGIN = 16  # pixels masked on either side of garbage
_SAMPLE = 4_000  # pixels from which the typical flux is taken
_SHARE = 0.03  # of the pixels may be equal to their neighbours
_FEWEST = 20  # equal pixels that are looked at
_FEW = 64  # pixels from one that is looked at first to the next
_ANCHORS = 4096  # pixels whose equals are looked for
_SPARSE = 5  # bits by which the table in which they are looked up is larger than that
_MIXER = np.uint32(0x9E3779B1)  # multiplicative hash, Knuth
_COPIED = 32  # equal pixels in a row that make a repeated block
_PAIRS = 8  # anchors that have their equal at the same distance
_PADDING = 3  # zeros in a row that no counting gives


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


def mask_corrupt(
    flux: np.ndarray, finite: np.ndarray, mask: np.ndarray, observation: Observation
) -> tuple[np.ndarray, Observation]:
    """Mask what no instrument measures, until nothing of it is left, and say so.

    Parameters
    ----------
    flux : ndarray, shape (n_pixels,)
        Flux.
    finite, mask : ndarray of bool, shape (n_pixels,)
        Where it is finite; where it is not used.
    observation : Observation
        Gets the flag ``CORRUPT_FLUX``.

    Returns
    -------
    mask : ndarray of bool, shape (n_pixels,)
        With what was found.
    observation : Observation
        The same, or the flagged one.
    """
    while True:
        before, valid = mask, finite & ~mask
        for find, what in (
            (_find_absurd, "of absurd flux"),
            (_find_frozen, "that repeat their neighbours"),
            (_find_repeated, "that repeat others"),
        ):
            found = find(flux, valid)
            if found is not None:
                mask, valid = mask | found, valid & ~found
                count = int(found.sum())
                text = f"{count} pixel{'s' if count > 1 else ''} {what} masked"
                observation = observation.flagged(QualityFlag.CORRUPT_FLUX, text)
        if mask is before:  # no finder saw anything
            return mask, observation


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


def _find_frozen(flux: np.ndarray, valid: np.ndarray) -> np.ndarray | None:
    """Find pixels that repeat their neighbours, or return None if they are few.

    Integers may, and a continuum of exactly one; a spectrum that is constant
    throughout has nothing that it could contradict.
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
    for part in (np.s_[::_FEW], np.s_[:]):  # some pixels show it in the usual case
        values = flux[part]
        with np.errstate(invalid="ignore"):  # signalling NaNs, where not valid
            if ((np.rint(values) != values) & valid[part]).any():
                return False
    return True


def _find_repeated(flux: np.ndarray, valid: np.ndarray) -> np.ndarray | None:
    """Find blocks of pixels that are exact copies, both of them, or return None."""
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
    anchors = np.s_[:: max(8, len(flux) // _ANCHORS)]
    size = len(flux[anchors]).bit_length() + _SPARSE
    places = (bits * _MIXER) >> np.uint32(32 - size)
    table = np.zeros(1 << size, dtype=bool)
    table[places[anchors][usable[anchors]]] = True
    found = np.flatnonzero(table.take(places) & usable)
    values = np.sort(bits[found])
    if np.count_nonzero(values[1:] == values[:-1]) < _PAIRS:
        return 0  # the usual case, by a quicker sort
    # value above, pixel below: in one sort, equal values stand next to each other
    keys = bits[found].astype(np.int64) << 32 | found
    keys.sort()
    equal = np.diff(keys >> 32) == 0
    counts = np.bincount(np.diff(keys & 0xFFFFFFFF)[equal], minlength=2)
    counts[:2] = 0
    best = int(np.argmax(counts))
    return best if counts[best] >= _PAIRS else 0
