# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Train the aligned autoencoder: templates, components, and the network between them.

No label enters, except one number for each of the two velocities, their zero points,
which no spectrum can tell, and the labels of the Sun, whose real spectrum tells which
pixels of the synthetic ones can be trusted.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from astro_latent.models.architectures.aligned_autoencoder import AlignedAutoencoder
from astro_latent.models.layers.interpolate import shift_mask, shift_rows
from astro_latent.simulation.harps_bank import HarpsBank
from astro_latent.training.start import start_from
from recipes.harps.stars import make_star_bank
from recipes.harps_dae_fast_v1.nodes import train_nodes
from recipes.harps_dae_fast_v1.pixel_weights import weigh_by_flux, weigh_by_likeness
from recipes.harps_dae_fast_v1.shapes import find_shapes
from recipes.options import OptionError, Options

__all__ = ["AlignedSample", "train_aligned"]

_AT_ONCE = 8
_ROUNDS = 3  # of aligning and averaging
_N_REPEATED = 160  # spectra observed twice for the spreads


def train_aligned(
    recipe: dict[str, Any], options: Options
) -> AlignedAutoencoder | None:
    """Train the aligned autoencoder of a recipe, stage by stage.

    The stages are sums over spectra in main memory, so they run on the processor. What
    a finished stage has found is kept in the work folder.

    Parameters
    ----------
    recipe : dict
        See ``recipes/harps_dae_fast_v1/recipe.toml``.
    options : Options
        Where and for how long.

    Returns
    -------
    AlignedAutoencoder or None
        In evaluation mode; None if the time was up before the last stage.

    Raises
    ------
    OptionError
        If another device than the processor is asked for.
    """
    if options.device != "cpu":
        msg = f"{recipe['made_by']} trains on a cpu, not on {options.device}"
        raise OptionError(msg)
    torch.manual_seed(recipe["seed"])
    model = AlignedAutoencoder(**recipe["arguments"]).eval()
    if options.from_weights:
        start_from(model, options.from_weights)
    bank = make_star_bank(options.data, options.work / "bank", **recipe["bank"])
    fit = recipe["fit"]
    with torch.no_grad():
        sample = AlignedSample(model, bank, fit["n_components"], recipe["seed"])

    stages = _list_stages(recipe, options, model, bank, sample)
    for number, stage in enumerate(stages):
        if not _recall(options.work, number, model, sample):
            if options.late:
                return None
            with torch.no_grad():
                stage()
            _keep(options.work, number, model, sample)
    return model


def _list_stages(
    recipe: dict[str, Any],
    options: Options,
    model: AlignedAutoencoder,
    bank: HarpsBank,
    sample: "AlignedSample",
) -> list[Callable[[], None]]:
    """Return the stages of the training in their order; each changes the model."""
    fit = recipe["fit"]

    def weigh_pixels() -> None:
        model.weight.copy_(weigh_by_flux(model, sample.smooth, sample.smooth_valid))
        model.weight.mul_(weigh_by_likeness(model, options.data, recipe["likeness"]))

    def find_stars() -> None:
        _align_stars(model, sample)
        _find_components(model, sample)

    def find_red() -> None:
        _extend_to_red(model, sample)
        _find_tellurics(model, sample)

    def find_nodes() -> None:
        with torch.no_grad():
            everything = _measure(model, bank, fit["n_nodes"], recipe["seed"] + 1)
        with torch.enable_grad():
            train_nodes(model, *everything, fit)

    return [
        weigh_pixels,
        find_stars,
        find_red,
        find_red,  # again: star and atmosphere make each other's work easier
        find_nodes,
        lambda: find_shapes(model, sample, fit["n_cosines"]),
        lambda: _calibrate_spreads(model, bank, recipe["seed"] + 2),
    ]


def _stage_file(work: Path, number: int) -> Path:
    return work / f"stage_{number}.safetensors"


