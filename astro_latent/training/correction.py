# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How far a network is off, learnt from a few stars by Bayesian linear regression.

Each kind of term (a constant, the labels that the network finds, their products, its
last hidden layer) has a Gaussian prior around zero, whose width the evidence decides:
the density of what the stars show, all coefficients integrated out (MacKay 1992, Neural
Computation 4, 415). A kind of term that twenty stars do not ask for stays close to
nothing; with more of them it may grow. Outliers weigh less, as under a Student t.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize

__all__ = ["Correction", "fit_correction"]

#: Where the search for ln of the widths begins and how far it likes to go: of the
#: constant, labels, their products, the hidden layer; growth and floor of errors. In
#: units of the scatter of the labels in the first training.
_START = np.array([-1.0, -2.0, -2.9, -2.5, 0.0, -2.3])
_SPREAD = np.array([1.5, 1.5, 1.5, 1.5, 0.7, 1.0])
_BOUNDS = [(-8.0, 2.0)] * 4 + [(-3.0, 3.0), (-6.0, 1.0)]
_ROUNDS, _DOF, _TINY = 3, 5.0, 1e-8


@dataclass(frozen=True, kw_only=True)
class Correction:
    """What `fit_correction` found for one label.

    Parameters
    ----------
    coefficient, prior : ndarray, shape (n_terms,)
        Mean of the coefficients now, and their variance before.
    known : ndarray, shape (n_rows, n_terms)
        ``prior - known.T @ known`` is their covariance now.
    growth, floor : float
        By which the network's own errors are multiplied, and what is added.
    left_out : ndarray, shape (n_rows,)
        The correction of each star by all the others.
    ratio : ndarray, shape (n_rows,)
        By how much the error of a star is larger if it is left out.
    """

    coefficient: np.ndarray
    prior: np.ndarray
    known: np.ndarray
    growth: float
    floor: float
    left_out: np.ndarray
    ratio: np.ndarray


class _Evidence:
    """Covariance of the residuals as a function of the widths of the priors."""

    def __init__(
        self, terms: np.ndarray, kinds: np.ndarray, own: np.ndarray, given: np.ndarray
    ) -> None:
        self.own, self.given = own, given
        self.kernels = [
            terms[:, kinds == kind] @ terms[:, kinds == kind].T for kind in range(4)
        ]
        self.weight = np.ones(len(terms))

    def noise(self, p: np.ndarray) -> np.ndarray:
        """Variance of the network's answer that no correction explains."""
        return np.exp(2.0 * p[4]) * self.own + np.exp(2.0 * p[5]) + _TINY

    def covariance(self, p: np.ndarray) -> np.ndarray:
        """Of the residuals."""
        found = sum(np.exp(2.0 * p[k]) * part for k, part in enumerate(self.kernels))
        return found + np.diag((self.noise(p) + self.given) / self.weight)

    def cost(self, p: np.ndarray, residual: np.ndarray) -> float:
        """Minus ln of the evidence, and of the prior of the widths."""
        root = cholesky(self.covariance(p), lower=True)
        pull = solve_triangular(root, residual, lower=True)
        loss = 0.5 * pull @ pull + np.log(np.diag(root)).sum()
        return float(loss + 0.5 * np.sum(((p - _START) / _SPREAD) ** 2))


def fit_correction(
    terms: np.ndarray,
    kinds: np.ndarray,
    residual: np.ndarray,
    *,
    own: np.ndarray,
    given: np.ndarray,
    stars: np.ndarray,
) -> Correction:
    """Fit the correction of one label.

    Parameters
    ----------
    terms : ndarray, shape (n_rows, n_terms)
        What the correction is linear in.
    kinds : ndarray of int, shape (n_terms,)
        0 for the constant, 1 for labels, 2 for their products, 3 for the hidden layer.
    residual : ndarray, shape (n_rows,)
        Label given less label found, in units of the network.
    own, given : ndarray, shape (n_rows,)
        Variances that the network, and the catalogue, state.
    stars : ndarray of int, shape (n_rows,)
        Spectra of one star are left out together.

    Returns
    -------
    Correction
        What it is, and how it does for stars that are left out. The widths of the
        priors are those of all stars.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.training.correction import fit_correction
    >>> rng = np.random.default_rng(1)
    >>> none = np.zeros(20)
    >>> found = fit_correction(
    ...     np.ones((20, 1)), np.zeros(1, dtype=int), 0.5 + 0.1 * rng.normal(size=20),
    ...     own=none, given=none, stars=np.arange(20),
    ... )
    >>> bool(abs(found.coefficient[0] - 0.5) < 0.1), bool(found.floor < 0.2)
    (True, True)
    """
    evidence = _Evidence(terms, kinds, own, given)
    p = _START.copy()
    for _ in range(_ROUNDS):
        p = minimize(
            evidence.cost, p, args=(residual,), method="L-BFGS-B", bounds=_BOUNDS
        ).x
        inverse = np.linalg.inv(evidence.covariance(p))
        square = (inverse @ residual) ** 2 / np.diag(inverse)
        evidence.weight = np.clip((_DOF + 1.0) / (_DOF + square), 0.05, 1.2)
    covariance, noise = evidence.covariance(p), evidence.noise(p)
    prior = np.exp(2.0 * p[:4])[kinds]
    root = cholesky(covariance, lower=True)
    known = solve_triangular(root, terms * prior, lower=True)
    pull = solve_triangular(root, residual, lower=True)
    unknown = terms**2 @ prior - ((terms @ known.T) ** 2).sum(axis=1)
    left, without = _leave_out(covariance, residual, stars)
    without = without - (noise + given) / evidence.weight
    return Correction(
        coefficient=known.T @ pull,
        prior=prior,
        known=known,
        growth=float(np.exp(p[4])),
        floor=float(np.exp(p[5])),
        left_out=residual - left,
        ratio=np.sqrt(
            (np.maximum(without, 0.0) + noise) / (np.maximum(unknown, 0.0) + noise)
        ),
    )


def _leave_out(
    covariance: np.ndarray, residual: np.ndarray, stars: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return what all other stars leave of each residual, and its variance."""
    inverse = np.linalg.inv(covariance)
    pull = inverse @ residual
    left, variance = np.empty_like(pull), np.empty_like(pull)
    for star in np.unique(stars):
        rows = np.flatnonzero(stars == star)
        block = np.linalg.inv(inverse[np.ix_(rows, rows)])
        left[rows], variance[rows] = block @ pull[rows], np.diag(block)
    return left, variance
