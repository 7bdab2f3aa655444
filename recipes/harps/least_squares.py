# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""One step of a fit in which some pixels are wrong, and neighbours wrong together."""

import numpy as np

__all__ = ["robust_step"]

_LEAST = 0.004  # rms of a weighted pixel, for outliers
_FAR = 3.0  # scatters at which a pixel counts half


def robust_step(
    off: np.ndarray,
    design: np.ndarray,
    weight: np.ndarray,
    *,
    values: np.ndarray,
    prior: np.ndarray,
    wrong_together: float,
) -> np.ndarray:
    """Solve for a Gauss-Newton step with priors about zero.

    Parameters
    ----------
    off : ndarray, shape (n_pixels,)
        Seen less rendered.
    design : ndarray, shape (n_values, n_pixels)
        Derivatives of what is rendered.
    weight : ndarray, shape (n_pixels,)
        Zero where there are no data.
    values : ndarray, shape (n_values,)
        Where the fit is.
    prior : ndarray, shape (n_values,)
        Inverse standard deviations of the values; zero for none.
    wrong_together : float
        Pixels that one error makes wrong: the prior counts as much more.

    Returns
    -------
    ndarray, shape (n_values,)
        The step.

    Examples
    --------
    >>> import numpy as np
    >>> from recipes.harps.least_squares import robust_step
    >>> design, none = np.arange(1.0, 9.0)[None], np.zeros(1)
    >>> seen = 0.005 * design[0]
    >>> seen[3] += 99.0  # one pixel is wrong
    >>> step = robust_step(
    ...     seen, design, np.ones(8), values=none, prior=none, wrong_together=1.0
    ... )
    >>> step.round(3)
    array([0.005])
    """
    spread = 1.4826 * np.median(np.abs(off * weight)[weight > 0])
    bound = _FAR * max(spread, _LEAST)
    share = weight**2 / (1.0 + (off * weight / bound) ** 2)
    noise = np.sum(share * off**2) / np.sum(share)
    precision = prior**2 * noise * wrong_together
    normal = (design * share) @ design.T + np.diag(precision)
    step: np.ndarray = np.linalg.solve(
        normal, (design * share) @ off - precision * values
    )
    return step