def _keep(
    work: Path, number: int, model: AlignedAutoencoder, sample: "AlignedSample"
) -> None:
    """Write what the stages so far have found."""
    state = {f"model.{name}": t.contiguous() for name, t in model.state_dict().items()}
    state |= {f"sample.{name}": t.contiguous() for name, t in sample.found().items()}
    part = work / "stage.part"
    save_file(state, part)
    part.replace(_stage_file(work, number))


def _recall(
    work: Path, number: int, model: AlignedAutoencoder, sample: "AlignedSample"
) -> bool:
    """Take up a stage that an earlier run has finished, if there is one."""
    path = _stage_file(work, number)
    if not path.is_file():
        return False
    state = load_file(path)
    mine = {k.removeprefix("model."): v for k, v in state.items() if k[:6] == "model."}
    model.load_state_dict(mine)
    for name, tensor in sample.found().items():
        tensor.copy_(state[f"sample.{name}"])
    return True


class AlignedSample:
    """Spectra of a bank with their lines separated, and what is found of them.

    Parameters
    ----------
    model : AlignedAutoencoder
        Separates the lines.
    bank : HarpsBank
        Source of spectra.
    n_spectra : int
        How many.
    seed : int
        Of the choice of spectra and of their noise.
    """

    def __init__(
        self, model: AlignedAutoencoder, bank: HarpsBank, n_spectra: int, seed: int
    ) -> None:
        rng = np.random.default_rng([seed, 0])
        self.rows = np.sort(rng.choice(len(bank), n_spectra, replace=False))
        lines, smooth = [], []
        for flux in _observe(model, bank, self.rows, rng):
            flat = model.flatten(flux)
            lines.append(flat.lines.half())
            smooth.append(flat.smooth)
        self.lines = torch.cat(lines)
        self.smooth = torch.cat(smooth)
        self.valid = flat.valid[:1]  # the same for all, as the next
        self.smooth_valid = flat.smooth_valid[0]
        conditions = bank.conditions
        self.true_velocity = torch.from_numpy(conditions.radial_velocity[self.rows])
        self.true_earth = torch.from_numpy(conditions.berv[self.rows])
        snr = torch.from_numpy(conditions.snr[self.rows]).float()
        self.weight = (snr / 150.0).clamp(max=1.0)
        self.velocity = torch.zeros(n_spectra)
        self.earth = torch.zeros(n_spectra)
        self.coefficients = torch.zeros(n_spectra, len(model.star_scale))
        self.noise = torch.zeros(n_spectra)
        self.amounts = torch.zeros(n_spectra, model.sizes[2])

    def found(self) -> dict[str, Tensor]:
        """Return what the stages find out, by name."""
        names = ("velocity", "earth", "coefficients", "noise", "amounts")
        return {name: getattr(self, name) for name in names}

    def blocks(self) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Yield rows, lines and where they are good, a few spectra at a time.

        Yields
        ------
        rows : slice
            Of the sample.
        lines, valid : Tensor, shape (n, n_log)
            As observed.
        """
        for first in range(0, len(self.lines), _AT_ONCE):
            rows = slice(first, min(first + _AT_ONCE, len(self.lines)))
            lines = self.lines[rows].float()
            yield rows, lines, self.valid.expand(len(lines), -1)


def _observe(
    model: AlignedAutoencoder,
    bank: HarpsBank,
    rows: np.ndarray,
    rng: np.random.Generator,
) -> Iterator[Tensor]:
    """Yield spectra of a bank with new noise, on the grid."""
    for part in np.array_split(rows, -(-len(rows) // _AT_ONCE)):
        flux, _ = bank.observe(part, rng=rng)
        padded = flux.new_zeros(len(flux), model.n_pixels)
        padded[:, model.grid.valid] = flux
        yield padded


def _align_stars(model: AlignedAutoencoder, sample: AlignedSample) -> None:
    """Learn the template: align with the synthetic star, average, align again."""
    grid = model.grid
    for _ in range(_ROUNDS):
        total = torch.zeros(grid.n)
        for rows, lines, _ in sample.blocks():
            sample.velocity[rows], _ = model.find_velocity(lines)
            rest = shift_rows(lines, grid.to_pixels(sample.velocity[rows]))
            total += (sample.weight[rows, None] * rest).sum(0)
        model.star.template.copy_(total / sample.weight.sum())
    for rows, lines, _ in sample.blocks():
        sample.velocity[rows], _ = model.find_velocity(lines)
    zero = (sample.velocity - sample.true_velocity).median()
    model.star.template.copy_(_shift(model.star.template, grid.to_pixels(zero[None])))
    sample.velocity -= zero


def _shift(row: Tensor, pixels: Tensor) -> Tensor:
    """Move the content of a row to the red by a fraction of pixels."""
    return shift_rows(row[None], -pixels)[0]


def _find_components(model: AlignedAutoencoder, sample: AlignedSample) -> None:
    """Learn the components of the blue part at rest, least noise first."""
    blue, star = model.grid.blue, model.star
    rest = torch.zeros(len(sample.lines), model.grid.n_blue)
    there = torch.zeros_like(rest, dtype=torch.bool)
    for rows, lines, valid in sample.blocks():
        pixels = model.grid.to_pixels(sample.velocity[rows])
        rest[rows] = shift_rows(lines, pixels, blue)
        there[rows] = shift_mask(valid, pixels, blue)
    share = sample.weight[:, None] / sample.weight.sum()
    mean = (share * rest * there).sum(0) / (share * there).sum(0).clamp(min=1e-3)
    rest = torch.where(there, rest - mean, 0.0)
    weight = model.weight
    scaled = rest * weight * sample.weight[:, None]
    basis = _leading(scaled, len(star.basis))
    star.mean[blue] = mean
    star.basis[:, blue] = basis / weight
    for rows, lines, valid in sample.blocks():
        pixels = model.grid.to_pixels(sample.velocity[rows])
        aligned = shift_rows(lines, pixels, blue), shift_mask(valid, pixels, blue)
        sample.coefficients[rows], sample.noise[rows] = model.project(*aligned)
    model.star_scale.copy_(
        (share * sample.coefficients.square()).sum(0).sqrt().clamp(min=1e-4)
    )


def _leading(rows: Tensor, n_components: int) -> Tensor:
    """Return leading principal components of centred rows, orthonormal."""
    _, vectors = torch.linalg.eigh((rows @ rows.T).double())
    leading = vectors[:, -n_components:].flip(1).float()
    return torch.linalg.qr((leading.T @ rows).T).Q.T


def _extend_to_red(model: AlignedAutoencoder, sample: AlignedSample) -> None:
    """Regress the red part at rest on the coefficients, away from tellurics."""
    red = model.grid.red
    rest = torch.zeros(len(sample.lines), model.grid.n_red)
    for rows, lines, _ in sample.blocks():
        lines[:, red] = (1.0 + lines[:, red]) / _transmission(model, sample, rows) - 1.0
        pixels = model.grid.to_pixels(sample.velocity[rows])
        rest[rows] = shift_rows(lines, pixels, red).clamp(-1.0, 1.0)
    design = torch.cat([torch.ones(len(rest), 1), sample.coefficients], 1)
    scale = design.square().mean(0).sqrt()
    design = design / scale
    products = (design[:, :, None] * design[:, None]).flatten(1)
    weight = sample.weight[:, None].expand_as(rest).clone()
    for _ in range(3):  # tellurics are dark outliers at changing places
        normal = (weight.T @ products).unflatten(1, (design.shape[1], -1))
        normal += 1e-3 * len(rest) * torch.eye(design.shape[1])
        right = (weight * rest).T @ design
        solved = torch.linalg.solve(normal, right[..., None])[..., 0].T
        off = rest - design @ solved
        spread = 1.48 * off.abs().median(0).values + 2e-3
        dark = (-off / spread).clamp(min=0.0)
        weight = sample.weight[:, None] / (1.0 + (dark / 2.0).square())
    solved = solved / scale[:, None]
    model.star.mean[red] = solved[0]
    model.star.basis[:, red] = solved[1:]


def _transmission(
    model: AlignedAutoencoder, sample: AlignedSample, rows: slice
) -> Tensor:
    """Transmission of the atmosphere as far as it is known, in the red part."""
    depth = model.air.lines(sample.amounts[rows])
    return torch.exp(-shift_rows(depth, -model.grid.to_pixels(sample.earth[rows])))


def _find_tellurics(model: AlignedAutoencoder, sample: AlignedSample) -> None:
    """Learn the telluric template and components from what stars do not explain."""
    grid, air = model.grid, model.air
    valid = sample.valid[:, grid.red]
    depth = torch.zeros(len(sample.lines), grid.n_red)
    for rows, lines, _ in sample.blocks():
        found = sample.velocity[rows], sample.coefficients[rows]
        depth[rows] = model.measure_depth(lines, *found) * valid
    if not air.template.any():
        deepest = (depth.square().sum(1) * sample.weight).argmax()
        air.template.copy_(depth[deepest])
    aligned = torch.zeros_like(depth)
    for _ in range(_ROUNDS):
        for rows, _, _ in sample.blocks():
            block = depth[rows]
            sample.earth[rows], *_ = model.find_atmosphere(
                block, valid.expand_as(block)
            )
            aligned[rows] = shift_rows(block, grid.to_pixels(sample.earth[rows]))
        mean = (sample.weight[:, None] * aligned).sum(0) / sample.weight.sum()
        air.template.copy_(mean)
    for rows, _, _ in sample.blocks():
        block = depth[rows]
        sample.earth[rows], *_ = model.find_atmosphere(block, valid.expand_as(block))
    zero = (sample.earth - sample.true_earth).median()
    sample.earth -= zero
    air.template.copy_(_shift(air.template, grid.to_pixels(zero[None])))
    for rows, _, _ in sample.blocks():
        aligned[rows] = shift_rows(depth[rows], grid.to_pixels(sample.earth[rows]))
    air.mean.copy_(air.template)
    scaled = (aligned - air.mean) * sample.weight[:, None]
    air.basis.copy_(_leading(scaled, len(air.basis)))
    sample.amounts = (aligned - air.mean) @ air.basis.T
    model.scale[2 : 2 + len(air.basis)] = sample.amounts.std(0)


def _measure(
    model: AlignedAutoencoder, bank: HarpsBank, n_spectra: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Return coefficients and noise of many spectra."""
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(bank), n_spectra, replace=False))
    found = []
    for flux in _observe(model, bank, rows, rng):
        lines, valid, _, _ = model.flatten(flux)
        found.append(model.find_star(lines, valid)[2:])
    coefficients, noise = (torch.cat(part) for part in zip(*found, strict=True))
    return coefficients, noise


def _calibrate_spreads(model: AlignedAutoencoder, bank: HarpsBank, seed: int) -> None:
    """Scale the spreads of all but the star's nodes to the scatter of repeats."""
    rows = np.arange(_N_REPEATED)
    twice = []
    for repeat in range(2):
        rng = np.random.default_rng([seed, repeat])
        found = [model.encode(flux) for flux in _observe(model, bank, rows, rng)]
        twice.append([torch.cat(part) for part in zip(*found, strict=True)])
    (first, spread_1), (second, spread_2) = twice
    expected = torch.exp(spread_1) + torch.exp(spread_2)
    ratio = (first - second).abs() / expected.sqrt()
    factor = 1.4826 * ratio.median(0).values
    stars = slice(2 + model.sizes[2], 2 + model.sizes[2] + model.sizes[3])
    factor[stars] = 1.0  # the network itself was trained to give these
    model.error_scale.copy_(factor.clamp(min=1e-3))
