# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How far each latent spreads over a sample, and where the spreads part.

A latent that the prior has won back sits at zero for every spectrum; one that carries
information spreads.
"""

import numpy as np

from .samples import as_latents

__all__ = ["find_gap", "mean_deviation", "median_deviation", "prior_divergence"]

#: Dispersions below this are equal for the search of a gap: 0.15 % of the prior's.
_GAP_FLOOR = 1e-3


def median_deviation(mean: np.ndarray) -> np.ndarray:
    """Median absolute deviation from the median, per latent.

    Parameters
    ----------
    mean : ndarray, shape (n_spectra, n_latent)
        Posterior mean of each latent.

    Returns
    -------
    ndarray, shape (n_latent,)
        Unscaled deviation: 0.6745 for a latent that follows the prior.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.latent import median_deviation
    >>> median_deviation(np.array([[1.0], [2.0], [3.0], [4.0], [100.0]]))
    array([1.])
    """
    mean = as_latents(mean, "mean")
    return np.median(np.abs(mean - np.median(mean, axis=0)), axis=0)


def mean_deviation(mean: np.ndarray) -> np.ndarray:
    """Mean absolute deviation from the mean, per latent.

    Parameters
    ----------
    mean : ndarray, shape (n_spectra, n_latent)
        Posterior mean of each latent.

    Returns
    -------
    ndarray, shape (n_latent,)
        0.798 for a latent that follows the prior.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.latent import mean_deviation
    >>> mean_deviation(np.array([[1.0], [2.0], [3.0]])).round(4)
    array([0.6667])
    """
    mean = as_latents(mean, "mean")
    return np.mean(np.abs(mean - np.mean(mean, axis=0)), axis=0)


def prior_divergence(mean: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Kullback-Leibler divergence of the posteriors from the unit normal, per latent.

    Parameters
    ----------
    mean, sigma : ndarray, shape (n_spectra, n_latent)
        Mean and standard deviation of the posterior of each latent.

    Returns
    -------
    ndarray, shape (n_latent,)
        Nats, averaged over spectra. It bounds from above the information that the
        latent holds about the spectrum.

    Raises
    ------
    ValueError
        If the shapes differ or a standard deviation is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.latent import prior_divergence
    >>> prior_divergence(np.array([[0.0, 2.0]]), np.array([[1.0, 1.0]]))
    array([0., 2.])
    """
    mean, sigma = as_latents(mean, "mean"), as_latents(sigma, "sigma")
    if mean.shape != sigma.shape:
        msg = f"mean has shape {mean.shape} and sigma {sigma.shape}"
        raise ValueError(msg)
    if np.any(sigma <= 0):
        msg = f"sigma must be positive; its smallest value is {sigma.min()}"
        raise ValueError(msg)
    return np.mean(0.5 * (mean**2 + sigma**2 - 1.0) - np.log(sigma), axis=0)


def find_gap(values: np.ndarray) -> tuple[float, float]:
    """Find the widest gap, as a ratio, between neighbouring sorted values.

    Parameters
    ----------
    values : ndarray, shape (n_latent,)
        Dispersion or divergence of each latent. Values under 0.001 count as equal.

    Returns
    -------
    threshold : float
        Geometric middle of the gap.
    ratio : float
        Upper over lower edge; a ratio near 1 says that there is no gap to speak of.

    Raises
    ------
    ValueError
        If there are fewer than two values.

    Notes
    -----
    On the dispersions of Sedaghat et al. (2021) as read off their figures, the widest
    gap gives six nodes for the mean deviation and four for the median deviation, where
    nodes 19 (0.11) and 58 (0.033) lie half-way down. A gap is not a law of nature:
    read the count together with its ratio.

    Examples
    --------
    >>> from astro_latent.latent import find_gap
    >>> threshold, ratio = find_gap([0.7, 0.4, 0.004, 0.002])
    >>> round(threshold, 3), round(ratio)
    (0.04, 100)
    """
    values = np.sort(np.maximum(np.asarray(values, dtype=float).ravel(), _GAP_FLOOR))
    if len(values) < 2:
        msg = f"a gap needs at least two nodes, not {len(values)}"
        raise ValueError(msg)
    ratios = values[1:] / values[:-1]
    at = int(np.argmax(ratios))
    return float(np.sqrt(values[at] * values[at + 1])), float(ratios[at])
