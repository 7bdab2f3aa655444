# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Stellar parameters from the components of a spectrum at rest."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import grad

from ..layers.components import VELOCITY_UNIT, describe_star, make_network
from ..layers.joined_slope import JoinedSlope
from ..layers.log_grid import flatten_joined
from .aligned_autoencoder import AlignedAutoencoder

__all__ = ["AlignedParameters"]


class AlignedParameters(nn.Module):
    """Velocity and labels of stars, by an encoder that brings spectra to rest.

    The encoder is that of `~astro_latent.models.architectures.aligned_autoencoder.
    AlignedAutoencoder`, learnt without labels. The velocity is what its
    cross-correlation found; the other labels come from a small network that sees the
    coefficients of the components and the noise around their fit.

    Parameters
    ----------
    n_labels : int
        Number of labels besides the velocity.
    n_hidden : int
        Width of the two hidden layers.
    encoder : dict, optional
        Arguments of the encoder.

    Examples
    --------
    >>> import torch
    >>> from astro_latent.models.architectures import AlignedParameters
    >>> model = AlignedParameters(
    ...     n_labels=2, encoder={"step": 50.0, "n_components": 4}
    ... ).eval()
    >>> with torch.no_grad():
    ...     mean, log_variance = model(torch.ones(1, 327680))
    >>> tuple(mean.shape), tuple(log_variance.shape)
    ((1, 3), (1, 3))
    """

    def __init__(
        self,
        *,
        n_labels: int = 4,
        n_hidden: int = 128,
        encoder: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.encoder = AlignedAutoencoder(**(encoder or {}))
        self.n_pixels, self.n_outputs = self.encoder.n_pixels, 1 + n_labels
        n_components = self.encoder.star_scale.shape[0]
        self.layers = make_network(n_components + 1, n_hidden, 2 * n_labels)

    def features(self, flux: Tensor, valid: Tensor | None = None) -> Tensor:
        """Return what the head sees of spectra.

        Parameters
        ----------
        flux : Tensor, shape (n, n_pixels)
            Prepared flux.
        valid : Tensor of bool, shape (n, n_pixels), optional
            By default the pixels of the grid that are not zero.

        Returns
        -------
        Tensor, shape (n, n_components + 3)
            Scaled coefficients, noise level, velocity and ln of its variance.
        """
        flat = self.encoder.flatten(flux, valid)
        return self._scale(*self.encoder.find_star(flat.lines, flat.valid))

    def _scale(
        self, velocity: Tensor, variance: Tensor, coefficients: Tensor, noise: Tensor
    ) -> Tensor:
        """Features from what `AlignedSpectrum.find_star` finds."""
        encoder = self.encoder
        variance = variance * encoder.error_scale[0] ** 2
        return describe_star(
            coefficients / encoder.star_scale, noise, velocity, variance
        )

    def head(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Turn features into labels.

        Parameters
        ----------
        features : Tensor, shape (n, n_components + 3)
            From `features`.

        Returns
        -------
        mean, log_variance : Tensor, shape (n, 1 + n_labels)
            The velocity first.
        """
        mean, log_variance = self.layers(features[:, :-2]).chunk(2, 1)
        return (
            torch.cat([features[:, -2:-1], mean], 1),
            torch.cat([features[:, -1:], log_variance.clamp(-12.0, 4.0)], 1),
        )

    def join_slopes(self, flux: Tensor, valid: Tensor) -> Iterator[JoinedSlope]:
        """Differentiate the labels of spectra.

        Parameters
        ----------
        flux, valid : Tensor, shape (n, n_pixels)
            As for `features`.

        Yields
        ------
        JoinedSlope
            Of each spectrum.
        """
        for row, seen in zip(flux.split(1), valid.split(1), strict=True):
            with torch.inference_mode(False), torch.enable_grad():
                yield self._differentiate(row.clone(), seen.clone())

    def _differentiate(self, flux: Tensor, valid: Tensor) -> JoinedSlope:
        """Follow the chain of one spectrum back, each link once.

        All labels but the velocity change with the velocity, too, at which the spectrum
        is brought to rest.
        """
        encoder = self.encoder
        valid = encoder.usable(flux, valid)
        log_valid, to_mean = encoder.grid.weigh(valid)
        joined = encoder.grid.integrate(torch.where(valid, flux, 0.0)) * to_mean
        joined.requires_grad_()
        flat = flatten_joined(joined, log_valid)
        lines = _leaf(flat.lines)
        velocity, variance = encoder.find_velocity(lines)
        (by_velocity,) = grad(velocity.sum(), lines)
        at = _leaf(velocity)
        rest, rest_valid = encoder.bring_to_rest(lines, flat.valid, at)
        still = _leaf(rest)
        found = at.detach(), variance.detach(), *encoder.project(still, rest_valid)
        features = self._scale(*found)
        rows = [by_velocity / VELOCITY_UNIT]
        for label in self.head(features)[0][0, 1:]:
            (by_rest,) = grad(label, still, retain_graph=True)
            by_lines, by_at = _pull(rest, by_rest, lines, at)
            rows.append(by_lines + by_at * by_velocity)
        by_joined = torch.cat([_pull(flat.lines, row, joined)[0] for row in rows])
        by_joined *= to_mean
        return JoinedSlope(features.detach()[0], by_joined, valid[0], encoder.grid)

    def forward(
        self, flux: Tensor, valid: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return labels of spectra.

        Parameters
        ----------
        flux : Tensor, shape (n, n_pixels)
            Prepared flux.
        valid : Tensor of bool, shape (n, n_pixels), optional
            By default the pixels of the grid that are not zero.

        Returns
        -------
        mean, log_variance : Tensor, shape (n, 1 + n_labels)
            In the network's units, the velocity first.
        """
        return self.head(self.features(flux, valid))


def _leaf(tensor: Tensor) -> Tensor:
    """Begin a chain of derivatives anew."""
    return tensor.detach().requires_grad_()


def _pull(outputs: Tensor, by_outputs: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
    """Go one link back; by way of a sum, as vectors would load torch's compiler."""
    return grad((outputs * by_outputs).sum(), inputs, retain_graph=True)
