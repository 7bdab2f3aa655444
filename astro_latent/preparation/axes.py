# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""One wavelength axis for spectra that each have their own."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..exceptions import GridMismatchError

__all__ = ["common_axis"]

_EVEN = 1e-3  # largest departure from even spacing, in pixels
_GAP = 3.0  # steps, in units of the median, from which on pixels are missing
_STEP_RATIO = 2.0  # of the widths of pixels that still are of one kind
_OVERLAP = 0.5  # share of the usual range that each spectrum has to cover


def common_axis(axes: Sequence[np.ndarray]) -> dict[str, Any]:
    """Find the axis of a grid for spectra.

    Parameters
    ----------
    axes : sequence of ndarray, shape (n_pixels,)
        Wavelengths, Ångström, increasing.

    Returns
    -------
    dict
        ``spacing``, ``start``, ``step``, ``values``, ``n_pixels`` and ``segments`` of a
        `SpectralGrid`.

    Raises
    ------
    GridMismatchError
        If the spectra are of different kinds: their pixels differ in width by more
        than a factor of two, or they cover different wavelengths.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.preparation.axes import common_axis
    >>> axis = common_axis([np.linspace(4000.0, 5000.0, 101)])
    >>> axis["spacing"], axis["start"], axis["step"], axis["segments"]
    ('linear', 4000.0, 10.0, ((0, 101),))
    """
    different = {axis.tobytes(): axis for axis in axes if len(axis) > 1}
    if not different:
        msg = "no spectrum has pixels that a grid could be made of"
        raise GridMismatchError(msg)
    found = list(different.values())
    if len(found) > 1:
        _check_alike([axis for axis in axes if len(axis) > 1])
    reference = found[0] if len(found) == 1 else _average(found)
    return _describe(reference)


def _check_alike(axes: Sequence[np.ndarray]) -> None:
    """Refuse spectra of two kinds, and say what these are."""
    ends = np.array([[axis[0], axis[-1]] for axis in axes])
    steps = np.array([np.median(np.diff(np.log(axis))) for axis in axes])
    low, high = np.median(ends, axis=0)
    shared = np.minimum(ends[:, 1], high) - np.maximum(ends[:, 0], low)
    wide = steps / np.median(steps)
    other = (
        (shared < _OVERLAP * (high - low))
        | (wide > _STEP_RATIO)
        | (wide < 1.0 / _STEP_RATIO)
    )
    if not other.any():
        return
    at = int(np.flatnonzero(other)[0])
    first, last = ends[at]
    msg = (
        f"spectra on two grids: most of {len(axes)} cover {low:.1f} to {high:.1f} "
        f"Angstrom in pixels of {np.median(steps):.2g} of the wavelength, "
        f"{np.count_nonzero(other)} do not, such as number {at} with {first:.1f} to "
        f"{last:.1f} and {steps[at]:.2g}; train on one kind, or say which grid"
    )
    raise GridMismatchError(msg)


def _average(axes: Sequence[np.ndarray]) -> np.ndarray:
    """Return an even axis over the usual range, with pixels as wide as the median."""
    low, high = np.median([[axis[0], axis[-1]] for axis in axes], axis=0)
    scatter = [
        np.median([np.std(step) / np.mean(step) for step in map(np.diff, each)])
        for each in (axes, [np.log(axis) for axis in axes])
    ]
    if scatter[1] <= scatter[0]:
        step = np.median([np.median(np.diff(np.log10(axis))) for axis in axes])
        count = int(np.log10(high / low) / step) + 1
        return 10.0 ** (np.log10(low) + step * np.arange(count))
    step = np.median([np.median(np.diff(axis)) for axis in axes])
    return low + step * np.arange(int((high - low) / step) + 1)


def _describe(axis: np.ndarray) -> dict[str, Any]:
    """Say in the fewest words where the pixels of an axis lie."""
    n_pixels = len(axis)
    described: dict[str, Any] = {"n_pixels": n_pixels, "segments": _segments(axis)}
    for spacing, values in (("linear", axis), ("log10", np.log10(axis))):
        step = (values[-1] - values[0]) / (n_pixels - 1)
        even = values[0] + step * np.arange(n_pixels)
        if np.abs(values - even).max() <= _EVEN * step:
            return described | {
                "spacing": spacing, "start": float(values[0]), "step": float(step),
            }  # fmt: skip
    return described | {"spacing": "listed", "values": tuple(axis.tolist())}


def _segments(axis: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Pixel ranges between gaps."""
    step = np.diff(np.log(axis))
    breaks = np.flatnonzero(step > _GAP * np.median(step)) + 1
    edges = [0, *breaks.tolist(), len(axis)]
    return tuple((first, last) for first, last in pairwise(edges) if last - first > 1)
