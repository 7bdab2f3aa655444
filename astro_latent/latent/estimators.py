# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Estimators of the mutual information of two continuous quantities, and its chance.

The histogram estimator is that of Sedaghat et al. (2021); its bias grows with the
number of bins and is larger than most true values at 160 bins. Two corrections and an
estimator by nearest neighbours stand beside it; p-values come from permutations, and
from many of these false discoveries. Everything is in nats.
"""

from collections.abc import Iterator

import numpy as np
from scipy.stats import false_discovery_control, pearson3, skew
from sklearn.feature_selection import mutual_info_regression

__all__ = ["histogram_information", "neighbour_information", "permuted_information"]

#: Largest number of histogram cells that are filled at once: fits a processor cache.
_CELLS = 1 << 18


def histogram_information(
    x: np.ndarray, y: np.ndarray, *, n_bins: int, correction: str = "none"
) -> np.ndarray:
    """Mutual information from histograms of bins of equal width.

    Parameters
    ----------
    x : ndarray, shape (n_samples,) or (n_samples, n_latents)
        Latent values.
    y : ndarray, shape (n_samples,)
        Label values.
    n_bins : int
        Bins on each axis, from the smallest to the largest value.
    correction : {"none", "miller-madow"}, optional
        ``"none"`` is the published estimator. Miller & Madow subtract the bias of
        first order, from the numbers of occupied cells; the result can be negative.
        It undercorrects once most occupied cells hold a single sample.

    Returns
    -------
    ndarray, shape () or (n_latents,)
        Nats.

    Raises
    ------
    ValueError
        If the shapes disagree, a value is not finite or the correction is unknown.

    References
    ----------
    Sedaghat et al. 2021, MNRAS 501, 6026, section 6.2;
    Miller 1955, in Information Theory in Psychology, p. 95.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.latent import histogram_information
    >>> x = np.array([0.0, 0.0, 1.0, 1.0])
    >>> float(histogram_information(x, x, n_bins=2))  # one bit
    0.6931471805599453
    """
    x, y = _check(x, y)
    if correction not in ("none", "miller-madow"):
        msg = f"correction must be none or miller-madow, not {correction!r}"
        raise ValueError(msg)
    sample = _Binned(x.reshape(len(x), -1), y, n_bins)
    information = sample.information(np.arange(len(y)))
    if correction == "miller-madow":
        information = information - sample.first_order_bias()
    return information.reshape(x.shape[1:])


def permuted_information(
    x: np.ndarray,
    y: np.ndarray,
    *,
    n_bins: int,
    n_permutations: int,
    rng: np.random.Generator | int | None = None,
) -> np.ndarray:
    """Histogram information of latents with shuffled labels: what chance gives.

    Parameters
    ----------
    x : ndarray, shape (n_samples, n_latents)
        Latent values.
    y : ndarray, shape (n_samples,)
        Label values; all latents see the same shuffles.
    n_bins : int
        Bins on each axis.
    n_permutations : int
        Number of shuffles.
    rng : `numpy.random.Generator` or int, optional
        Source of randomness.

    Returns
    -------
    ndarray, shape (n_permutations, n_latents)
        Nats.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.latent import permuted_information
    >>> x = np.random.default_rng(0).normal(size=(500, 1))
    >>> null = permuted_information(x, x[:, 0], n_bins=10, n_permutations=50, rng=0)
    >>> 0.07 < float(null.mean()) < 0.10  # independent, yet not 0
    True
    """
    x, y = _check(x, y)
    rng = np.random.default_rng(rng)
    sample = _Binned(x.reshape(len(x), -1), y, n_bins)
    return np.array(
        [sample.information(rng.permutation(len(y))) for _ in range(n_permutations)]
    ).reshape(n_permutations, sample.n_latents)


def drawn_information(
    x: np.ndarray,
    y: np.ndarray,
    drawn: np.ndarray,
    *,
    n_bins: int,
    n_permutations: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Histogram information of drawn rows, and its null for the same draw.

    A row that was drawn twice keeps one label in every shuffle: repetitions, which
    look like information, are in the null as well.
    """
    sample = _Binned(x[drawn], y, n_bins)
    null = [
        sample.information(rng.permutation(len(y))[drawn])
        for _ in range(n_permutations)
    ]
    return sample.information(drawn), np.array(null)


def neighbour_information(
    x: np.ndarray,
    y: np.ndarray,
    *,
    n_neighbors: int = 3,
    rng: np.random.Generator | int | None = None,
) -> np.ndarray:
    """Mutual information by distances to nearest neighbours.

    Parameters
    ----------
    x : ndarray, shape (n_samples,) or (n_samples, n_latents)
        Latent values.
    y : ndarray, shape (n_samples,)
        Label values.
    n_neighbors : int, optional
        More neighbours lower the variance and raise the bias.
    rng : `numpy.random.Generator` or int, optional
        Breaks ties; changes results in the tenth digit of the data.

    Returns
    -------
    ndarray, shape () or (n_latents,)
        Nats, nearly unbiased; negative estimates are returned as 0.

    References
    ----------
    Kraskov, Stögbauer & Grassberger 2004, Phys. Rev. E 69, 066138, as implemented in
    `sklearn.feature_selection.mutual_info_regression`.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.latent import neighbour_information
    >>> x, noise = np.random.default_rng(0).normal(size=(2, 2000))
    >>> y = 0.9 * x + np.sqrt(1 - 0.81) * noise  # truth: 0.830
    >>> 0.75 < float(neighbour_information(x, y, rng=0)) < 0.91
    True
    """
    x, y = _check(x, y)
    seed = int(np.random.default_rng(rng).integers(2**31))
    information = mutual_info_regression(
        x.reshape(len(x), -1), y, n_neighbors=n_neighbors, random_state=seed
    )
    return information.reshape(x.shape[1:])


