# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Division by the median, limits on the flux, and pixels that never count."""

import numpy as np

from .grid import SpectralGrid
from .recipe import Step
from .row import Batch

__all__ = ["clip", "divide_by_median", "mask_pixels"]


def divide_by_median(batch: Batch, step: Step) -> None:
    """Divide by the median of the good pixels; recipe step ``divide_by_median``.

    ``per`` is ``"all"`` or ``"segment"``. With ``count_padding`` every pixel that is
    not good counts as a zero, the padding included, as in the code published with
    Sedaghat et al. (2021). A median of at most ``minimum`` is no signal.
    """
    for i, row in enumerate(batch.rows):
        if not row.usable:
            continue
        parts = _parts(batch.grid, per=step["per"])
        for pixels, segments in parts:
            valid, flux = batch.valid[i, pixels], batch.flux[i, pixels]
            chosen = (
                np.where(valid, flux, 0.0) if step["count_padding"] else flux[valid]
            )
            median = float(np.median(chosen)) if valid.any() else 0.0
            if median > step["minimum"]:
                batch.divide(i, pixels, median)
                batch.scale[i, segments] *= median
            else:
                limit = step["minimum"]
                text = f"median flux {median:.4g} is not above {limit:.4g}"
                batch.drop(i, pixels, text)


def _parts(grid: SpectralGrid, *, per: str) -> list[tuple[slice, slice]]:
    """Pixels that share a median, and the segments which they make up."""
    if per == "all":
        return [(slice(None), slice(None))]
    return [
        (slice(first, last), slice(k, k + 1))
        for k, (first, last) in enumerate(grid.segments)
    ]


def clip(batch: Batch, step: Step) -> None:
    """Limit the flux; recipe step ``clip``.

    Pixels below ``lower`` or above ``upper`` are set to the limit (``action`` is
    ``"clip"``) or no longer used (``"mask"``).
    """
    lower = -np.inf if step["lower"] is None else step["lower"]
    upper = np.inf if step["upper"] is None else step["upper"]
    if lower > upper:
        msg = f"lower ({lower}) is above upper ({upper})"
        raise ValueError(msg)
    if step["action"] == "mask":
        batch.valid &= (batch.flux >= lower) & (batch.flux <= upper)
    else:
        np.clip(batch.flux, lower, upper, out=batch.flux)


def mask_pixels(batch: Batch, step: Step) -> None:
    """Leave out ranges of the grid's pixels; recipe step ``mask_pixels``.

    ``ranges`` are half-open pairs, for pixels that a model must not see because its
    training spectra are at fault there.
    """
    for first, last in step["ranges"]:
        if not 0 <= first < last <= batch.grid.n_pixels:
            msg = f"range {first}..{last} is not within 0..{batch.grid.n_pixels}"
            raise ValueError(msg)
        batch.valid[:, first:last] = False
