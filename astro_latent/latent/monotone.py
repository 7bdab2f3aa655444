# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Where a latent can be read as a label: monotone range, folds and saturation.

The velocity node of Sedaghat et al. (2021) falls from -25 to +45 km/s and then folds
back to zero; their temperature node saturates above 10,000 K. A calibration that does
not know these limits returns wrong numbers without a sign of trouble.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from ..utils.physics import SIGMA_PER_MAD
from ..utils.short_repr import short_repr
from .samples import as_floats

__all__ = ["MonotoneRange", "find_monotone_range"]

#: A median moves if it changes by this many standard errors.
_CLEAR = 4.0

#: ... and by this fraction of the full swing of the medians.
_VISIBLE = 0.08

#: A latent follows a label if it swings by this many times what counts as a move.
_FOLLOWS = 1.3

#: The outer part of a range, holding this fraction of the swing ...
_OUTER_SWING = 0.05

#: ... is saturated if it takes more than this fraction of the label's range.
_OUTER_RANGE = 0.25


@dataclass(frozen=True, kw_only=True, repr=False)
class MonotoneRange:
    """Range of a label over which a latent is monotone.

    Parameters
    ----------
    low, high : float
        Limits in the unit of the label; NaN if the latent does not follow it.
    direction : int
        +1 if the latent rises with the label, -1 if it falls, 0 if it does neither.
    spearman : float
        Rank correlation within the range.
    n_used, n_inside : int
        Spectra with latent and label, and those within the range.
    folds_below, folds_above : bool
        The latent turns back outside the range: one value stands for two labels.
    saturates_below, saturates_above : bool
        The latent hardly changes outside the range.
    centre, median, error : ndarray, shape (n_bins,)
        Median label and latent of each bin, and the standard error of the latter.
    """

    low: float
    high: float
    direction: int
    spearman: float
    n_used: int
    n_inside: int
    folds_below: bool
    folds_above: bool
    saturates_below: bool
    saturates_above: bool
    centre: np.ndarray
    median: np.ndarray
    error: np.ndarray

    __repr__ = short_repr

    @property
    def messages(self) -> tuple[str, ...]:
        """What to beware of, one sentence each; empty if nothing."""
        if self.direction == 0:
            return ("the node does not follow the label",)
        said = (
            (self.folds_below, f"the node folds back below {self.low:.4g}"),
            (self.folds_above, f"the node folds back above {self.high:.4g}"),
            (self.saturates_below, f"the node saturates below {self.low:.4g}"),
            (self.saturates_above, f"the node saturates above {self.high:.4g}"),
        )
        return tuple(text for holds, text in said if holds)

    def contains(self, label: np.ndarray) -> np.ndarray:
        """Tell which labels lie within the range.

        Parameters
        ----------
        label : array_like
            Labels.

        Returns
        -------
        ndarray of bool
            False also for NaN.
        """
        label = as_floats(label)
        return (label >= self.low) & (label <= self.high)


