# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What one writes with Astropy, NumPy and eager PyTorch: the peers of `bench_speed`.

They do the arithmetic of a recipe and of a network, in batches of the size that suits
them best, and none of our checks: no format is found out, no file is judged, nothing is
searched for a second star or for the wrong wavelengths, and no row gets flags.
"""

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from astropy import units as u
from astropy.io import fits
from astropy.table import QTable

from astro_latent.models import SpectralModel
from astro_latent.models.domain import move_giants
from astro_latent.surveys.apogee.star import APOGEE_BAD_BITS

_BAD = sum(1 << bit for bit in APOGEE_BAD_BITS)
_BATCH, _BATCH_JACOBIAN = 32, 8  # the fastest of 8 to 128 on the machine of the page

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]


def read_pixels(path: str) -> list[np.ndarray]:
    """Read flux, errors and mask of the combined spectrum, and nothing else."""
    with fits.open(path) as hdus:
        return [np.atleast_2d(hdus[k].data)[0].copy() for k in (1, 2, 3)]


def read_apstar(path: str) -> tuple[np.ndarray, Arrays, dict[str, object]]:
    """Read wavelengths, pixels and the facts that a table of results has."""
    with fits.open(path) as hdus:
        flux, sigma, bits = (np.atleast_2d(hdus[k].data)[0] for k in (1, 2, 3))
        head, axis = hdus[0].header, hdus[1].header
        wavelength = 10 ** (axis["CRVAL1"] + axis["CDELT1"] * np.arange(len(flux)))
        good = np.isfinite(flux) & np.isfinite(sigma) & (sigma > 0) & (flux != 0)
        good &= (bits.astype(np.int64) & _BAD) == 0
        facts = {key: head.get(key) for key in ("OBJID", "RA", "DEC", "SNR", "JD1")}
        return wavelength, (flux.astype(float), sigma.astype(float), good), facts


def _continuum_pixels(wavelength: np.ndarray) -> np.ndarray:
    """Return the pixels nearest to those of the Cannon's list."""
    data = files("astro_latent.preparation") / "data/apogee_continuum_pixels.json"
    wanted = np.array(json.loads(data.read_text())["wavelength"])
    nearest = np.abs(wavelength[:, None] - wanted).argmin(axis=0)
    return np.isin(np.arange(len(wavelength)), nearest)


def prepare_apogee(
    model: SpectralModel, spectra: Sequence[tuple[np.ndarray, Arrays]]
) -> Arrays:
    """Cut, divide by the continua of the chips, mask: flux, valid, variance."""
    grid = model.grid
    chosen = _continuum_pixels(grid.wavelength)
    flux, variance = np.zeros((2, len(spectra), grid.n_pixels), dtype=np.float32)
    valid = np.zeros(flux.shape, dtype=bool)
    for i, (wavelength, arrays) in enumerate(spectra):
        at = np.searchsorted(wavelength, grid.wavelength * (1 - 1e-9))
        seen, sigma, good = (values[at] for values in arrays)
        for first, last in grid.segments:
            part = slice(first, last)
            x = grid.wavelength[part]
            x = 2 * (x - x[0]) / (x[-1] - x[0]) - 1
            use = chosen[part] & good[part]
            if not use.any():
                continue
            fit = np.polynomial.chebyshev.chebfit(
                x[use], seen[part][use], 4, w=1 / sigma[part][use]
            )
            level = np.polynomial.chebyshev.chebval(x, fit)
            flux[i, part], variance[i, part] = (
                seen[part] / level,
                (sigma[part] / level) ** 2,
            )
        valid[i] = good & (flux[i] >= 0) & (flux[i] <= 1.5)
    for first, last in ((771, 780), (2912, 2928)):
        valid[:, first:last] = False
    return np.where(valid, flux, 0), valid, np.where(valid, variance, 0)


def predict_eager(
    model: SpectralModel, arrays: Arrays, *, jacobian: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Labels and, with a backward pass for each label, covariance from the flux."""
    network, labels, covariances = model.members[0], [], []
    size = _BATCH_JACOBIAN if jacobian else _BATCH
    for start in range(0, len(arrays[0]), size):
        flux, valid, variance = (
            torch.from_numpy(values[start : start + size]) for values in arrays
        )
        with torch.set_grad_enabled(jacobian):
            found = network(flux.requires_grad_(jacobian), valid)
            mean = found[0] if isinstance(found, tuple) else found
        labels.append(mean.detach().numpy())
        if jacobian:
            rows = [
                torch.autograd.grad(label.sum(), flux, retain_graph=True)[0]
                for label in mean.unbind(1)
            ]
            weighted = torch.stack(rows, dim=1) * variance.sqrt()[:, None]
            covariances.append((weighted @ weighted.mT).numpy())
    values = model.offsets + model.scales * np.concatenate(labels)
    values, turn = move_giants(model.config, values, model.offsets, model.scales)
    if not jacobian:
        return values, None
    scales = model.scales * model.config.calibration["flux_scale"]
    covariance = np.concatenate(covariances) * np.outer(scales, scales)
    return values, turn @ covariance @ turn.swapaxes(1, 2)


def write_table(
    model: SpectralModel,
    facts: Sequence[dict[str, object]],
    values: np.ndarray,
    covariance: np.ndarray | None,
    path: Path,
) -> None:
    """Write labels, errors and covariance beside what is known of the stars."""
    table = QTable({key: [fact[key] for fact in facts] for key in facts[0]})
    for i, output in enumerate(model.outputs):
        unit = u.Unit(output.unit) if output.unit else None
        table[output.name] = values[:, i] * (unit or 1)
        if covariance is not None:
            table[f"{output.name}_error"] = np.sqrt(covariance[:, i, i]) * (unit or 1)
    if covariance is not None:
        table["covariance"] = covariance.reshape(len(values), -1)
    table.write(path, format="votable", tabledata_format="binary2", overwrite=True)


def label_files(
    model: SpectralModel, paths: Sequence[str], out: Path, *, jacobian: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Go from apStar files to a VOTable."""
    spectra = [read_apstar(path) for path in paths]
    arrays = prepare_apogee(model, [(axis, each) for axis, each, _ in spectra])
    values, covariance = predict_eager(model, arrays, jacobian=jacobian)
    write_table(model, [facts for *_, facts in spectra], values, covariance, out)
    return values, covariance


def encode_harps(
    model: SpectralModel, paths: Sequence[str], *, decode: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Go from files of HARPS (a table of one row) to latents, one file at a time."""
    network, latents, residuals = model.members[0], [], []
    for path in paths:
        with fits.open(path) as hdus:
            row = hdus[1].data[0]
            wavelength, seen = (np.array(row[k], float) for k in ("WAVE", "FLUX"))
        good = np.isfinite(seen) & (seen != 0)
        grid = model.grid
        flux = np.interp(grid.wavelength, wavelength, np.where(good, seen, 0.0))
        inside = np.interp(grid.wavelength, wavelength, good.astype(float), 0.0, 0.0)
        valid = (inside >= 0.5) & grid.valid
        flux = np.where(valid, flux / np.median(flux[valid]), 0.0).astype(np.float32)
        with torch.inference_mode():
            tensors = torch.from_numpy(flux)[None], torch.from_numpy(valid)[None]
            latent, _ = network.encode(*tensors)
            latents.append(latent[0].numpy())
            if decode:
                made = network.decode(latent)[0].numpy()
                residuals.append(np.abs(made - flux)[valid].mean())
    return np.array(latents), np.array(residuals)
