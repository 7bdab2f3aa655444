# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Interpolate synthetic APOGEE spectra between the nodes of a library."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.fft import irfft, rfft, rfftfreq
from torch import Tensor

from ..preparation import get_grid
from ..utils.physics import SPEED_OF_LIGHT
from .ingredients import find_ingredient

__all__ = [
    "ALPHA_ELEMENTS",
    "NODE_LABELS",
    "SynthesisEmulator",
    "broaden",
    "read_nodes",
]

_ELEMENTS = (
    "c", "n", "o", "na", "mg", "al", "si", "p", "s", "k", "ca", "ti", "v", "cr", "mn",
    "co", "ni", "cu",
)  # fmt: skip

#: Labels of the nodes, in their order; the elements are [X/Fe].
NODE_LABELS = ("teff", "logg", "vmicro", "fe_h", *(f"{x}_fe" for x in _ELEMENTS))

#: Elements that [alpha/Fe] stands for.
ALPHA_ELEMENTS = ("o", "mg", "si", "s", "ca", "ti")

# Slices of the 8,575-pixel apStar grid that make the 7,214 pixels.
_CHIPS = ((322, 3242), (3648, 6048), (6412, 8306))


def read_nodes(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the library of synthetic spectra.

    Parameters
    ----------
    path : path
        ``apogee_like_nodes.npz``; nothing in it is unpickled.

    Returns
    -------
    labels : ndarray, shape (n_nodes, 22)
        In the order of `NODE_LABELS`.
    flux : ndarray, shape (n_nodes, 7214), float32
        Flux over continuum at R = 22,500.

    Raises
    ------
    ValueError
        If the labels are others, or a pixel was not computed.
    """
    find_ingredient(path, "synthetic APOGEE spectra at the nodes of a library")
    with np.load(path, allow_pickle=False) as file:
        names = tuple(
            name.lower().replace("vmic", "vmicro") for name in file["label_names"]
        )
        labels, stored = file["labels"], file["flux"]
        scale, missing = float(file["scale"]), int(file["nan_code"])
    if names != NODE_LABELS:
        msg = f"{path} has the labels {names}, not {NODE_LABELS}"
        raise ValueError(msg)
    stored = np.concatenate([stored[:, a:b] for a, b in _CHIPS], axis=1)
    if np.any(stored == missing):
        msg = f"{path} lacks pixels of the 7,214-pixel grid"
        raise ValueError(msg)
    return labels, (stored / np.float32(scale)).astype(np.float32)


def _quadratic(x: Tensor) -> Tensor:
    """All products of up to two labels: 276 terms for 22 labels."""
    first, second = torch.triu_indices(x.shape[1], x.shape[1])
    return torch.cat([torch.ones_like(x[:, :1]), x, x[:, first] * x[:, second]], dim=1)


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    return torch.exp(
        -0.5 * torch.cdist(a, b, compute_mode="use_mm_for_euclid_dist") ** 2
    )


@dataclass(frozen=True)
class SynthesisEmulator:
    """A quadratic function of the labels plus Gaussian radial basis functions.

    Distances count a label by how much it changes the spectrum, so that twenty weak
    abundances do not drown T_eff, log g and [Fe/H].

    Parameters
    ----------
    mean, spread : Tensor, shape (n_labels,)
        Labels are standardised with these.
    reach : Tensor, shape (n_labels,)
        Standardised labels are multiplied by this before distances are taken.
    centres : Tensor, shape (n_nodes, n_labels)
        Nodes, standardised and multiplied.
    coefficients : Tensor, shape (n_terms, n_pixels)
        Of the quadratic.
    weights : Tensor, shape (n_nodes, n_pixels)
        Of the radial basis functions.
    """

    mean: Tensor
    spread: Tensor
    reach: Tensor
    centres: Tensor
    coefficients: Tensor
    weights: Tensor

    @classmethod
    def fit(
        cls,
        labels: np.ndarray,
        flux: np.ndarray,
        *,
        length: float = 2.0,
        power: float = 0.7,
        ridge: float = 1.0,
        noise: float = 1e-3,
    ) -> "SynthesisEmulator":
        """Fit the nodes.

        Parameters
        ----------
        labels : ndarray, shape (n_nodes, n_labels)
            Labels.
        flux : ndarray, shape (n_nodes, n_pixels)
            Spectra.
        length : float, optional
            Reach of a radial basis function, for the label that changes most.
        power : float, optional
            The reach goes with the inverse of a label's effect to this power.
        ridge, noise : float, optional
            Regularisation of the quadratic and of the radial basis functions.

        Returns
        -------
        SynthesisEmulator
            The emulator. The defaults were chosen among nine on the last 457 nodes.
        """
        raw = torch.as_tensor(labels, dtype=torch.float64)
        mean, spread = raw.mean(0), raw.std(0)
        x = (raw - mean) / spread
        y = torch.as_tensor(flux, dtype=torch.float64)
        terms = _quadratic(x)
        normal = terms.T @ terms
        normal.diagonal().add_(ridge)
        coefficients = torch.linalg.solve(normal, terms.T @ y)
        effect = coefficients[1 : 1 + x.shape[1]].square().mean(1).sqrt()
        effect = torch.clamp(effect / effect[0], min=0.03)
        reach = effect**power / length
        kernel = _kernel(x * reach, x * reach)
        kernel.diagonal().add_(noise)
        factor = torch.linalg.cholesky(kernel)
        weights = torch.cholesky_solve(y - terms @ coefficients, factor)
        parts = (mean, spread, reach, x * reach, coefficients, weights)
        return cls(*(part.float() for part in parts))

    def flux(self, labels: np.ndarray) -> np.ndarray:
        """Evaluate the emulator.

        Parameters
        ----------
        labels : ndarray, shape (n_spectra, n_labels)
            In the order of `NODE_LABELS` for the library of `read_nodes`.

        Returns
        -------
        ndarray, shape (n_spectra, n_pixels), float32
            Flux over continuum.
        """
        x = (torch.as_tensor(labels, dtype=torch.float32) - self.mean) / self.spread
        smooth = _quadratic(x) @ self.coefficients
        return (smooth + _kernel(x * self.reach, self.centres) @ self.weights).numpy()


def broaden(flux: np.ndarray, fwhm: np.ndarray) -> np.ndarray:
    """Broaden spectra of the 7,214-pixel grid by Gaussians, chip by chip.

    Parameters
    ----------
    flux : ndarray, shape (n_spectra, 7214)
        Spectra.
    fwhm : ndarray, shape (n_spectra,)
        Full width at half maximum, km/s.

    Returns
    -------
    ndarray, shape (n_spectra, 7214), float32
        Broadened; at the ends of a chip the spectrum is mirrored.
    """
    pixel = SPEED_OF_LIGHT * 6e-6 * np.log(10.0)  # km/s
    sigma = np.asarray(fwhm, np.float32)[:, None] / (pixel * np.sqrt(8.0 * np.log(2.0)))
    result = np.empty_like(flux, dtype=np.float32)
    for first, last in get_grid("apogee_7214").segments:
        chip = np.asarray(flux[:, first:last], np.float32)
        mirrored = np.concatenate([chip, chip[:, ::-1]], axis=1)
        frequency = rfftfreq(mirrored.shape[1]).astype(np.float32)
        damping = np.exp(-2.0 * (np.pi * sigma * frequency) ** 2)
        smooth = irfft(rfft(mirrored, axis=1) * damping, mirrored.shape[1], axis=1)
        result[:, first:last] = smooth[:, : last - first]
    return result
