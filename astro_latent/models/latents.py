# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra to latent features and back, by a loaded autoencoder."""

from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..preparation.prepared import PreparedSpectra
from .domain import judge_results
from .inference import Runner, pad_rows
from .networks import LatentNetwork
from .protocols import LoadedModel
from .results import Latents, Reconstruction

__all__ = ["as_latents", "decode_latents", "encode_spectra", "reconstruct_spectra"]


def encode_spectra(model: LoadedModel, prepared: PreparedSpectra) -> Latents:
    """Encode spectra; see `SpectralModel.encode`.

    Parameters
    ----------
    model : LoadedModel
        An autoencoder.
    prepared : PreparedSpectra
        On its grid.

    Returns
    -------
    Latents
        The posterior.
    """
    network = cast(LatentNetwork, model.members[0])
    mean, sigma = (_nan(len(prepared.flux), model.config.n_outputs) for _ in range(2))
    for rows, (block, log_variance) in _run_blocks(
        model.runner,
        network.encode,
        prepared.flux,
        prepared.valid,
        rows=np.flatnonzero(prepared.usable),
        n_pixels=model.grid.n_pixels,
    ):
        mean[rows], sigma[rows] = block, _deviation(log_variance)
    flags = judge_results(model.config, prepared, {"mean": mean, "sigma": sigma})
    return Latents(mean=mean, sigma=sigma, flags=flags)


def as_latents(values: npt.ArrayLike, count: int) -> np.ndarray:
    """Check the shape of latent vectors.

    Parameters
    ----------
    values : array_like, shape (n_spectra, n_latent)
        Latent vectors.
    count : int
        Latents that there must be.

    Returns
    -------
    ndarray, shape (n_spectra, n_latent), float32
        The same.

    Raises
    ------
    ValueError
        If the shape is wrong.
    """
    latents = np.asarray(values, dtype=np.float32)
    if latents.ndim != 2 or latents.shape[1] != count:
        msg = f"latent vectors must have shape (n, {count}), not {latents.shape}"
        raise ValueError(msg)
    return latents


def decode_latents(model: LoadedModel, mean: np.ndarray) -> np.ndarray:
    """Decode latent vectors; see `SpectralModel.decode`.

    Parameters
    ----------
    model : LoadedModel
        An autoencoder.
    mean : ndarray, shape (n_spectra, n_latent), float32
        Latent vectors.

    Returns
    -------
    ndarray, shape (n_spectra, n_pixels), float32
        Prepared flux; NaN where latents or flux are not finite.
    """
    n_pixels = model.grid.n_pixels
    network = cast(LatentNetwork, model.members[0])
    flux = _nan(len(mean), n_pixels)
    for rows, (decoded,) in _run_blocks(
        model.runner,
        lambda latent: (network.decode(latent),),
        mean,
        rows=np.flatnonzero(np.isfinite(mean).all(axis=1)),
        n_pixels=n_pixels,
    ):
        flux[rows] = _whole(decoded)
    return flux


def reconstruct_spectra(
    model: LoadedModel, prepared: PreparedSpectra, *, keep_flux: bool = True
) -> Reconstruction:
    """Encode spectra and decode the means; see `SpectralModel.reconstruct`.

    Parameters
    ----------
    model : LoadedModel
        An autoencoder.
    prepared : PreparedSpectra
        On its grid.
    keep_flux : bool, optional
        Return the reconstructed flux too.

    Returns
    -------
    Reconstruction
        Flux, residual, latents.
    """
    network = cast(LatentNetwork, model.members[0])
    mean, sigma = (_nan(len(prepared.flux), model.config.n_outputs) for _ in range(2))
    residual = _nan(len(prepared.flux))
    flux = _nan(len(prepared.flux), model.grid.n_pixels) if keep_flux else None

    def there_and_back(x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        latent, log_variance = network.encode(x, valid)
        return latent, log_variance, network.decode(latent)

    for rows, (block, log_variance, decoded) in _run_blocks(
        model.runner,
        there_and_back,
        prepared.flux,
        prepared.valid,
        rows=np.flatnonzero(prepared.usable),
        n_pixels=model.grid.n_pixels,
    ):
        mean[rows], sigma[rows] = block, _deviation(log_variance)
        decoded = _whole(decoded)
        for row, again in zip(rows, decoded, strict=True):
            valid = prepared.valid[row]
            difference = prepared.flux[row][valid] - again[valid]
            residual[row] = np.abs(difference).mean(dtype=float)
        if flux is not None:
            flux[rows] = decoded
    found = {"mean": mean, "sigma": sigma, "residual": residual}
    found |= {} if flux is None else {"flux": flux}
    flags = judge_results(model.config, prepared, found)
    latents = Latents(mean=mean, sigma=sigma, flags=flags)
    return Reconstruction(flux=flux, residual=residual, latents=latents, flags=flags)


def _run_blocks(
    runner: Runner,
    function: Callable[..., tuple[Tensor, ...]],
    *arrays: np.ndarray,
    rows: np.ndarray,
    n_pixels: int,
) -> Iterator[tuple[np.ndarray, tuple[np.ndarray, ...]]]:
    """Apply a function to some rows of arrays, few at a time; yield which, and what."""
    size = runner.row_multiple(n_pixels)
    for start in range(0, len(rows), size):
        block = rows[start : start + size]
        tensors = [pad_rows(runner.tensor(array[block]), size) for array in arrays]
        with torch.inference_mode(), runner.numerics():
            results = function(*tensors)
        found = (result[: len(block)].float().cpu().numpy() for result in results)
        yield block, tuple(found)


def _deviation(log_variance: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # what is infinite is no result
        return np.exp(0.5 * log_variance)


def _whole(decoded: np.ndarray) -> np.ndarray:
    """Return spectra, NaN where one is not finite."""
    return np.where(np.isfinite(decoded).all(axis=1, keepdims=True), decoded, np.nan)


def _nan(*shape: int) -> np.ndarray:
    return np.full(shape, np.nan, dtype=np.float32)
