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
from .left_lines import lopsided_share
from .networks import LatentNetwork, PartialNetwork
from .protocols import LoadedModel
from .results import Latents, Reconstruction

__all__ = [
    "as_latents",
    "decode_latents",
    "encode_spectra",
    "reconstruct_spectra",
    "score_latents",
    "unexplained_share",
]


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
    found = {"mean": mean, "sigma": sigma, "domain_score": _score(model, mean)}
    flags = judge_results(model.config, prepared, found)
    return Latents(**found, flags=flags)


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


def decode_latents(
    model: LoadedModel, mean: np.ndarray, pixels: slice = slice(None)
) -> np.ndarray:
    """Decode latent vectors; see `SpectralModel.decode`.

    Parameters
    ----------
    model : LoadedModel
        An autoencoder.
    mean : ndarray, shape (n_spectra, n_latent), float32
        Latent vectors.
    pixels : slice, optional
        Those that are wanted.

    Returns
    -------
    ndarray, shape (n_spectra, n_wanted), float32
        Prepared flux; NaN where latents or flux are not finite.
    """
    n_pixels = model.grid.n_pixels
    network = cast(LatentNetwork, model.members[0])
    first, last, _ = pixels.indices(n_pixels)
    flux = _nan(len(mean), last - first)

    def decode(latent: Tensor) -> tuple[Tensor]:
        if isinstance(network, PartialNetwork):
            return (network.decode_part(latent, first, last),)
        return (network.decode(latent)[:, first:last],)

    for rows, (decoded,) in _run_blocks(
        model.runner,
        decode,
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
    residual, unexplained, second = (_nan(len(prepared.flux)) for _ in range(3))
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
            seen, rebuilt = prepared.flux[row][valid], again[valid]
            residual[row] = np.abs(seen - rebuilt).mean(dtype=float)
            unexplained[row] = _share(model, seen, rebuilt)
            second[row] = _second(model, valid, seen, rebuilt)
        if flux is not None:
            flux[rows] = decoded
    score = np.fmax(_score(model, mean), unexplained)
    found = {"mean": mean, "sigma": sigma, "domain_score": score, "residual": residual}
    found |= {"second": second}
    found |= {} if flux is None else {"flux": flux}
    flags = judge_results(model.config, prepared, found)
    latents = Latents(mean=mean, sigma=sigma, domain_score=score, flags=flags)
    return Reconstruction(flux=flux, residual=residual, latents=latents, flags=flags)


def score_latents(
    latents: np.ndarray, mean: np.ndarray, directions: np.ndarray
) -> np.ndarray:
    """Return how far latents lie in the directions of foreign spectra.

    Parameters
    ----------
    latents : ndarray, shape (n_spectra, n_latent)
        Means of the posterior.
    mean : ndarray, shape (n_latent,)
        Of the training set.
    directions : ndarray, shape (n_directions, n_latent)
        Each points from the training set to a kind of spectra that is not in it, and
        is as long as the limit is near.

    Returns
    -------
    ndarray, shape (n_spectra,)
        Domain score: 0 at the mean and behind it, 1 at the limit of any direction.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.models.latents import score_latents
    >>> score_latents(np.array([[0.5], [-3.0]]), np.zeros(1), np.array([[4.0]]))
    array([2., 0.])
    """
    return np.maximum(((latents - mean) @ directions.T).max(axis=1), 0.0)


def unexplained_share(
    flux: np.ndarray, rebuilt: np.ndarray, *, width: int, lag: int
) -> float:
    """Return the share of the lines of a spectrum that a reconstruction lacks.

    What varies slowly is taken off both. Of what is left, squares are taken between
    pixels that lie a little apart: lines are wider than that, and noise is not, so that
    no error of the flux has to be known.

    Parameters
    ----------
    flux, rebuilt : ndarray, shape (n_pixels,)
        Valid pixels of the spectrum, and their reconstruction.
    width : int
        Pixels over which the slow part is averaged.
    lag : int
        Pixels between the two factors.

    Returns
    -------
    float
        0 for a perfect reconstruction, about 1 for none; NaN for a spectrum that has
        no lines, or fewer pixels than ten widths.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.models.latents import unexplained_share
    >>> lines = np.sin(np.arange(4000) / 5.0)
    >>> noise = np.random.default_rng(0).normal(0.0, 0.5, 4000)
    >>> share = unexplained_share(1 + lines + noise, 0.9 * lines, width=201, lag=3)
    >>> 0 < share < 0.03  # a tenth of the lines is a hundredth of their squares
    True
    """
    from scipy.ndimage import uniform_filter1d

    if len(flux) < 10 * width:
        return np.nan
    lines, left = (
        values - uniform_filter1d(values, width, mode="nearest")
        for values in (flux.astype(float), (flux - rebuilt).astype(float))
    )
    total, rest = (float(x[lag:] @ x[:-lag]) for x in (lines, left))
    return rest / total if total > 0 else np.nan


def _score(model: LoadedModel, latents: np.ndarray) -> np.ndarray:
    """How far latents lie where foreign spectra do; NaN if that is not known."""
    if model.domain_mean is None or model.domain_whitening is None:
        return _nan(len(latents))
    score = score_latents(latents, model.domain_mean, model.domain_whitening)
    return score.astype(np.float32)


def _share(model: LoadedModel, flux: np.ndarray, rebuilt: np.ndarray) -> float:
    """Share of the lines that a decoder leaves, over its limit; NaN without one."""
    limits = model.config.domain
    if not limits.keys() >= {"unexplained_limit", "unexplained_pixels"}:
        return np.nan
    width, lag = limits["unexplained_pixels"]
    share = unexplained_share(flux, rebuilt, width=width, lag=lag)
    return share / limits["unexplained_limit"]


def _second(
    model: LoadedModel, valid: np.ndarray, seen: np.ndarray, rebuilt: np.ndarray
) -> float:
    """How much of the lines is a second star's; NaN where no limit is stated."""
    limits = model.config.domain
    if not limits.keys() >= {"second_limit", "second_band"}:
        return np.nan
    wavelength = model.grid.wavelength[valid]
    low, high = limits["second_band"]
    band = (wavelength > low) & (wavelength < high)
    return lopsided_share(wavelength[band], seen[band], rebuilt[band])


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
