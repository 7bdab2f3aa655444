# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A network as it is, and a correction that a few stars of another instrument taught.

What can be learnt from twenty stars is not a network but how far one is off: by a
constant, by what depends on the labels that it finds, and by what is linear in its
last hidden layer. Each of these has a prior around zero, so that nothing is corrected
without evidence, and the error grows where no star was.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..layers.gaussian import cholesky_of
from ..networks import LabelNetwork, SeeingNetwork, inputs_of
from . import ARCHITECTURES

__all__ = ["CorrectedNetwork"]

_REACH, _RANGE = 5.0, 3.0  # beyond which features, and labels, count no more


class CorrectedNetwork(nn.Module):
    """A label network, corrected by a Bayesian linear regression on its own answers.

    Parameters
    ----------
    architecture : str
        Of the network.
    arguments : mapping
        Its arguments.
    n_features : int
        Length of its last hidden layer.
    columns : sequence of int
        Which of its labels each label is; -1 for one that it does not give.
    n_stars : int
        Spectra that the correction was learnt from.

    Attributes
    ----------
    centre, width : Tensor, shape (n_features,)
        Buffers: of the last hidden layer, for these spectra.
    coefficient : Tensor, shape (n_labels, n_terms)
        Buffer: the correction, see `terms`.
    prior : Tensor, shape (n_labels * n_terms,)
        Buffer: variances of the coefficients before any star was seen, label by label.
    known : Tensor, shape (n_labels * n_stars * n_terms,)
        Buffer: a root of what the stars took away from these.
    growth, floor : Tensor, shape (n_labels,)
        Buffers: the network's own errors are multiplied by the first, and have the
        second added in quadrature.

    Examples
    --------
    >>> import torch
    >>> from astro_latent.models.architectures.corrected import CorrectedNetwork
    >>> network = CorrectedNetwork(
    ...     architecture="shallow_nn", arguments={"n_pixels": 50, "n_hidden": [9, 8]},
    ...     n_features=8, columns=[0, 2], n_stars=4,
    ... )
    >>> mean, factor = network(torch.ones(3, 50))
    >>> tuple(mean.shape), tuple(factor.shape)
    ((3, 2), (3, 2, 2))
    """

    centre: Tensor
    width: Tensor
    coefficient: Tensor
    prior: Tensor
    known: Tensor
    growth: Tensor
    floor: Tensor

    def __init__(
        self,
        *,
        architecture: str = "residual_mlp",
        arguments: Mapping[str, Any] | None = None,
        n_features: int = 464,
        columns: Sequence[int] = (0, 1, 2),
        n_stars: int = 20,
    ) -> None:
        super().__init__()
        self.base = ARCHITECTURES[architecture](**(arguments or {}))
        base = cast(LabelNetwork, self.base)
        self.n_pixels, self.n_outputs = base.n_pixels, len(columns)
        self.takes_variance = bool(getattr(base, "takes_variance", False))
        self.columns, self.n_known = tuple(columns), base.n_outputs
        n_terms = 1 + n_features + self.n_known * (self.n_known + 3) // 2
        for name, shape in (
            ("centre", (n_features,)),
            ("coefficient", (self.n_outputs, n_terms)),
            # vectors, as a difference of the two needs more than half precision
            ("prior", (self.n_outputs * n_terms,)),
            ("known", (self.n_outputs * n_stars * n_terms,)),
            ("floor", (self.n_outputs,)),
        ):
            self.register_buffer(name, torch.zeros(shape))
        self.register_buffer("width", torch.ones(n_features))
        self.register_buffer("growth", torch.ones(self.n_outputs))

    def features(
        self,
        flux: Tensor,
        valid: Tensor | None = None,
        variance: Tensor | None = None,
    ) -> Tensor:
        """Return the last hidden layer of the network, shape (n, n_features)."""
        base = cast(LabelNetwork, self.base)
        if valid is None:
            valid = torch.ones_like(flux, dtype=torch.bool)
        return base.features(*inputs_of(base, flux, valid, variance))

    def see(
        self,
        flux: Tensor,
        valid: Tensor | None = None,
        variance: Tensor | None = None,
    ) -> Tensor:
        """Return what the network sees, if it is a `SeeingNetwork`."""
        return cast(SeeingNetwork, self.base).see(flux, valid, variance)

    def think(self, seen: Tensor) -> Tensor:
        """Return the features from what `see` returned."""
        return cast(SeeingNetwork, self.base).think(seen)

    def sees_like(self, other: nn.Module) -> bool:
        """Tell whether another is a correction of a network that sees the same."""
        if not isinstance(other, CorrectedNetwork):
            return False
        base = self.base
        return isinstance(base, SeeingNetwork) and base.sees_like(
            cast(LabelNetwork, other.base)
        )

    def answer(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the network says by itself.

        Parameters
        ----------
        features : Tensor, shape (n, n_features)
            From `features`.

        Returns
        -------
        mean : Tensor, shape (n, n_known)
            Its labels.
        covariance : Tensor, shape (n, n_known, n_known)
            Zero if it says none.
        """
        said = cast(LabelNetwork, self.base).head(features)
        if not isinstance(said, tuple):
            return said, said.new_zeros(*said.shape, self.n_known)
        root = cholesky_of(said[1])
        return said[0], root @ root.mT

    def terms(self, features: Tensor, mean: Tensor) -> Tensor:
        """Return what the correction is linear in.

        Parameters
        ----------
        features : Tensor, shape (n, n_features)
            From `features`.
        mean : Tensor, shape (n, n_known)
            From `answer`.

        Returns
        -------
        Tensor, shape (n, n_terms)
            One, the labels, their products, and the last hidden layer in units of its
            scatter, over the root of its length.
        """
        labels = mean.clamp(-_RANGE, _RANGE)
        first, second = torch.triu_indices(self.n_known, self.n_known)
        hidden = ((features - self.centre) / self.width).clamp(-_REACH, _REACH)
        return torch.cat(
            [
                torch.ones_like(mean[:, :1]),
                labels,
                labels[:, first] * labels[:, second],
                hidden / hidden.shape[1] ** 0.5,
            ],
            dim=1,
        )

    def head(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return corrected labels, and the Cholesky factor of their covariance.

        Parameters
        ----------
        features : Tensor, shape (n, n_features)
            From `features`.

        Returns
        -------
        mean : Tensor, shape (n, n_outputs)
            Labels.
        factor : Tensor, shape (n, n_outputs, n_outputs)
            Of the network's covariance, scaled, and the correction's own variance.
        """
        mean, covariance = self.answer(features)
        terms = self.terms(features, mean)
        kept = [max(column, 0) for column in self.columns]
        there = mean.new_tensor([float(column >= 0) for column in self.columns])
        corrected = mean[:, kept] * there + terms @ self.coefficient.T
        scale = self.growth * there
        covariance = covariance[:, kept][:, :, kept] * scale[:, None] * scale
        prior = self.prior.reshape(self.n_outputs, -1)
        known = self.known.reshape(self.n_outputs, -1, prior.shape[1])
        unknown = terms.square() @ prior.T
        unknown = unknown - (terms @ known.mT).square().sum(2).T
        own = unknown.clamp_min(0.0) + self.floor.square() + 1e-6
        return corrected, torch.linalg.cholesky(covariance + torch.diag_embed(own))

    def forward(
        self,
        flux: Tensor,
        valid: Tensor | None = None,
        variance: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return ``head(features(flux, valid, variance))``."""
        return self.head(self.features(flux, valid, variance))