def find_monotone_range(
    node: np.ndarray, label: np.ndarray, *, n_bins: int | None = None
) -> MonotoneRange:
    """Find the range of a label over which a latent rises or falls throughout.

    Parameters
    ----------
    node, label : array_like, shape (n_spectra,)
        Values of one latent and of one label; pairs with NaN are left out.
    n_bins : int, optional
        Bins with equal numbers of spectra; by default one per 40, from 8 to 40. Limits
        are good to about one bin.

    Returns
    -------
    MonotoneRange
        The range with the largest swing of the latent, and what happens beyond it.

    Raises
    ------
    ValueError
        If shapes differ or there are fewer than five spectra per bin.

    Notes
    -----
    The latent's median in bins of the label may turn back by 4 standard errors, or by
    8 % of its full swing if that is more, before a range ends. An end of the range that
    takes over a quarter of its width for the last 5 % of the swing is cut as saturated.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.latent import find_monotone_range
    >>> velocity = np.linspace(-100, 100, 2000)
    >>> node = velocity * np.exp(-(velocity / 60) ** 2 / 2)  # turns at +-60
    >>> found = find_monotone_range(node, velocity)
    >>> abs(found.low + 60) < 6, abs(found.high - 60) < 6, found.folds_above
    (True, True, True)
    """
    node, label = as_floats(node), as_floats(label)
    if node.shape != label.shape or node.ndim != 1:
        msg = f"node has shape {node.shape} and label {label.shape}"
        raise ValueError(msg)
    known = np.isfinite(node) & np.isfinite(label)
    node, label = node[known], label[known]
    if n_bins is None:
        n_bins = int(np.clip(len(node) // 40, 8, 40))
    if len(node) < 5 * n_bins:
        msg = f"{len(node)} spectra are too few for {n_bins} bins of five"
        raise ValueError(msg)
    centre, median, error = _binned_medians(node, label, n_bins)
    noise = _CLEAR * np.sqrt(2) * np.median(error)
    found = _best_run(median, max(noise, _VISIBLE * np.ptp(median)))
    found |= _limits(found, centre, median, error=float(np.median(error)), label=label)
    inside = (label >= found["low"]) & (label <= found["high"])
    spearman = spearmanr(node[inside], label[inside])[0] if inside.any() else np.nan
    del found["first"], found["last"]
    return MonotoneRange(
        spearman=float(spearman),
        n_used=len(node),
        n_inside=int(inside.sum()),
        centre=centre,
        median=median,
        error=error,
        **found,
    )


def _binned_medians(
    node: np.ndarray, label: np.ndarray, n_bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return medians of label and latent, and the latter's error, in each bin."""
    parts = np.array_split(np.argsort(label, kind="stable"), n_bins)
    centre = np.array([np.median(label[part]) for part in parts])
    median = np.array([np.median(node[part]) for part in parts])
    spread = [
        SIGMA_PER_MAD * np.median(np.abs(node[part] - np.median(node[part])))
        for part in parts
    ]
    counts = np.array([len(part) for part in parts])
    return centre, median, 1.2533 * np.array(spread) / np.sqrt(counts)


def _best_run(median: np.ndarray, tolerance: float) -> dict[str, Any]:
    """Find the bins between which the medians swing most without turning back."""
    best = (0.0, 0, 0, 0)
    for direction in (1, -1):
        rising = direction * median
        for first in range(len(rising)):
            highest = rising[first]
            for last in range(first + 1, len(rising)):
                if highest - rising[last] > tolerance:
                    break
                highest = max(highest, rising[last])
                best = max(best, (rising[last] - rising[first], first, last, direction))
    swing, first, last, direction = best
    if swing <= _FOLLOWS * tolerance:
        return {"first": 0, "last": 0, "direction": 0} | dict.fromkeys(
            ("folds_below", "folds_above"), False
        )
    rising = direction * median
    below = rising[: first + 1].max() - rising[first] > tolerance
    above = rising[last] - rising[last:].min() > tolerance
    return {
        # where nothing turns back, noise alone ended the run
        "first": first if below else 0,
        "last": last if above else len(median) - 1,
        "direction": direction,
        "folds_below": bool(below),
        "folds_above": bool(above),
    }


def _limits(
    run: dict[str, Any],
    centre: np.ndarray,
    median: np.ndarray,
    *,
    error: float,
    label: np.ndarray,
) -> dict[str, Any]:
    """Turn a run of bins into limits of the label, cut where the latent saturates."""
    saturation = dict.fromkeys(("saturates_below", "saturates_above"), False)
    if run["direction"] == 0:
        return {"low": np.nan, "high": np.nan} | saturation
    bins = slice(run["first"], run["last"] + 1)
    inside, rising = centre[bins], run["direction"] * median[bins]
    low = inside[0] if run["folds_below"] else label.min()
    high = inside[-1] if run["folds_above"] else label.max()
    outer = max(_OUTER_SWING * np.ptp(rising), error)
    reached = inside[np.argmax(rising >= rising.max() - outer)]
    left = inside[::-1][np.argmax(rising[::-1] <= rising.min() + outer)]
    if inside[-1] - reached > _OUTER_RANGE * np.ptp(inside):
        high, saturation["saturates_above"] = reached, True
    if left - inside[0] > _OUTER_RANGE * np.ptp(inside):
        low, saturation["saturates_below"] = left, True
    return {"low": float(low), "high": float(high)} | saturation
