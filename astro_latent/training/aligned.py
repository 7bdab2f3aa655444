# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Train the aligned autoencoder: templates, components, and the network between them.

No label enters, except one number for each of the two velocities: their zero points,
which no spectrum can tell.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.fft import dct
from torch import Tensor

from ..models._interpolate import cubic_at
from ..models.aligned_autoencoder import AlignedAutoencoder
from .harps_bank import HarpsBank, make_harps_bank
from .loop import one_cycle
from .losses import kl_divergence

__all__ = ["train_aligned"]

_AT_ONCE = 8
_ROUNDS = 3  # of aligning and averaging
_N_REPEATED = 160  # spectra observed twice for the spreads


def train_aligned(
    recipe: dict[str, Any], *, data: str | Path, work: str | Path
) -> AlignedAutoencoder:
    """Train the aligned autoencoder of a recipe.

    Parameters
    ----------
    recipe : dict
        See ``recipes/harps_dae_fast_v1.toml``.
    data : path
        Folder with the training ingredients.
    work : path
        Folder for the bank of spectra.

    Returns
    -------
    AlignedAutoencoder
        In evaluation mode.
    """
    torch.manual_seed(recipe["seed"])
    model = AlignedAutoencoder.from_config(recipe["arguments"]).eval()
    bank = make_harps_bank(data, Path(work, "bank"), **recipe["bank"])
    options = recipe["fit"]
    with torch.no_grad():
        sample = _Sample(model, bank, options["n_components"], recipe["seed"])
        _align_stars(model, sample)
        _find_components(model, sample)
        for _ in range(2):  # each makes the other's work easier
            _extend_to_red(model, sample)
            _find_tellurics(model, sample)
        _find_shapes(model, sample, options["n_cosines"])
        everything = _measure(model, bank, options["n_nodes"], recipe["seed"] + 1)
    _train_nodes(model, *everything, options)
    with torch.no_grad():
        _calibrate_spreads(model, bank, recipe["seed"] + 2)
    return model


