# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Likelihood of labels, some of which are missing, under a Gaussian or a Student t."""

import torch
from torch import Tensor

__all__ = ["cholesky_of", "label_log_prob"]

_LOG_2PI = 1.8378770664093453


def cholesky_of(spread: Tensor) -> Tensor:
    """Return the lower Cholesky factor that the second output of a network stands for.

    Parameters
    ----------
    spread : Tensor, shape (n, n_labels) or (n, n_labels, n_labels)
        Logarithm of the variances, or the factor itself.

    Returns
    -------
    Tensor, shape (n, n_labels, n_labels)
        The factor.

    Examples
    --------
    >>> import torch
    >>> from astro_latent.models.layers.gaussian import cholesky_of
    >>> cholesky_of(torch.zeros(1, 2))[0].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    if spread.ndim == 3:
        return spread
    return torch.diag_embed(torch.exp(0.5 * spread.clamp(-12.0, 8.0)))


def label_log_prob(
    mean: Tensor,
    spread: Tensor,
    labels: Tensor,
    label_variance: Tensor | None = None,
    *,
    dof: float | None = None,
) -> Tensor:
    """Return ln of the density at labels; those that are missing are integrated out.

    Parameters
    ----------
    mean : Tensor, shape (n, n_labels)
        Prediction.
    spread : Tensor, shape (n, n_labels) or (n, n_labels, n_labels)
        As for `cholesky_of`.
    labels : Tensor, shape (n, n_labels)
        NaN where missing.
    label_variance : Tensor, shape (n, n_labels), optional
        Of the labels themselves, independent of each other.
    dof : float, optional
        Degrees of freedom of a multivariate Student t with this scale matrix, whose
        wings forgive outliers; by default a Gaussian.

    Returns
    -------
    Tensor, shape (n,)
        In nats.

    Examples
    --------
    >>> import torch
    >>> from astro_latent.models.layers.gaussian import label_log_prob
    >>> labels = torch.tensor([[1.0, torch.nan]])
    >>> round(label_log_prob(torch.zeros(1, 2), torch.zeros(1, 2), labels).item(), 4)
    -1.4189
    """
    known = torch.isfinite(labels)
    residual = torch.where(known, labels - mean, 0.0)
    if spread.ndim == 2:
        variance = torch.exp(spread.clamp(-12.0, 8.0))
        if label_variance is not None:
            variance = variance + label_variance
        variance = torch.where(known, variance, 1.0)
        chi2 = (residual**2 / variance).sum(1)
        log_det = 0.5 * variance.log().sum(1)
    else:
        factor = _marginal_factor(spread, known, label_variance)
        white = torch.linalg.solve_triangular(factor, residual[:, :, None], upper=False)
        chi2 = white[:, :, 0].square().sum(1)
        log_det = torch.diagonal(factor, dim1=1, dim2=2).log().sum(1)
    count = known.sum(1)
    if dof is None:
        return -0.5 * (chi2 + count * _LOG_2PI) - log_det
    half = 0.5 * (dof + count)
    norm = torch.lgamma(half) - torch.lgamma(torch.full_like(half, 0.5 * dof))
    norm = norm - 0.5 * count * torch.log(torch.tensor(dof * torch.pi))
    return norm - log_det - half * torch.log1p(chi2 / dof)


def _marginal_factor(
    factor: Tensor, known: Tensor, label_variance: Tensor | None
) -> Tensor:
    """Cholesky factor with the labels' own variance; unit rows for missing labels."""
    if label_variance is None and bool(known.all()):
        return factor
    covariance = factor @ factor.mT
    extra = torch.zeros_like(known, dtype=factor.dtype)
    if label_variance is not None:
        extra = label_variance
    both = known[:, :, None] & known[:, None, :]
    covariance = torch.where(both, covariance, 0.0)
    diagonal = torch.where(known, extra + 1e-6, 1.0)
    return torch.linalg.cholesky(covariance + torch.diag_embed(diagonal))
