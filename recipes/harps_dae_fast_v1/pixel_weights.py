# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How much each pixel at rest counts when components are fitted.

Synthetic spectra are wrong at some lines and right at others. The star on which their
oscillator strengths were tuned tells where: pixels count less as they differ there.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from astro_latent.models.architectures.aligned_autoencoder import AlignedAutoencoder
from astro_latent.models.layers.interpolate import shift_rows
from astro_latent.models.layers.log_grid import interpolate_points
from astro_latent.preparation import prepare_spectra
from astro_latent.preparation.recipe import HARPS_RECIPE
from astro_latent.simulation import HarpsConditions
from recipes.harps.stars import open_simulator

__all__ = ["weigh_by_flux", "weigh_by_likeness"]

_SMOOTHED = 5  # pixels over which the difference is averaged
_CONDITIONS = {
    "radial_velocity": 0.0, "berv": 0.0, "airmass": 0.0, "pwv": 0.0, "snr": 500.0,
    "tilt": 0.0,
}  # fmt: skip


def weigh_by_flux(model: AlignedAutoencoder, smooth: Tensor, valid: Tensor) -> Tensor:
    """Return weights as of photon noise: the square root of the mean flux.

    Parameters
    ----------
    model : AlignedAutoencoder
        With the grid.
    smooth : Tensor, shape (n, n_points)
        ln of the smooth flux of many spectra.
    valid : Tensor of bool, shape (n_points,)
        Where there are data.

    Returns
    -------
    Tensor, shape (n_blue,)
        At most 1.5.
    """
    index = np.arange(len(valid))
    mean = smooth[:, valid].mean(0).numpy()
    filled = np.interp(index, index[valid.numpy()], mean)
    points = torch.from_numpy(filled).float()[None]
    weight = torch.exp(0.5 * interpolate_points(points)[0])
    return weight[model.grid.blue].clamp(max=1.5)


def weigh_by_likeness(
    model: AlignedAutoencoder, data: str | Path, options: dict[str, Any]
) -> Tensor:
    """Return weights that fall where synthetic and real lines of one star differ.

    Parameters
    ----------
    model : AlignedAutoencoder
        With the weights of `weigh_by_flux`; its template becomes the synthetic star.
    data : path
        Folder with the training ingredients.
    options : dict
        ``file`` of the star below ``data``, its ``labels`` in the order of the
        library, ``vsini`` and ``vmacro``, and what difference a pixel may have before
        it counts 0.7 as much: ``softening``, in units of the smooth flux, and
        ``share`` of the depth of its line, in quadrature.

    Returns
    -------
    Tensor, shape (n_blue,)
        Between 0 and 1.
    """
    synthetic = model.flatten(_simulate(data, options, model))
    prepared = prepare_spectra(
        [Path(data, options["file"])], "harps_327680", HARPS_RECIPE
    )
    real = model.flatten(
        torch.from_numpy(prepared.flux), torch.from_numpy(prepared.valid)
    )
    model.star.template.copy_(synthetic.lines[0])
    velocity, _ = model.find_velocity(real.lines)
    blue = model.grid.blue
    rest = shift_rows(real.lines, model.grid.to_pixels(velocity), blue)
    ours = synthetic.lines[:, blue]
    both = torch.cat([rest - ours, ours]).square()
    difference, depth = functional.avg_pool1d(
        both, _SMOOTHED, stride=1, padding=_SMOOTHED // 2
    )
    allowed = options["softening"] ** 2 + options["share"] ** 2 * depth
    return torch.rsqrt(1.0 + difference / allowed)


def _simulate(
    data: str | Path, options: dict[str, Any], model: AlignedAutoencoder
) -> Tensor:
    """Simulate the star at rest, without tellurics and noise."""
    values = {**_CONDITIONS, "vsini": options["vsini"], "vmacro": options["vmacro"]}
    conditions = HarpsConditions(
        **{name: np.array([value]) for name, value in values.items()}
    )
    clean = open_simulator(data).clean(
        np.array([options["labels"]], dtype=float),
        conditions,
        rng=np.random.default_rng(0),
    )
    flux = clean.new_zeros(1, model.n_pixels)
    flux[:, model.grid.valid] = clean
    return flux
