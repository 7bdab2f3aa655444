# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How many latents are informative: the count by dispersion.

This is the first of the two counts of Sedaghat et al. (2021), with their two
thresholds, and beside it the divergence from the prior, a threshold found in the data
and an interval on the count. The second count is in `mutual_information`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Table

from ..utils.short_repr import short_repr
from .dispersion import find_gap, mean_deviation, median_deviation, prior_divergence
from .samples import as_latents, resample, star_rows

__all__ = ["PUBLISHED_THRESHOLDS", "NodeDispersion", "measure_dispersion"]

#: Thresholds of Sedaghat et al. (2021): final analysis and first release.
PUBLISHED_THRESHOLDS = {"median": 0.02, "mean": 0.2}

#: Median absolute deviation of the unit normal prior.
_PRIOR_DEVIATION = 0.6744897501960817


@dataclass(frozen=True, kw_only=True, repr=False)
class NodeDispersion:
    """Dispersion of every latent and which of them are informative.

    Parameters
    ----------
    median_deviation, mean_deviation : ndarray, shape (n_latent,)
        Deviations of the posterior means.
    divergence : ndarray, shape (n_latent,)
        Divergence from the prior in nats; NaN if no standard deviations were given.
    statistic : {"median", "mean", "divergence"}
        Which of the three is compared with the threshold.
    threshold : float
        A latent above it is informative.
    gap_ratio : float
        Width of the widest gap in the statistic, as a ratio.
    frequency : ndarray, shape (n_latent,)
        Fraction of the resamples in which the latent is informative; NaN without.
    count_interval : tuple of float
        Interval on the number of informative nodes; NaN without resamples.
    confidence : float
        Probability content of that interval.
    n_spectra, n_stars, n_bootstrap : int
        Size of the sample, number of units resampled, number of resamples.
    """

    median_deviation: np.ndarray
    mean_deviation: np.ndarray
    divergence: np.ndarray
    statistic: str
    threshold: float
    gap_ratio: float
    frequency: np.ndarray
    count_interval: tuple[float, float]
    confidence: float
    n_spectra: int
    n_stars: int
    n_bootstrap: int

    __repr__ = short_repr

    @property
    def values(self) -> np.ndarray:
        """The statistic that is compared with the threshold, shape (n_latent,)."""
        return {
            "median": self.median_deviation,
            "mean": self.mean_deviation,
            "divergence": self.divergence,
        }[self.statistic]

    @property
    def informative(self) -> np.ndarray:
        """True for latents above the threshold, shape (n_latent,)."""
        return self.values > self.threshold

    @property
    def nodes(self) -> np.ndarray:
        """Indices of the informative nodes, the most dispersed first."""
        order = np.argsort(-self.values, kind="stable")
        return order[self.informative[order]]

    @property
    def count(self) -> int:
        """Number of informative nodes."""
        return int(self.informative.sum())

    @property
    def occupancy(self) -> np.ndarray:
        """Median deviation over that of the prior: 1 for a latent that is used up."""
        return self.median_deviation / _PRIOR_DEVIATION

    def to_table(self) -> Table:
        """Return one row per latent; threshold and count are in ``meta``.

        Returns
        -------
        `~astropy.table.Table`
            Columns ``node, median_deviation, mean_deviation, divergence, occupancy,
            informative, frequency``.
        """
        table = Table({"node": np.arange(len(self.values))})
        for name in (
            "median_deviation", "mean_deviation", "divergence", "occupancy",
            "informative", "frequency",
        ):  # fmt: skip
            table[name] = getattr(self, name)
        table["divergence"].description = "Divergence from the prior, nats"
        table.meta = {
            name: getattr(self, name)
            for name in (
                "statistic", "threshold", "gap_ratio", "count", "count_interval",
                "confidence", "n_spectra", "n_stars", "n_bootstrap",
            )
        }  # fmt: skip
        return table


