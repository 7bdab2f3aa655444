# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Templates, weights of pixels, components, and what wrong lines do to coefficients."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from astro_latent.models import load_model
from astro_latent.models.architectures.aligned_ensemble import AlignedEnsemble
from astro_latent.preparation import prepare_spectra
from astro_latent.preparation.recipe import HARPS_RECIPE
from astro_latent.simulation import HarpsConditions
from astro_latent.simulation.harps_library import HarpsLibrary
from astro_latent.utils.physics import SPEED_OF_LIGHT
from recipes.harps.stars import LIBRARY, open_simulator
from recipes.harps_parameters_v2.library import RestStars, read_rest, render_rest
from recipes.options import Options

__all__ = [
    "Sample",
    "describe_sample",
    "find_components",
    "set_templates",
    "wavelengths",
]

_AT_ONCE = 200
_SMOOTHED = 5  # pixels over which differences are averaged
_SHARP = (5600.0, 4.3, 0.0, 0.0, 1.0, 0.0, 0.0)  # labels of the sharp template
_BLUR = 1.5  # km/s: macroturbulence of the sharp template
_KNOT = 510.0  # km/s between the knots of errors of the flux shape
_N_SHAPES = 1500


@dataclass
class Sample:
    """Coefficients of synthetic stars, and how errors change them.

    Parameters
    ----------
    coefficients : Tensor, shape (n, n_components)
        Without errors.
    wrong_lines : Tensor, shape (n, 2, n_components)
        Change when each line is wrong by its own share of its depth, of unit variance;
        two draws.
    wrong_shapes : Tensor, shape (n_shapes, n_components)
        Change when the smooth flux is wrong by its own unit.
    depth : Tensor, shape (n,)
        Mean square of the weighted lines.
    weight : float
        Mean square of the weight.
    targets : Tensor, shape (n, n_labels)
        Labels in the network's units.
    """

    coefficients: Tensor
    wrong_lines: Tensor
    wrong_shapes: Tensor
    depth: Tensor
    weight: float
    targets: Tensor


def wavelengths(model: AlignedEnsemble) -> np.ndarray:
    """Return the wavelengths of the part that counts, Angstrom.

    Parameters
    ----------
    model : AlignedEnsemble
        With the pixels.

    Returns
    -------
    ndarray, shape (n_part,)
        Of the middles of the pixels, in air.
    """
    pixel = (np.arange(model.part.start, model.part.stop) + 0.5) * model.joined - 0.5
    return model.first_wavelength * np.exp(pixel * model.grid.step / SPEED_OF_LIGHT)


def set_templates(model: AlignedEnsemble, encoder: str, data: str | Path) -> None:
    """Take the template of velocities from an encoder, and make the sharp one.

    Parameters
    ----------
    model : AlignedEnsemble
        Changed in place.
    encoder : str
        Name or folder of the weights of an ``aligned_autoencoder``.
    data : path
        Folder with the training ingredients.
    """
    other: Any = load_model(encoder, device="cpu").members[0]
    model.template.copy_(other.star.template[other.grid.blue])
    model.template_weight.copy_(other.weight)
    model.velocity_scale.copy_(other.error_scale[:1])
    model.sharp.copy_(_sharp_lines(model, data))


def _sharp_lines(model: AlignedEnsemble, data: str | Path) -> Tensor:
    """Lines of a star that hardly rotates, as the network itself sees them."""
    values = {"vsini": 0.3, "vmacro": _BLUR, "snr": 500.0}
    conditions = HarpsConditions(
        **{f.name: np.array([values.get(f.name, 0.0)]) for f in fields(HarpsConditions)}
    )
    clean = open_simulator(data).clean(
        np.array([_SHARP]), conditions, rng=np.random.default_rng(0)
    )
    flux = clean.new_zeros(1, model.n_pixels)
    flux[:, model.grid.valid] = clean
    rest = model.bring_to_rest(flux)
    known = rest.lines_valid[0, model.searched]
    return torch.where(known, rest.lines[0, model.searched], 0.0)


def weigh_pixels(
    model: AlignedEnsemble, data: str | Path, likeness: dict[str, Any]
) -> Tensor:
    """Return weights that fall where synthetic and real lines of the Sun differ.

    Parameters
    ----------
    model : AlignedEnsemble
        With its templates.
    data : path
        Folder with the training ingredients.
    likeness : dict
        ``file`` of the star below ``data``, its ``labels`` in the order of the library,
        ``vsini`` and ``vmacro``; what difference a pixel may have: ``softening``, and
        ``share`` of the depth of its line; ``left_out``, ranges in Angstrom.

    Returns
    -------
    Tensor, shape (n_part,)
        Between 0 and 1; 0 in the ranges that are left out.
    """
    star = RestStars(
        np.array([likeness["labels"]]),
        np.array([likeness["vsini"]]),
        np.array([likeness["vmacro"]]),
    )
    flux = render_rest(model, HarpsLibrary(Path(data, LIBRARY)), star)
    ours, _ = model.flatten_rest(flux, torch.ones_like(flux, dtype=torch.bool))
    prepared = prepare_spectra(
        [Path(data, likeness["file"])], "harps_327680", HARPS_RECIPE
    )
    rest = model.bring_to_rest(
        torch.from_numpy(prepared.flux), torch.from_numpy(prepared.valid)
    )
    real, _ = model.flatten_rest(rest.flux, rest.valid)
    both = torch.cat([real - ours, ours]).square()
    difference, depth = functional.avg_pool1d(
        both, _SMOOTHED, stride=1, padding=_SMOOTHED // 2
    )
    allowed = likeness["softening"] ** 2 + likeness["share"] ** 2 * depth
    weight = torch.rsqrt(1.0 + difference / allowed)
    place = wavelengths(model)
    for low, high in likeness["left_out"]:
        weight[torch.from_numpy((place > low) & (place < high))] = 0.0
    return weight