def _check(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.ndim not in (1, 2) or y.shape != x.shape[:1] or x.size == 0:
        msg = f"x has shape {x.shape} and y {y.shape}: need (n,) or (n, k) and (n,)"
        raise ValueError(msg)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        msg = "x and y must be finite: drop rows with NaN first"
        raise ValueError(msg)
    return x, y


def _bin_index(values: np.ndarray, n_bins: int) -> np.ndarray:
    """Return the bin of each value; the last bin holds the largest value."""
    low = values.min(axis=0)
    span = values.max(axis=0) - low
    span = np.where(span > 0, span, 1.0)  # a constant lies in bin 0
    index = ((values - low) / span * n_bins).astype(np.int64)
    return np.minimum(index, n_bins - 1)


class _Binned:
    """Binned latents and label, ready to be compared under many permutations.

    The entropies of the latents do not change when a label is shuffled. There may be
    fewer or more labels than rows of latents: each row names its label.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, n_bins: int) -> None:
        if n_bins < 2:
            msg = f"n_bins must be at least 2, not {n_bins}"
            raise ValueError(msg)
        self.n_bins = n_bins
        self.n_samples, self.n_latents = x.shape
        counts = np.arange(1, self.n_samples + 1)
        self._c_log_c = np.concatenate([[0.0], counts * np.log(counts)])
        self._x, self._y = _bin_index(x, n_bins), _bin_index(y, n_bins)
        self._chunk = max(1, _CELLS // n_bins**2)
        self._x_counts = np.array(
            [np.bincount(node, minlength=n_bins) for node in self._x.T]
        )
        # cell of the joint histogram, less the bin of the label
        within = np.arange(self.n_latents) % self._chunk
        self._cells = np.ascontiguousarray((self._x + within * n_bins).T * n_bins)
        self._x_entropy = self._c_log_c[self._x_counts].sum(axis=1)

    def _joint_counts(self, label: np.ndarray) -> Iterator[np.ndarray]:
        """Yield joint counts, shape (latents in this chunk, n_bins**2)."""
        for first in range(0, self.n_latents, self._chunk):
            cells = self._cells[first : first + self._chunk]
            counts = np.bincount(
                (cells + label).ravel(), minlength=len(cells) * self.n_bins**2
            )
            yield counts.reshape(len(cells), -1)

    def _sum_c_log_c(self, counts: np.ndarray) -> np.ndarray:
        """Sum over each row; cells that hold one sample or none add nothing."""
        several = np.flatnonzero(counts > 1)
        terms = self._c_log_c[counts.ravel()[several]]
        return np.bincount(several // counts.shape[1], terms, len(counts))

    def information(self, order: np.ndarray) -> np.ndarray:
        """Return the plug-in estimate per latent with the labels of these rows."""
        label = self._y[order]
        y_entropy = self._c_log_c[np.bincount(label)].sum()
        joint = np.concatenate(
            [self._sum_c_log_c(counts) for counts in self._joint_counts(label)]
        )
        information = (joint - self._x_entropy - y_entropy) / self.n_samples
        # a plug-in estimate is never negative
        return np.maximum(information + np.log(self.n_samples), 0.0)

    def first_order_bias(self) -> np.ndarray:
        """Return the bias of Miller & Madow per latent."""
        joint = np.concatenate(
            [np.count_nonzero(counts, axis=1) for counts in self._joint_counts(self._y)]
        )
        occupied = np.count_nonzero(self._x_counts, axis=1)
        label = len(np.unique(self._y))
        return (joint - occupied - label + 1) / (2.0 * self.n_samples)


def p_value(observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return the share of null values at or above; the observed one counts too."""
    # Counts of the same histogram summed in another order differ in the last digits.
    reached = null >= observed - 1e-12
    return (1 + reached.sum(axis=0)) / (1 + len(null))


def p_tail(observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return the tail of a gamma distribution with the moments of the null."""
    scale = null.std(axis=0, ddof=1) if len(null) > 1 else np.zeros(null.shape[1])
    varies = scale > 1e-12  # a latent that is constant has no tail
    tail = np.ones(observed.shape)
    # Information has a tail towards large values; a negative skewness is noise.
    skewness = np.maximum(skew(null[:, varies], axis=0), 0.0)
    tail[..., varies] = pearson3.sf(
        observed[..., varies],
        skewness,
        loc=null[:, varies].mean(axis=0),
        scale=scale[varies],
    )
    return tail


def false_discoveries(p_value: np.ndarray) -> np.ndarray:
    """Adjust p-values over latents and labels, each binning by itself."""
    q_value = np.full(p_value.shape, np.nan)
    for i in range(p_value.shape[1]):
        known = np.isfinite(p_value[:, i])
        if known.any():
            q_value[:, i][known] = false_discovery_control(p_value[:, i][known])
    return q_value
