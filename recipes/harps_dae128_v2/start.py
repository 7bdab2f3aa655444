# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""First weights: which nodes, the decoder that moves lines, the encoder that reads."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from astro_latent.simulation.harps_bank import HarpsBank
from recipes.harps.coarse import CoarseAutoencoder

from .log_encoder import fit_log, set_encoder
from .moving_decoder import Motion, set_decoder
from .nodes import NodeChoice, choose_components, regress, smooth_shapes
from .reader import fit_reader, whiten_lines
from .stars import JOINED, MovedStars, held_out, move_stars
from .template import Pieces, cut_pieces, fit_exponential, fit_half_steps

__all__ = ["Teaching", "set_first_weights"]

_EVERY = 20  # samples of which one takes part in fits of hinges
_N_FITTED = 100  # spectra for these


@dataclass(frozen=True)
class Teaching:
    """What a decoder can learn from: nodes of all stars but for their velocities.

    Parameters
    ----------
    nodes : Tensor, shape (n_spectra, n_nodes)
        The first column is that of the velocity of `before`.
    before : ndarray, shape (n_spectra,)
        Velocity of each star in the bank, km/s.
    scale : float
        km/s of one unit of node 0.
    """

    nodes: Tensor
    before: np.ndarray
    scale: float


def set_first_weights(
    coarse: CoarseAutoencoder, bank: HarpsBank, velocity: np.ndarray, star: np.ndarray,
    scale: float, options: dict[str, Any],
) -> Teaching:  # fmt: skip
    """Set the weights of a coarse autoencoder, in place.

    Parameters
    ----------
    coarse : CoarseAutoencoder
        The published network on pixels joined by 16, with random weights.
    bank : HarpsBank
        Source of spectra.
    velocity : ndarray, shape (n_spectra,)
        Of the bank's spectra by the teacher, km/s.
    star : ndarray, shape (n_spectra, n_star)
        First nodes of the star by the teacher.
    scale : float
        km/s of one unit of node 0.
    options : dict
        The section ``[first]`` of the recipe.

    Returns
    -------
    Teaching
        Nodes of the bank's stars.
    """
    stars = move_stars(bank, velocity, width=options["width"], seed=options["seed"])
    floor, learned = options["floor"], ~held_out(len(bank))
    some = stars.flux[:_N_FITTED][:, stars.valid].flatten()[::_EVERY]
    log = fit_log(some.numpy(), floor=floor)
    seen = log.join(stars.flux)
    whitening = whiten_lines(seen[learned], line_error=options["line_error"])
    shapes = smooth_shapes(
        len(stars.valid), options["n_shapes"], size=options["shape_size"]
    ) * stars.valid  # fmt: skip
    choice = _choose(stars, seen, star, shapes, whitening, learned, options)
    rows = shapes * learned.sum() ** 0.5  # they weigh as much as the stars
    _decode(coarse, bank, stars, choice, rows, learned, scale, floor)
    moved = torch.from_numpy(stars.velocity / scale).float()
    nodes = torch.cat([moved[:, None], choice.nodes], 1)
    still = torch.zeros(len(shapes), 1)
    reader = fit_reader(
        whitening, seen[learned], nodes[learned],
        rows.unflatten(1, (-1, 2)).mean(2),
        torch.cat([still, choice.row_nodes], 1),
    )  # fmt: skip
    off = (reader.read(seen) - nodes)[~learned]
    set_encoder(coarse, log, reader, torch.log(off.square().mean(0)))
    own = torch.from_numpy(velocity / scale).float()
    return Teaching(torch.cat([own[:, None], choice.nodes], 1), velocity, scale)


def _choose(
    stars: MovedStars, seen: Tensor, star: np.ndarray, shapes: Tensor, whitening: Any,
    learned: np.ndarray, options: dict[str, Any],
) -> NodeChoice:  # fmt: skip
    """Choose nodes where all pixels are valid."""
    valid, floor = stars.valid, options["floor"]
    flux = stars.rest[:, valid].clamp(min=0.0) + floor
    return choose_components(
        flux.log(), seen, torch.from_numpy(star), shapes[:, valid], whitening, learned,
        weight=flux[learned].mean(0), n_components=options["n_components"],
    )  # fmt: skip


def _decode(
    coarse: CoarseAutoencoder, bank: HarpsBank, stars: MovedStars, choice: NodeChoice,
    rows: Tensor, learned: np.ndarray, scale: float, floor: float,
) -> None:  # fmt: skip
    """Set the decoder to what nodes explain at rest."""
    flux = stars.rest[learned].clamp(min=0.0) + floor
    constant = (torch.arange(len(flux) + len(rows)) < len(flux)).float()[:, None]
    nodes = torch.cat([choice.nodes[learned], choice.row_nodes])
    design = torch.cat([constant, nodes], 1)
    terms = regress(design, torch.cat([flux.log(), rows])).T.double().numpy()
    pieces: Pieces = cut_pieces(terms, (flux.mean(0) * stars.valid).double().numpy())
    wavelength = bank.simulator.grid.wavelength
    pixel = float(wavelength[1] - wavelength[0])
    motion = Motion(float(wavelength[0]) - pixel / 2, JOINED * pixel, scale)
    some = stars.rest[: _N_FITTED // 2][:, stars.valid].flatten()[:: 2 * _EVERY]
    set_decoder(
        coarse, pieces, motion, fit_half_steps(terms[:, 0]),
        fit_exponential((some.clamp(min=0.0) + floor).log().numpy()), floor=floor,
    )  # fmt: skip