def measure_dispersion(
    mean: np.ndarray,
    *,
    sigma: np.ndarray | None = None,
    statistic: str = "median",
    threshold: float | str = "published",
    star: Sequence[str] | None = None,
    n_bootstrap: int = 0,
    confidence: float = 0.95,
    rng: np.random.Generator | int | None = None,
) -> NodeDispersion:
    """Measure how far each latent spreads and count those that are informative.

    Parameters
    ----------
    mean : ndarray, shape (n_spectra, n_latent)
        Posterior mean of each latent; rows with NaN (flagged spectra) are left out.
    sigma : ndarray, shape (n_spectra, n_latent), optional
        Posterior standard deviations, for the divergence from the prior.
    statistic : {"median", "mean", "divergence"}, optional
        What decides. The published analysis uses the median deviation.
    threshold : float or {"published", "gap"}, optional
        Informative means above this: 0.02 (median) or 0.2 (mean) as published, or the
        middle of the widest gap, searched again in each resample.
    star : sequence of str, shape (n_spectra,), optional
        Star of each spectrum; the bootstrap then draws stars. Without it, spectra.
    n_bootstrap : int, optional
        Number of resamples for the interval on the count.
    confidence : float, optional
        Probability content of the interval.
    rng : `numpy.random.Generator` or int, optional
        Source of randomness.

    Returns
    -------
    NodeDispersion
        Values per latent, the decision and its stability.

    Raises
    ------
    ValueError
        If an argument has a wrong shape or value, or no row is finite.

    References
    ----------
    Sedaghat et al. 2021, MNRAS 501, 6026, section 6.1.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.latent import measure_dispersion
    >>> mean = np.random.default_rng(0).normal(size=(500, 8)) * 0.005
    >>> mean[:, [2, 5]] *= 150
    >>> result = measure_dispersion(mean, n_bootstrap=50, rng=1)
    >>> result.count, sorted(result.nodes.tolist()), result.count_interval
    (2, [2, 5], (2.0, 2.0))
    """
    mean = as_latents(mean, "mean")
    if sigma is not None and np.shape(sigma) != mean.shape:
        msg = f"mean has shape {mean.shape} and sigma {np.shape(sigma)}"
        raise ValueError(msg)
    if star is not None and len(star) != len(mean):
        msg = f"{len(star)} star names for {len(mean)} spectra"
        raise ValueError(msg)
    finite = np.isfinite(mean).all(axis=1)
    if not finite.any():
        msg = f"none of the {len(mean)} rows is finite"
        raise ValueError(msg)
    mean = mean[finite]
    sigma = None if sigma is None else np.asarray(sigma, dtype=float)[finite]
    units = star_rows(
        np.arange(len(mean)) if star is None else np.asarray(star)[finite]
    )
    values = _values(statistic, mean, sigma)
    chosen = np.empty((n_bootstrap, mean.shape[1]), dtype=bool)
    rng = np.random.default_rng(rng)
    for row in range(n_bootstrap):
        drawn = resample(units, rng)
        again = _values(statistic, mean[drawn], None if sigma is None else sigma[drawn])
        chosen[row] = again > _cut(threshold, statistic, again)
    return NodeDispersion(
        median_deviation=median_deviation(mean),
        mean_deviation=mean_deviation(mean),
        divergence=(
            np.full(mean.shape[1], np.nan)
            if sigma is None
            else prior_divergence(mean, sigma)
        ),
        statistic=statistic,
        threshold=_cut(threshold, statistic, values),
        gap_ratio=find_gap(values)[1] if len(values) > 1 else np.nan,
        confidence=confidence,
        n_spectra=len(mean),
        n_stars=len(units),
        n_bootstrap=n_bootstrap,
        **_stability(chosen, confidence),
    )


def _stability(chosen: np.ndarray, confidence: float) -> dict[str, Any]:
    """Summarise which latents were informative in each resample."""
    if not len(chosen):
        return {
            "frequency": np.full(chosen.shape[1], np.nan),
            "count_interval": (np.nan, np.nan),
        }
    tails = [50 * (1 - confidence), 50 * (1 + confidence)]
    interval = np.percentile(chosen.sum(axis=1), tails).tolist()
    return {"frequency": chosen.mean(axis=0), "count_interval": tuple(interval)}


def _values(name: str, mean: np.ndarray, sigma: np.ndarray | None) -> np.ndarray:
    """Return the statistic that decides."""
    if name == "median":
        return median_deviation(mean)
    if name == "mean":
        return mean_deviation(mean)
    if name != "divergence":
        msg = f"statistic must be median, mean or divergence, not {name!r}"
        raise ValueError(msg)
    if sigma is None:
        msg = "statistic 'divergence' needs sigma, the posterior standard deviations"
        raise ValueError(msg)
    return prior_divergence(mean, sigma)


def _cut(threshold: float | str, statistic: str, values: np.ndarray) -> float:
    """Return the threshold as a number."""
    if threshold == "gap":
        return find_gap(values)[0]
    if threshold == "published":
        if statistic not in PUBLISHED_THRESHOLDS:
            msg = (
                f"no threshold was published for {statistic!r}: give a number or 'gap'"
            )
            raise ValueError(msg)
        return PUBLISHED_THRESHOLDS[statistic]
    if isinstance(threshold, str):
        msg = f"threshold must be a number, 'published' or 'gap', not {threshold!r}"
        raise ValueError(msg)
    return float(threshold)