class _Sample:
    """Spectra of a bank with their lines separated, and what is found of them."""

    def __init__(
        self, model: AlignedAutoencoder, bank: HarpsBank, n_spectra: int, seed: int
    ) -> None:
        rng = np.random.default_rng([seed, 0])
        self.rows = np.sort(rng.choice(len(bank), n_spectra, replace=False))
        lines, shapes = [], []
        for flux in _observed(model, bank, self.rows, rng):
            block, valid, shape, known = model.flatten(flux)
            lines.append(block.half())
            shapes.append(shape)
            self.known = known.all(0)
        self.lines = torch.cat(lines)
        self.valid = valid[:1]
        self.shape = torch.cat(shapes)
        conditions = bank.conditions
        self.true_velocity = torch.from_numpy(conditions.radial_velocity[self.rows])
        self.true_earth = torch.from_numpy(conditions.berv[self.rows])
        snr = torch.from_numpy(conditions.snr[self.rows]).float()
        self.weight = (snr / 150.0).clamp(max=1.0)
        self.velocity = torch.zeros(n_spectra)
        self.earth = torch.zeros(n_spectra)
        self.coefficients = torch.zeros(0)
        self.depth = torch.zeros(0)

    def blocks(self) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Yield rows, lines and validity, a few spectra at a time."""
        for first in range(0, len(self.lines), _AT_ONCE):
            rows = slice(first, min(first + _AT_ONCE, len(self.lines)))
            lines = self.lines[rows].float()
            yield rows, lines, self.valid.expand(len(lines), -1)


def _observed(
    model: AlignedAutoencoder,
    bank: HarpsBank,
    rows: np.ndarray,
    rng: np.random.Generator,
) -> Iterator[Tensor]:
    """Yield spectra of a bank with new noise, on the grid."""
    for part in np.array_split(rows, -(-len(rows) // _AT_ONCE)):
        flux, _ = bank.observe(part, rng=rng)
        padded = flux.new_zeros(len(flux), model.n_pixels)
        padded[:, model.velocities.valid] = flux
        yield padded


def _align_stars(model: AlignedAutoencoder, sample: _Sample) -> None:
    """Learn the template: align with one spectrum, average, align with the mean."""
    velocities = model.velocities
    best = int(sample.weight.argmax())
    seen, _ = model.at_rest(sample.lines[[best]].float(), sample.valid, torch.zeros(1))
    weight = _blue_weight(model, sample)
    model.weight.copy_(weight)
    model.template.copy_(seen[0])
    for _ in range(_ROUNDS):
        total = torch.zeros(velocities.n_rest)
        for rows, lines, valid in sample.blocks():
            sample.velocity[rows], _ = model.find_velocity(lines)
            rest, _ = model.at_rest(lines, valid, sample.velocity[rows])
            total += (sample.weight[rows, None] * rest).sum(0)
        model.template.copy_(total / sample.weight.sum())
    zero = float((sample.velocity - sample.true_velocity).median())
    model.template.copy_(_shifted(model.template, zero / velocities.step))
    sample.velocity -= zero


def _shifted(row: Tensor, pixels: float) -> Tensor:
    """Move the content of a row to the right by a fraction of pixels."""
    position = torch.arange(len(row), dtype=torch.float64) - pixels
    return cubic_at(row[None], position[None])[0]


def _blue_weight(model: AlignedAutoencoder, sample: _Sample) -> Tensor:
    """Weight of each pixel at rest: as the square root of the flux, none in the red."""
    smooth = sample.shape.mean(0)
    smooth[~sample.known] = smooth[sample.known].mean()
    rest = model.velocities.position(torch.zeros(1))
    knot = (rest + 0.5) / model.n_pixels * len(smooth) - 0.5
    weight = torch.exp(0.5 * cubic_at(smooth[None], knot)[0]).clamp(max=1.5)
    weight[model.velocities.red] = 0.0
    return weight


def _find_components(model: AlignedAutoencoder, sample: _Sample) -> None:
    """Learn the components of the blue part at rest, least noise first."""
    blue = slice(0, model.velocities.n_rest - model.velocities.n_red)
    rest = torch.zeros(len(sample.lines), blue.stop)
    for rows, lines, valid in sample.blocks():
        aligned, _ = model.at_rest(lines, valid, sample.velocity[rows])
        rest[rows] = aligned[:, blue]
    share = sample.weight[:, None] / sample.weight.sum()
    mean = (share * rest).sum(0)
    weight = model.weight[blue]
    scaled = (rest - mean) * weight * sample.weight[:, None]
    n_components = len(model.star_basis)
    _, vectors = torch.linalg.eigh((scaled @ scaled.T).double())
    leading = vectors[:, -n_components:].flip(1).float()
    basis = torch.linalg.qr((leading.T @ scaled).T).Q.T
    model.star_mean.zero_()
    model.star_basis.zero_()
    model.star_mean[blue] = mean
    model.star_basis[:, blue] = basis / weight
    sample.coefficients = ((rest - mean) * weight) @ basis.T
    model.star_scale.copy_(
        (share * sample.coefficients.square()).sum(0).sqrt().clamp(min=1e-4)
    )


def _extend_to_red(model: AlignedAutoencoder, sample: _Sample) -> None:
    """Regress the red part at rest on the coefficients, away from tellurics."""
    red = model.velocities.red
    rest = torch.zeros(len(sample.lines), model.velocities.n_red)
    for rows, lines, valid in sample.blocks():
        lines = (1.0 + lines) / _transmission(model, sample, rows, lines) - 1.0
        aligned, _ = model.at_rest(lines, valid, sample.velocity[rows])
        rest[rows] = aligned[:, red].clamp(-1.0, 1.0)
    design = torch.cat([torch.ones(len(rest), 1), sample.coefficients], 1)
    scale = design.square().mean(0).sqrt()
    design = design / scale
    products = (design[:, :, None] * design[:, None]).flatten(1)
    trust = sample.weight[:, None].expand_as(rest).clone()
    for _ in range(3):  # tellurics are dark outliers at changing places
        normal = (trust.T @ products).unflatten(1, (design.shape[1], -1))
        normal += 1e-3 * len(rest) * torch.eye(design.shape[1])
        right = (trust * rest).T @ design
        solved = torch.linalg.solve(normal, right[..., None])[..., 0].T
        off = rest - design @ solved
        spread = 1.48 * off.abs().median(0).values + 2e-3
        dark = (-off / spread).clamp(min=0.0)
        trust = sample.weight[:, None] / (1.0 + (dark / 2.0).square())
    solved = solved / scale[:, None]
    model.star_mean[red] = solved[0]
    model.star_basis[:, red] = solved[1:]


def _transmission(
    model: AlignedAutoencoder, sample: _Sample, rows: slice, lines: Tensor
) -> Tensor:
    """Transmission of the atmosphere as far as it is known, on the grid."""
    whole = torch.ones_like(lines)
    if not len(sample.depth):
        return whole
    first, position = model.velocities.inverse_red(sample.earth[rows])
    whole[:, first:] = torch.exp(-cubic_at(sample.depth[rows], position))
    return whole


def _find_tellurics(model: AlignedAutoencoder, sample: _Sample) -> None:
    """Learn the telluric template and components from what stars do not explain."""
    step = model.velocities.step
    n_red = model.velocities.n_red
    depth = torch.zeros(len(sample.lines), n_red)
    for rows, lines, valid in sample.blocks():
        depth[rows], _ = model.absorption(
            lines, valid, sample.velocity[rows], sample.coefficients[rows]
        )
    if not model.telluric_template.any():
        deepest = (depth.square().sum(1) * sample.weight).argmax()
        model.telluric_template.copy_(depth[deepest])
    aligned = torch.zeros_like(depth)
    pixel = torch.arange(n_red, dtype=torch.float64)
    for _ in range(_ROUNDS):
        for rows, _, _ in sample.blocks():
            sample.earth[rows], *_ = model.atmosphere(
                depth[rows], torch.ones_like(depth[rows], dtype=torch.bool)
            )
            position = pixel + sample.earth[rows, None].double() / step
            aligned[rows] = cubic_at(depth[rows], position)
        mean = (sample.weight[:, None] * aligned).sum(0) / sample.weight.sum()
        model.telluric_template.copy_(mean)
    zero = float((sample.earth - sample.true_earth).median())
    sample.earth -= zero
    model.telluric_template.copy_(_shifted(model.telluric_template, zero / step))
    for rows, _, _ in sample.blocks():
        position = pixel + sample.earth[rows, None].double() / step
        aligned[rows] = cubic_at(depth[rows], position)
    mean = model.telluric_template
    scaled = (aligned - mean) * sample.weight[:, None]
    n_telluric = len(model.telluric_basis)
    _, vectors = torch.linalg.eigh((scaled @ scaled.T).double())
    leading = vectors[:, -n_telluric:].flip(1).float()
    basis = torch.linalg.qr((leading.T @ scaled).T).Q.T
    model.telluric_mean.copy_(mean)
    model.telluric_basis.copy_(basis)
    amounts = (aligned - mean) @ basis.T
    model.scale[2 : 2 + n_telluric] = amounts.std(0)
    sample.depth = mean + amounts @ basis


def _find_shapes(model: AlignedAutoencoder, sample: _Sample, n_cosines: int) -> None:
    """Set the components of the flux shape: cosines first, then what they leave.

    Real flux shapes vary in more ways than simulated ones: the cosines take any shape
    that is smooth enough, the other components those of the simulation.
    """
    n_shape, n_knots = model.shape_basis.shape
    known = np.flatnonzero(sample.known.numpy())
    every = np.arange(n_knots)
    shape = np.stack(
        [np.interp(every, known, row[known]) for row in sample.shape.numpy()]
    )
    mean = shape.mean(axis=0)
    cosines = dct(np.eye(n_knots), axis=0, norm="ortho")[:n_cosines]
    rest = (shape - mean) - (shape - mean) @ cosines.T @ cosines
    _, _, components = np.linalg.svd(rest, full_matrices=False)
    basis = np.concatenate([cosines, components[: n_shape - n_cosines]])
    spread = ((shape - mean) @ basis.T).std(axis=0)
    model.shape_mean.copy_(torch.from_numpy(mean))
    model.shape_basis.copy_(torch.from_numpy(basis))
    model.scale[-n_shape:] = torch.from_numpy(spread).float()
    model.scale[0] = sample.velocity.std()
    model.scale[1] = sample.earth.std()


def _measure(
    model: AlignedAutoencoder, bank: HarpsBank, n_spectra: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Return coefficients and noise of many spectra."""
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(bank), n_spectra, replace=False))
    found = []
    for flux in _observed(model, bank, rows, rng):
        lines, valid, _, _ = model.flatten(flux)
        found.append(model.find_star(lines, valid)[2:])
    coefficients, noise = (torch.cat(part) for part in zip(*found, strict=True))
    return coefficients, noise