@torch.no_grad()
def find_components(
    model: AlignedEnsemble, stars: RestStars, recipe: dict[str, Any], options: Options
) -> Sample:
    """Set weights and components of a network, and find coefficients with them.

    Parameters
    ----------
    model : AlignedEnsemble
        Changed in place.
    stars : RestStars
        Whose lines `simulate_rest` has written.
    recipe : dict
        See ``recipe.toml``.
    options : Options
        Where the lines are.

    Returns
    -------
    Sample
        For the training of the heads.
    """
    lines = read_rest(options.work, len(stars.vsini))
    model.weight.copy_(weigh_pixels(model, options.data, recipe["likeness"]))
    generator = torch.Generator().manual_seed(recipe["seed"])
    chosen = torch.randperm(len(lines), generator=generator)
    chosen = chosen[: recipe["fit"]["n_components"]].sort().values.numpy()
    rows = torch.from_numpy(lines[chosen].astype(np.float32))
    model.mean.copy_(rows.mean(0))
    rows.sub_(model.mean).mul_(model.weight)
    _, vectors = torch.linalg.eigh((rows @ rows.T).double())
    leading = vectors[:, -len(model.basis) :].flip(1).float()
    orthonormal = torch.linalg.qr((leading.T @ rows).T).Q.T
    stored = torch.where(model.weight > 0, orthonormal / model.weight, 0.0)
    model.basis.copy_(stored.half())  # as in the file: coefficients are those of it
    sample = describe_sample(model, lines, stars, recipe, generator)
    model.star_scale.copy_(sample.coefficients.std(0))
    return sample


def describe_sample(
    model: AlignedEnsemble,
    lines: np.ndarray,
    stars: RestStars,
    recipe: dict[str, Any],
    generator: torch.Generator,
) -> Sample:
    """Find coefficients of stars, and what wrong lines and flux shapes do to them.

    Parameters
    ----------
    model : AlignedEnsemble
        With its components.
    lines : ndarray, shape (n, n_part)
        As it flattens them.
    stars : RestStars
        Whose lines they are.
    recipe : dict
        With ``offset`` and ``scale``.
    generator : torch.Generator
        Source of randomness.

    Returns
    -------
    Sample
        For `recipes.harps_parameters_v2.heads.SeenErrors`.
    """
    weighted = (model.basis * model.weight.square()).T
    found, wrong = [], []
    for first in range(0, len(lines), _AT_ONCE):
        rows = torch.from_numpy(lines[first : first + _AT_ONCE].astype(np.float32))
        found.append((rows - model.mean) @ weighted)
        draws = []
        for _ in range(2):
            noise = torch.empty_like(rows).normal_(generator=generator)
            noise = sum(torch.roll(noise, k, 1) for k in (-1, 0, 1, 2)) / 2.0
            draws.append((noise * rows) @ weighted)
        wrong.append(torch.stack(draws, 1))
    coefficients = torch.cat(found)
    n, step = len(model.mean), int(_KNOT / (model.grid.step * model.joined))
    knots = torch.randn(_N_SHAPES, 1, n // step + 3, generator=generator)
    shapes = [
        functional.interpolate(
            part, size=(n // step + 3) * step, mode="linear"
        )[:, 0, :n] @ weighted
        for part in knots.split(_AT_ONCE)
    ]  # fmt: skip
    middle = model.mean * model.weight
    cross = 2.0 * coefficients @ (model.basis @ (model.weight * middle))
    depth = (middle.square().sum() + cross + coefficients.square().sum(1)) / n
    offset, scale = (torch.tensor(recipe[key][1:-1]) for key in ("offset", "scale"))
    targets = torch.from_numpy(stars.targets().astype(np.float32))
    targets[:, -1] -= np.log(recipe["scale"][-1])
    targets[:, :-1] = (targets[:, :-1] - offset) / scale
    return Sample(
        coefficients, torch.cat(wrong), torch.cat(shapes), depth.clamp(min=1e-6),
        float(model.weight.square().mean()), targets,
    )  # fmt: skip
