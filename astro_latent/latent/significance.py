# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""From permutations to p-values, and from many of these to false discoveries."""

import numpy as np
from scipy.stats import false_discovery_control, pearson3, skew

__all__ = ["false_discoveries", "p_tail", "p_value"]


def p_value(observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return the share of null values at or above; the observed one counts too."""
    # Counts of the same histogram summed in another order differ in the last digits.
    reached = null >= observed - 1e-12
    return (1 + reached.sum(axis=0)) / (1 + len(null))


def p_tail(observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return the tail of a gamma distribution with the moments of the null."""
    scale = null.std(axis=0, ddof=1) if len(null) > 1 else np.zeros(null.shape[1])
    varies = scale > 1e-12  # a node that is constant has no tail
    tail = np.ones(len(observed))
    # Information has a tail towards large values; a negative skewness is noise.
    skewness = np.maximum(skew(null[:, varies], axis=0), 0.0)
    tail[varies] = pearson3.sf(
        observed[varies],
        skewness,
        loc=null[:, varies].mean(axis=0),
        scale=scale[varies],
    )
    return tail


def false_discoveries(p_value: np.ndarray) -> np.ndarray:
    """Adjust p-values over nodes and labels, each binning by itself."""
    q_value = np.full(p_value.shape, np.nan)
    for i in range(p_value.shape[1]):
        known = np.isfinite(p_value[:, i])
        if known.any():
            q_value[:, i][known] = false_discovery_control(p_value[:, i][known])
    return q_value
