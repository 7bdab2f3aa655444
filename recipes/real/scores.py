# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Bias and scatter of labels of stars, with errors of a bootstrap."""

from collections.abc import Sequence

import numpy as np

from astro_latent.training.scores import MAD_TO_SIGMA, score_residuals

__all__ = ["score_stars"]

_DRAWS = 1000


def score_stars(
    values: np.ndarray, truth: np.ndarray, names: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Do as `score_residuals`, with the scatter's error from a bootstrap over stars.

    Parameters
    ----------
    values, truth : ndarray, shape (n_stars, n_labels)
        Predicted and given labels; NaN where missing.
    names : sequence of str
        Of the labels.

    Returns
    -------
    dict
        For each label ``bias``, ``scatter``, ``scatter_error`` and ``n``.

    Examples
    --------
    >>> import numpy as np
    >>> from recipes.real.scores import score_stars
    >>> values = np.random.default_rng(1).normal(size=(1000, 1))
    >>> score = score_stars(values, np.zeros((1000, 1)), ["a"])["a"]
    >>> 0.03 < score["scatter_error"] < 0.045
    True
    """
    scores = score_residuals(values, truth, names)
    rng = np.random.default_rng(0)
    for column, name in enumerate(names):
        residual = (values - truth)[:, column]
        residual = residual[np.isfinite(residual)]
        drawn = rng.choice(residual, (_DRAWS, len(residual)))
        middle = np.median(drawn, axis=1, keepdims=True)
        scatter = MAD_TO_SIGMA * np.median(np.abs(drawn - middle), axis=1)
        scores[str(name)]["scatter_error"] = float(np.std(scatter))
    return {str(name): scores[name] for name in names}