def _train_nodes(
    model: AlignedAutoencoder,
    coefficients: Tensor,
    noise: Tensor,
    options: dict[str, Any],
) -> None:
    """Train the network between coefficients and nodes as a variational autoencoder.

    The components are orthonormal, so squared residuals of coefficients are those of
    the weighted spectrum. That would neglect the faint components; the residuals are
    weighted half-way between equal pixels and equal components. ``pixel_noise`` is the
    noise that the likelihood allows at least.
    In half of the cases the decoder sees only the first few nodes, a random number
    (nested dropout, Rippel et al. 2014): so nodes are ordered by what they explain,
    and do not share one factor among them.
    """
    optimiser = torch.optim.AdamW(
        [*model.to_nodes.parameters(), *model.from_nodes.parameters()],
        lr=options["learning_rate"],
        weight_decay=1e-4,
    )
    generator = torch.Generator().manual_seed(options["seed"])
    scale = model.star_scale
    metric = scale.sqrt() * scale.norm() / scale.sqrt().norm()
    n_steps = options["n_steps"]
    n_nodes = model.sizes[3]
    place = torch.arange(n_nodes)
    for step in range(1, n_steps + 1):
        rows = torch.randint(len(noise), (options["batch_size"],), generator=generator)
        truth, level = coefficients[rows], noise[rows]
        mean, log_variance = model.nodes(truth, level)
        drawn = torch.empty_like(mean).normal_(generator=generator)
        latent = mean + torch.exp(0.5 * log_variance) * drawn
        kept = torch.randint(1, 2 * n_nodes, (len(rows), 1), generator=generator)
        again = model.from_nodes(latent * (place < kept))
        residual = ((again - truth / scale) * metric).square().sum(1)
        allowed = level.clamp(min=options["pixel_noise"] ** 2)
        weight = options["kl_weight"] * min(1.0, 2.0 * step / n_steps)
        divergence = kl_divergence(mean, log_variance).sum(1)
        loss = (0.5 * residual / allowed + weight * divergence).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        for group in optimiser.param_groups:
            group["lr"] = options["learning_rate"] * one_cycle(step, n_steps)
        optimiser.step()


def _calibrate_spreads(model: AlignedAutoencoder, bank: HarpsBank, seed: int) -> None:
    """Scale the spreads of all but the star's nodes to the scatter of repeats."""
    rows = np.arange(_N_REPEATED)
    twice = []
    for repeat in range(2):
        rng = np.random.default_rng([seed, repeat])
        found = [model.encode(flux) for flux in _observed(model, bank, rows, rng)]
        twice.append([torch.cat(part) for part in zip(*found, strict=True)])
    (first, spread_1), (second, spread_2) = twice
    expected = torch.exp(spread_1) + torch.exp(spread_2)
    ratio = (first - second).abs() / expected.sqrt()
    factor = 1.4826 * ratio.median(0).values
    stars = slice(2 + model.sizes[2], 2 + model.sizes[2] + model.sizes[3])
    factor[stars] = 1.0  # the network itself was trained to give these
    model.error_scale.copy_(factor.clamp(min=1e-3))
