# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Published emulators of normalised APOGEE spectra, evaluated in batches.

Both were fitted to real APOGEE spectra by their authors and live outside this
package; the paths of their files are arguments.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .ingredients import find_ingredient

__all__ = ["EmulatedStars", "QuadraticEmulator", "SigmoidEmulator"]


@dataclass(frozen=True)
class SigmoidEmulator:
    """A small network per pixel: labels to one hidden layer to flux.

    The form of the data-driven models of El-Badry et al. (2018, MNRAS 476, 528).

    Parameters
    ----------
    weights_in : ndarray, shape (n_pixels, n_hidden, n_labels)
        First layer.
    bias_in : ndarray, shape (n_pixels, n_hidden)
        First layer.
    weights_out : ndarray, shape (n_pixels, n_hidden)
        Second layer.
    bias_out : ndarray, shape (n_pixels,)
        Second layer.
    lower, upper : ndarray, shape (n_labels,)
        Corners of the box of the training labels.
    """

    weights_in: np.ndarray
    bias_in: np.ndarray
    weights_out: np.ndarray
    bias_out: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    @classmethod
    def read(cls, path: str | Path) -> "SigmoidEmulator":
        """Read the arrays of an ``NN_normalized_spectra.npz`` file.

        Parameters
        ----------
        path : path
            The file; nothing in it is unpickled.

        Returns
        -------
        SigmoidEmulator
            The emulator.
        """
        path = find_ingredient(
            path, "an emulator of APOGEE spectra, one network a pixel"
        )
        with np.load(path, allow_pickle=False) as file:
            return cls(
                weights_in=file["w_array_0"].astype(np.float32),
                bias_in=file["b_array_0"].astype(np.float32),
                weights_out=file["w_array_1"].astype(np.float32),
                bias_out=file["b_array_1"].astype(np.float32),
                lower=file["x_min"],
                upper=file["x_max"],
            )

    def flux(self, labels: np.ndarray) -> np.ndarray:
        """Evaluate the emulator.

        Parameters
        ----------
        labels : ndarray, shape (n_spectra, n_labels)
            T_eff (K), log g, [Fe/H], [alpha/Fe], v_macro (km/s).

        Returns
        -------
        ndarray, shape (n_spectra, n_pixels), float32
            Normalised flux.
        """
        unit = (np.asarray(labels) - self.lower) / (self.upper - self.lower) - 0.5
        n_pixels, n_hidden, n_labels = self.weights_in.shape
        hidden = unit.astype(np.float32) @ self.weights_in.reshape(-1, n_labels).T
        hidden += self.bias_in.ravel()
        np.negative(hidden, out=hidden)
        np.exp(hidden, out=hidden)
        hidden += 1.0
        np.reciprocal(hidden, out=hidden)
        hidden = hidden.reshape(len(unit), n_pixels, n_hidden)
        return np.einsum("npk,pk->np", hidden, self.weights_out) + self.bias_out


@dataclass(frozen=True)
class EmulatedStars:
    """Clean spectra that are computed when they are asked for: a bank on no disk.

    Parameters
    ----------
    emulator : SigmoidEmulator
        Labels to flux.
    labels : ndarray, shape (n_spectra, n_labels)
        Of each star.
    """

    emulator: SigmoidEmulator
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        return self.emulator.flux(self.labels[rows])


@dataclass(frozen=True)
class QuadraticEmulator:
    """A quadratic function of the labels per pixel: The Cannon (Ness et al. 2015).

    Parameters
    ----------
    coefficients : ndarray, shape (n_terms, n_pixels)
        Constant, linear terms, then products ``x_i x_j`` with ``i <= j``.
    baseline : ndarray, shape (n_labels,)
        Labels about which the function is expanded.
    scatter : ndarray, shape (n_pixels,)
        Intrinsic scatter of the training spectra about the model.
    """

    coefficients: np.ndarray
    baseline: np.ndarray
    scatter: np.ndarray

    @classmethod
    def read(cls, stem: str | Path) -> "QuadraticEmulator":
        """Read three text files that share a stem.

        Parameters
        ----------
        stem : path
            Path without ``.txt``, ``_baseline_labels.txt`` and ``_scatter.txt``.

        Returns
        -------
        QuadraticEmulator
            The emulator.
        """
        parts = (
            np.loadtxt(find_ingredient(f"{stem}{end}.txt", "a part of a Cannon model"))
            for end in ("", "_baseline_labels", "_scatter")
        )
        return cls(*parts)

    def flux(self, labels: np.ndarray) -> np.ndarray:
        """Evaluate the emulator.

        Parameters
        ----------
        labels : ndarray, shape (n_spectra, n_labels)
            T_eff (K), log g, [Fe/H], [alpha/Fe].

        Returns
        -------
        ndarray, shape (n_spectra, n_pixels)
            Normalised flux.
        """
        x = np.asarray(labels, dtype=float) - self.baseline
        i, j = np.triu_indices(x.shape[1])
        terms = np.concatenate([np.ones((len(x), 1)), x, x[:, i] * x[:, j]], axis=1)
        return terms @ self.coefficients
