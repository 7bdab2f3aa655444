# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What the decoder stores: pieces of logarithms, taps between samples, hinges.

All of it is least squares; nothing here knows the layers of the network.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "COPIES",
    "N_SHAPES",
    "PIECE",
    "Exponential",
    "HalfSteps",
    "Pieces",
    "cut_pieces",
    "fit_exponential",
    "fit_half_steps",
]

#: Samples of a piece, and shapes that all pieces are sums of.
PIECE, N_SHAPES = 256, 126
#: Displacements, in samples, of the three copies whose mean is a fraction of a sample.
COPIES = (-0.5, 0.0, 0.5)
_THRESHOLDS = (-4.5, -2.6, -1.5, -0.8, -0.35, 0.0, 0.3, 0.7, 1.3, 2.2)
_DISTANCES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
_WEIGHTS = (1.0, 0.9, 0.75, 0.5, 0.25, 0.1, 0.0025)  # linear interpolation, to begin
_LARGEST = 3.2  # logarithm of a flux that the exponential still has to hold
_RATE, _N_DRAWN = 1e-2, 3000


@dataclass(frozen=True)
class Pieces:
    """Spectra cut into pieces, each a sum of the same shapes.

    Parameters
    ----------
    shapes : ndarray, shape (n_shapes, n_samples of a piece)
        What all pieces share; orthonormal.
    coefficients : ndarray, shape (n_pieces, n_shapes, n_terms)
        What each piece takes of them.
    """

    shapes: np.ndarray
    coefficients: np.ndarray

    def join(self) -> np.ndarray:
        """Return the spectra.

        Returns
        -------
        ndarray, shape (n_samples, n_terms)
            As the decoder stores them.
        """
        found = np.einsum("kp,bkm->bpm", self.shapes, self.coefficients)
        return found.reshape(-1, found.shape[-1])


@dataclass(frozen=True)
class HalfSteps:
    """Taps that say what lies between two samples.

    Parameters
    ----------
    middle : ndarray, shape (4,)
        Of four samples, for half-way between the second and the third: -1/2 from the
        third.
    end : ndarray, shape (4,)
        The same, for +1/2 from the third: half-way between the third and the fourth.
    """

    middle: np.ndarray
    end: np.ndarray


@dataclass(frozen=True)
class Exponential:
    """Hinges that make an exponential of copies with weights as logarithms.

    Parameters
    ----------
    thresholds, slopes : ndarray, shape (n_hinges,)
        The exponential is the sum of ``slopes * max(0, y - thresholds)``.
    distances, log_weights : ndarray, shape (n_knots,)
        Logarithm of a copy's weight against its distance, in half samples, from where
        the spectrum is wanted.
    """

    thresholds: np.ndarray
    slopes: np.ndarray
    distances: np.ndarray
    log_weights: np.ndarray


def cut_pieces(spectra: np.ndarray, weight: np.ndarray) -> Pieces:
    """Find the shapes of which pieces are sums, by singular vectors of all pieces.

    Parameters
    ----------
    spectra : ndarray, shape (n_samples, n_terms)
        A constant and what each node adds.
    weight : ndarray, shape (n_samples,)
        How much samples count.

    Returns
    -------
    Pieces
        With `N_SHAPES` shapes.
    """
    cut = spectra.reshape(-1, PIECE, spectra.shape[1])
    each = weight.reshape(-1, PIECE).mean(1)
    rows = (cut * each[:, None, None]).transpose(0, 2, 1).reshape(-1, PIECE)
    _, vectors = np.linalg.eigh(rows.T @ rows)
    shapes = vectors[:, ::-1][:, :N_SHAPES].T
    return Pieces(shapes, np.einsum("kp,bpm->bkm", shapes, cut))


def fit_half_steps(spectrum: np.ndarray) -> HalfSteps:
    """Fit taps to a spectrum that is taken to have no detail finer than its samples.

    Parameters
    ----------
    spectrum : ndarray, shape (n_samples,)
        With lines.

    Returns
    -------
    HalfSteps
        Taps; their sum is one.
    """
    n = len(spectrum)
    base = np.linspace(spectrum[0], spectrum[-1], n)
    waves = np.fft.rfft(spectrum - base)
    waves = np.concatenate([waves, np.zeros(n + 1 - len(waves))])
    twice = 2 * np.fft.irfft(waves, 2 * n)
    samples, between = twice[0::2], twice[1::2]
    at = np.arange(n // 8, n - n // 8)
    seen = np.stack([samples[at + k] for k in (-2, -1, 0, 1)], -1)
    normal = np.ones((5, 5))
    normal[:4, :4], normal[4, 4] = seen.T @ seen, 0.0
    taps = [
        np.linalg.solve(normal, np.append(seen.T @ between[at + k], 1.0))[:4]
        for k in (-1, 0)
    ]
    return HalfSteps(*taps)


def fit_exponential(
    logarithms: np.ndarray, *, n_steps: int = 1500, seed: int = 0
) -> Exponential:
    """Fit hinges and weights so that three equal copies give the exponential.

    Parameters
    ----------
    logarithms : ndarray, shape (n,)
        Typical ones.
    n_steps : int, optional
        Of the optimiser.
    seed : int, optional
        Of the draws of samples and fractions.

    Returns
    -------
    Exponential
        Fitted in the mean absolute deviation, by Adam.
    """
    generator = torch.Generator().manual_seed(seed)
    thresholds = torch.tensor(_THRESHOLDS)
    y = torch.linspace(-6.0, _LARGEST, 2000)
    weight = torch.exp(-((y / 1.2) ** 2)) + 0.02
    hinges = (y[:, None] - thresholds).clamp(min=0.0) * weight[:, None]
    slopes = torch.linalg.lstsq(hinges, (y.exp() * weight)[:, None]).solution[:, 0]
    log_weights = torch.tensor(_WEIGHTS).log()
    free = [part.requires_grad_() for part in (thresholds, slopes, log_weights)]
    optimiser = torch.optim.Adam(free, _RATE)
    given = torch.as_tensor(logarithms, dtype=torch.float32)
    for step in range(n_steps):
        for group in optimiser.param_groups:
            group["lr"] = _RATE * (1 - step / n_steps) + 1e-5
        y = given[torch.randint(len(given), (_N_DRAWN,), generator=generator)]
        fraction = torch.rand(_N_DRAWN, generator=generator) - 0.5
        off = (_blend(y, fraction, *free) - y.exp()).abs().mean()
        optimiser.zero_grad()
        off.backward()
        optimiser.step()
    found = [part.detach().double().numpy() for part in free]
    return Exponential(found[0], found[1], np.array(_DISTANCES), found[2])


def _blend(
    y: Tensor, fraction: Tensor, thresholds: Tensor, slopes: Tensor, log_weights: Tensor
) -> Tensor:
    """Sum hinges over the copies."""
    knots = torch.tensor(_DISTANCES)
    found = torch.zeros_like(y)
    for copy in COPIES:
        distance = ((fraction - copy).abs() / 0.5).clamp(max=1 - 1e-6)
        left = torch.searchsorted(knots, distance, right=True) - 1
        part = (distance - knots[left]) / (knots[left + 1] - knots[left])
        weight = torch.lerp(log_weights[left], log_weights[left + 1], part)
        found += ((y + weight)[:, None] - thresholds).clamp(min=0.0) @ slopes
    return found
