# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Label fits by least squares: of a quadratic model (The Cannon), of an emulator.

A model here is a function from labels (n, n_labels) to flux (n, n_pixels) and its
derivatives (n, n_labels, n_pixels).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from astro_latent.preparation import SpectralGrid
from astro_latent.simulation.emulators import SigmoidEmulator

Model = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def emulator_model(emulator: SigmoidEmulator) -> Model:
    """Return the emulator with its derivatives."""
    width = (emulator.upper - emulator.lower).astype(np.float32)

    def evaluate(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        unit = ((labels - emulator.lower) / width - 0.5).astype(np.float32)
        n_labels = emulator.weights_in.shape[2]
        total = unit @ emulator.weights_in.reshape(-1, n_labels).T
        total = total.reshape(len(unit), *emulator.bias_in.shape) + emulator.bias_in
        hidden = 1.0 / (1.0 + np.exp(-total))
        flux = np.einsum("npk,pk->np", hidden, emulator.weights_out) + emulator.bias_out
        hidden *= (1.0 - hidden) * emulator.weights_out
        slope = np.einsum("npk,pkl->nlp", hidden, emulator.weights_in, optimize=True)
        return flux, slope / width[:, None]

    return evaluate


@dataclass(frozen=True)
class QuadraticModel:
    """A quadratic function of the labels per pixel and a scatter about it."""

    coefficients: np.ndarray  # (n_terms, n_pixels)
    scatter: np.ndarray  # (n_pixels,), variance
    offset: np.ndarray
    scale: np.ndarray

    def __call__(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Flux and derivatives."""
        x = (labels - self.offset) / self.scale
        n, n_labels = x.shape
        i, j = np.triu_indices(n_labels)
        slope = np.zeros((n, n_labels, len(self.coefficients)))
        which = np.arange(n_labels)
        slope[:, which, 1 + which] = 1.0
        terms = 1 + n_labels + np.arange(len(i))
        np.add.at(slope, (slice(None), i, terms), x[:, j])
        np.add.at(slope, (slice(None), j, terms), x[:, i])
        flux = quadratic_terms(x) @ self.coefficients
        return flux, slope @ self.coefficients / self.scale[:, None]


def quadratic_terms(x: np.ndarray) -> np.ndarray:
    """1, x_i, and x_i x_j with i <= j."""
    i, j = np.triu_indices(x.shape[1])
    return np.concatenate([np.ones((len(x), 1)), x, x[:, i] * x[:, j]], axis=1)


def fit_quadratic(
    flux: np.ndarray, sigma: np.ndarray, valid: np.ndarray, labels: np.ndarray,
    *, n_rounds: int = 4,
) -> QuadraticModel:  # fmt: skip
    """Fit coefficients and scatter per pixel: Ness et al. (2015), Casey et al. (2016).

    Without the regularisation of the latter, which is for many more labels. The scatter
    is such that chi square equals the degrees of freedom, found in turns with the
    coefficients.
    """
    offset, scale = labels.mean(0), labels.std(0)
    terms = quadratic_terms((labels - offset) / scale)
    i, j = np.triu_indices(terms.shape[1])
    products = (terms[:, i] * terms[:, j]).astype(np.float32)
    scatter = np.full(flux.shape[1], 1e-4, np.float32)
    variance = np.where(valid, sigma**2, 1.0)
    normal = np.empty((flux.shape[1], terms.shape[1], terms.shape[1]))
    for _ in range(n_rounds):
        weight = valid / (variance + scatter)
        normal[:, i, j] = normal[:, j, i] = (products.T @ weight).T
        right = terms.T.astype(np.float32) @ (weight * flux)
        # pixels that are never valid get coefficients 0 through the tiny ridge
        normal += 1e-8 * np.eye(terms.shape[1])
        coefficients = np.linalg.solve(normal, right.T[..., None])[..., 0].T
        squares = (flux - terms.astype(np.float32) @ coefficients) ** 2
        freedom = np.maximum(valid.sum(0) - terms.shape[1], 1)
        scatter = _matching_scatter(squares, variance, valid, freedom)
    return QuadraticModel(coefficients, scatter, offset, scale)


def _matching_scatter(squares, variance, valid, freedom) -> np.ndarray:
    """Solve sum squares / (variance + scatter) = freedom per pixel, by bisection."""
    low = np.full(squares.shape[1], -16.0, np.float32)
    high = np.full(squares.shape[1], 0.0, np.float32)
    for _ in range(14):
        middle = 0.5 * (low + high)
        total = np.sum(valid * squares / (variance + np.exp(middle)), axis=0)
        low, high = (
            np.where(total > freedom, middle, low),
            np.where(total > freedom, high, middle),
        )
    return np.exp(high)


def nuisance_basis(grid: SpectralGrid, degree: int = 4) -> np.ndarray:
    """Legendre polynomials per segment: what a normalisation leaves undetermined."""
    rows = []
    for first, last in grid.segments:
        x = np.linspace(-1.0, 1.0, last - first)
        for order in range(degree + 1):
            row = np.zeros(grid.n_pixels, np.float32)
            row[first:last] = np.polynomial.legendre.Legendre.basis(order)(x)
            rows.append(row)
    return np.array(rows)


def fit_labels(
    model: Model,
    flux: np.ndarray,
    inverse_variance: np.ndarray,
    *,
    start: np.ndarray,
    box: tuple[np.ndarray, np.ndarray],
    basis: np.ndarray | None = None,
    n_steps: int = 30,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit labels of one spectrum by Levenberg-Marquardt.

    With ``basis`` the model is multiplied by 1 + a combination of its rows and shifted
    by a free velocity, all of which are fitted with the labels.

    Returns labels, their covariance, and chi square.
    """
    labels = np.array(start, dtype=float)
    width = box[1] - box[0]
    n_labels = len(labels)
    extra = np.zeros(0 if basis is None else len(basis) + 1)
    damping, best = 1e-2, None
    for _ in range(n_steps):
        state = _linearise(model, labels, extra, flux, inverse_variance, basis)
        if best is None or state[0] < best[0]:
            gain = np.inf if best is None else best[0] - state[0]
            best, damping = (*state, labels, extra), damping / 10
            if gain < 1e-3:
                break
        else:
            damping *= 10
            if damping > 1e6:
                break
        _, hessian, gradient, labels, extra = best
        units = np.concatenate([width, np.ones(len(extra))])
        scaled = hessian * np.outer(units, units)
        step = units * np.linalg.solve(
            scaled + damping * np.diag(np.diag(scaled)) + 1e-9 * np.eye(len(units)),
            gradient * units,
        )
        labels = np.clip(labels + step[:n_labels], *box)
        extra = extra + step[n_labels:]
    chi_square, hessian, _, labels, _ = best
    covariance = np.linalg.pinv(hessian, hermitian=True)[:n_labels, :n_labels]
    return labels, covariance, chi_square


def _linearise(model, labels, extra, flux, weight, basis):
    """Chi square, J W J^T and J W residual at a point."""
    predicted, slope = (part[0] for part in model(labels[None]))
    if basis is not None:
        derivative = np.gradient(predicted)
        shape = 1.0 + extra[:-1] @ basis
        predicted = predicted + extra[-1] * derivative
        slope = np.concatenate(
            [slope * shape, predicted * basis, (shape * derivative)[None]]
        )
        predicted = predicted * shape
    residual = flux - predicted
    weighted = slope * weight
    return residual @ (weight * residual), weighted @ slope.T, weighted @ residual
