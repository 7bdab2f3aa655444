# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A synthetic optical library: stellar labels to normalised rest-frame spectra.

The library is held as principal components; a quadratic plus a Gaussian process
interpolate their coefficients between its nodes.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .ingredients import find_ingredient
from .priors import flattening_weights

__all__ = ["HARPS_LABELS", "HarpsLibrary", "draw_harps_labels"]

#: Labels of the library, in its order.
HARPS_LABELS = ("teff", "logg", "m_h", "alpha_m", "vmicro", "c_m", "n_m")


class HarpsLibrary:
    """Interpolated library spectra on a grid uniform in ln wavelength (air).

    Parameters
    ----------
    path : path
        The ``.npz`` file of the library; nothing in it is unpickled.
    device : str or torch.device, optional
        Where spectra are computed.
    """

    def __init__(self, path: str | Path, device: str | torch.device = "cpu") -> None:
        find_ingredient(path, "synthetic HARPS spectra as principal components")
        with np.load(path, allow_pickle=False) as file:
            self.log_start = float(file["log_lambda0"])
            self.log_step = float(file["dlog"])
            self.nodes = file["labels"].astype(float)
            self.continuum_stride = int(file["lncont_step"])
            arrays = {
                name: torch.from_numpy(file[name].astype(kind)).to(device)
                for name, kind in (
                    ("mean", np.float32),
                    ("basis", np.float32),
                    ("gp_train_features", np.float64),
                    ("gp_alpha", np.float64),
                    ("gp_length", np.float64),
                    ("quad_weights", np.float64),
                    ("lncont", np.float32),
                )
            }
        self.mean = arrays["mean"]
        self.basis_t = arrays["basis"].T.contiguous()
        self._features = arrays["gp_train_features"] / arrays["gp_length"]
        self._length = arrays["gp_length"]
        self._alpha = arrays["gp_alpha"]
        self._quadratic = arrays["quad_weights"]
        self._continua = arrays["lncont"]
        self._node_features = self._scaled(torch.from_numpy(self.nodes).to(device))
        self.device = self.mean.device

    @property
    def n_pixels(self) -> int:
        """Number of pixels of a spectrum."""
        return len(self.mean)

    @staticmethod
    def _scaled(labels: Tensor) -> Tensor:
        """Labels as the dimensionless features that the interpolation uses."""
        centre = labels.new_tensor([0.0, 3.5, 0.0, 0.0, 1.3, 0.0, 0.0])
        width = labels.new_tensor([0.18, 1.2, 0.7, 0.15, 0.5, 0.25, 0.4])
        log_teff = torch.log(labels[:, :1] / 5500.0)
        return (torch.cat([log_teff, labels[:, 1:]], dim=1) - centre) / width

    def coefficients(self, labels: Tensor) -> Tensor:
        """Interpolate the coefficients of the principal components.

        Parameters
        ----------
        labels : Tensor, shape (n, 7), float64
            In the order of `HARPS_LABELS`.

        Returns
        -------
        Tensor, shape (n, 160), float32
            Coefficients.
        """
        u = self._scaled(labels)
        i, j = torch.triu_indices(7, 7, device=u.device)
        terms = torch.cat([torch.ones_like(u[:, :1]), u, u[:, i] * u[:, j]], dim=1)
        distance = torch.cdist(u / self._length, self._features) * 5**0.5
        matern = (1.0 + distance + distance**2 / 3.0) * torch.exp(-distance)
        return (terms @ self._quadratic + matern @ self._alpha).float()

    def flux(self, labels: Tensor) -> Tensor:
        """Return normalised spectra, without rotation or macroturbulence.

        Parameters
        ----------
        labels : Tensor, shape (n, 7), float64
            In the order of `HARPS_LABELS`.

        Returns
        -------
        Tensor, shape (n, n_pixels), float32
            Flux over continuum at R = 115,000.
        """
        return torch.addmm(self.mean, self.coefficients(labels), self.basis_t)

    def log_continuum(self, labels: Tensor) -> Tensor:
        """Return ln of the continuum at every ``continuum_stride``-th pixel.

        The continua of the nearest eight nodes, weighted by inverse distance: they
        vary slowly, and the instrument's own shape varies more.

        Parameters
        ----------
        labels : Tensor, shape (n, 7), float64
            In the order of `HARPS_LABELS`.

        Returns
        -------
        Tensor, shape (n, n_points), float32
            ln flux, arbitrary zero point.
        """
        distance, nearest = torch.cdist(
            self._scaled(labels)[:, :3], self._node_features[:, :3]
        ).topk(8, largest=False)
        weight = (1.0 / (distance + 1e-3)).float()
        weight = weight / weight.sum(dim=1, keepdim=True)
        return torch.einsum("nk,nkp->np", weight, self._continua[nearest])


def draw_harps_labels(
    n_spectra: int,
    catalogue: str | Path,
    *,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw labels from a catalogue of HARPS targets, flattened and smeared.

    Parameters
    ----------
    n_spectra : int
        How many.
    catalogue : path
        CSV with columns name, RA, Dec, n_exposures, S/N, T_eff, log g, [M/H]; zeros
        where unknown.
    rng : `~numpy.random.Generator`
        Source of randomness.

    Returns
    -------
    ndarray, shape (n_spectra, 7)
        In the order of `HARPS_LABELS`.
    """
    find_ingredient(catalogue, "the catalogue of HARPS targets")
    stars = np.genfromtxt(
        catalogue, delimiter=",", comments="#", usecols=(5, 6, 7), invalid_raise=False
    )
    stars = stars[np.all(np.isfinite(stars), axis=1) & (stars[:, 0] > 4100.0)]
    chosen = rng.choice(len(stars), n_spectra, p=flattening_weights(stars, bins=10))
    teff, logg, m_h = (
        stars[chosen] + rng.normal(size=(n_spectra, 3)) * [120.0, 0.15, 0.12]
    ).T
    alpha = np.clip(-0.25 * m_h, 0.0, 0.3) + rng.normal(0.0, 0.06, n_spectra)
    vmicro = 1.05 + 2.5e-4 * (teff - 5600.0) + 0.2 * (4.4 - logg)
    vmicro += rng.normal(0.0, 0.12, n_spectra)
    labels = np.column_stack(
        [teff, logg, m_h, alpha, vmicro, rng.normal(0.0, 0.1, (n_spectra, 2))]
    )
    low = np.array([4050.0, 0.8, -2.4, -0.2, 0.6, -0.3, -0.3])
    high = np.array([7800.0, 4.95, 0.5, 0.6, 2.7, 0.3, 0.5])
    return np.clip(labels, low, high)
