# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Pixels that are exactly equal to others, which no instrument measures twice."""

import numpy as np

__all__ = ["find_frozen", "find_repeated"]

_SHARE = 0.03  # of the pixels may be equal to their neighbours
_FEWEST = 20  # equal pixels that are looked at
_ANCHORS = 4096  # pixels whose equals are looked for
_BITS = 18  # of the table in which they are looked up
_MIXER = np.uint32(0x9E3779B1)  # multiplicative hash, Knuth
_BLOCK = 32  # equal pixels in a row that make a repeated block
_PAIRS = 8  # anchors that have their equal at the same distance


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
    return bool(np.all(flux[valid] == np.round(flux[valid])))


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
        if last - first >= _BLOCK:
            mask[first:last] = mask[first + distance : last + distance] = True
    return mask if mask.any() and not _is_whole(flux, valid) else None


def _find_distance(flux: np.ndarray, valid: np.ndarray) -> int:
    """Return the distance at which most of some pixels have their equal, or 0."""
    if flux.dtype.kind != "f":
        return 0
    with np.errstate(over="ignore"):
        bits = np.ascontiguousarray(flux, dtype=np.float32).view(np.uint32)
    places = (bits * _MIXER) >> np.uint32(32 - _BITS)
    usable = valid & (flux != 0) & (flux != 1)
    anchors = np.arange(0, len(flux), max(8, len(flux) // _ANCHORS))
    table = np.zeros(1 << _BITS, dtype=bool)
    table[places[anchors[usable[anchors]]]] = True
    found = np.flatnonzero(table[places] & usable)
    order = np.argsort(bits[found], kind="stable")
    ordered = found[order]
    equal = bits[ordered][1:] == bits[ordered][:-1]
    distances, counts = np.unique(np.diff(ordered)[equal], return_counts=True)
    counts[distances <= 1] = 0
    best = int(np.argmax(counts)) if counts.size else 0
    return int(distances[best]) if counts.size and counts[best] >= _PAIRS else 0
