# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The fit of a Gaussian process to the components of spectra.

Lengths, amplitudes and the noise of labels are those of the largest marginal
likelihood (Rasmussen & Williams 2006, section 5.4). Labels that the other stars
contradict count less, as under a Student t: their weights come by turns with the rest.
"""

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from ..models.layers.process import ProcessMean, compare, covariance
from ..models.networks import RememberingNetwork, inputs_of
from .batches import FitData

__all__ = ["Process", "fit_process"]

_SHARE = 0.5  # of each label; fixed, since folds could tell 0.4 from 0.6 by nothing
_DOF = 5.0  # of the Student t
_LIGHTEST, _HEAVIEST = 0.05, 1.2  # weights of labels
_STEPS, _RATE, _EVERY = 24, 0.12, 6
#: ln of the noise and of the Matern part, and what lengths and linear parts are in
#: units of the typical length of a view's components: where the search begins.
_NOISE, _MATERN, _LENGTH, _LINEAR = -1.6, -0.5, -0.3, -1.5
_ROWS = 256  # spectra in memory at a time


class Process:
    """A Gaussian process on components of spectra.

    Parameters
    ----------
    components : Tensor, shape (n_stars, n_components)
        Of all views.
    sizes : sequence of int
        Components of each view.

    Examples
    --------
    >>> import torch
    >>> from astro_latent.training.process import Process
    >>> x = torch.linspace(-2.0, 2.0, 40)[:, None]
    >>> process = Process(x, [1])
    >>> labels = torch.sin(x[:, 0]).double()
    >>> numbers, weight = process.fit(labels)
    >>> found = process.covariance(numbers) @ process.solve(labels, numbers, weight)
    >>> (found - labels).abs().max().item() < 0.1
    True
    """

    def __init__(self, components: Tensor, sizes: Sequence[int]) -> None:
        components = components.double()
        self.squares, self.products = compare(components, components, sizes)
        middle = [part.diagonal().mean().clamp_min(1e-9) for part in self.products]
        self._typical = [0.5 * math.log(float(value)) for value in middle]

    def covariance(self, numbers: Tensor) -> Tensor:
        """Return the covariance of labels without their noise.

        Parameters
        ----------
        numbers : Tensor
            As for `~astro_latent.models.layers.process.covariance`.

        Returns
        -------
        Tensor, shape (n_stars, n_stars)
            In squares of the units of labels.
        """
        return covariance(self.squares, self.products, numbers)

    def fit(
        self, labels: Tensor, variance: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Find the numbers of the covariance, and how much each label counts.

        Parameters
        ----------
        labels : Tensor, shape (n_stars,)
            In units of about their scatter.
        variance : Tensor, shape (n_stars,), optional
            Of the labels themselves, beside the noise that is found.

        Returns
        -------
        numbers : Tensor
            As for `~astro_latent.models.layers.process.covariance`.
        weight : Tensor, shape (n_stars,)
            What the variance of the noise is divided by.
        """
        start = [value + _LENGTH for value in self._typical] + [_MATERN]
        start += [_LINEAR - value for value in self._typical] + [_NOISE]
        numbers = torch.tensor(start, dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.Adam([numbers], lr=_RATE)
        weight = torch.ones_like(labels)
        for step in range(_STEPS):
            factor = torch.linalg.cholesky(self._noisy(numbers, weight, variance))
            found = torch.cholesky_solve(labels[:, None], factor)[:, 0]
            loss = 0.5 * labels @ found + factor.diagonal().log().sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if step % _EVERY == _EVERY - 1:
                with torch.no_grad():  # residuals of each star by all others
                    inverse = torch.cholesky_inverse(factor).diagonal()
                    ratio = found**2 / inverse
                    weight = (_DOF + 1.0) / (_DOF + ratio)
                    weight = weight.clamp(_LIGHTEST, _HEAVIEST)
        return numbers.detach(), weight

    def solve(
        self,
        labels: Tensor,
        numbers: Tensor,
        weight: Tensor,
        variance: Tensor | None = None,
    ) -> Tensor:
        """Return what the covariance with the stars is to be multiplied by.

        Parameters
        ----------
        labels, numbers, weight, variance : Tensor
            Given to `fit`, and found by it.

        Returns
        -------
        Tensor, shape (n_stars,)
            The sum of these times the covariance is the label of a star.
        """
        return torch.linalg.solve(self._noisy(numbers, weight, variance), labels)

    def _noisy(
        self, numbers: Tensor, weight: Tensor, variance: Tensor | None
    ) -> Tensor:
        """Covariance of what is given for stars."""
        noise = torch.exp(2.0 * numbers[-1]) / weight
        if variance is not None:
            noise = noise + variance
        return self.covariance(numbers) + torch.diag(noise)


def fit_process(
    network: nn.Module, data: FitData, *, seed: int, others: Sequence[nn.Module] = ()
) -> None:
    """Let a network remember the training stars, if it is one that does.

    Parameters
    ----------
    network : Module
        Fitted; a `~astro_latent.models.layers.process.ProcessMean` that is its
        ``process`` is filled in place, unless it knows stars already: those of the
        weights that a training began with are kept. Left in evaluation mode then.
    data : FitData
        Spectra and labels. Of more stars than the network has place for, some are
        drawn.
    seed : int
        Of this draw.
    others : sequence of Module, optional
        Members that were fitted before; what they remember is taken if they see the
        same components.
    """
    if not isinstance(network, RememberingNetwork) or network.process is None:
        return
    part = network.process
    if part.is_filled:
        return
    network.eval()  # views see gaps in another way while a network is in training
    rows = np.random.default_rng([seed, 4]).permutation(data.train)
    rows = np.sort(rows[: len(part.centres)])
    components = _look(network, data, rows).half().float()  # as it may be stored
    part.centres[: len(rows)] = components
    for other in others:
        before = cast(ProcessMean, other.process)
        if torch.equal(before.centres, part.centres):
            part.load_state_dict(before.state_dict())
            return
    _remember(part, components, data.targets[rows], data.target_variance[rows])


def _remember(
    part: ProcessMean, components: Tensor, targets: np.ndarray, variance: np.ndarray
) -> None:
    """Fit each label to the stars that have it."""
    numbers, dual = (t.reshape(part.n_labels, -1) for t in (part.numbers, part.dual))
    for label in range(part.n_labels):
        known = torch.from_numpy(np.isfinite(targets[:, label]))
        values, own = (
            torch.from_numpy(array[:, label]).double()[known]
            for array in (targets, variance)
        )
        process = Process(components[known], part.sizes)
        numbers_here, weight = process.fit(values, own)
        numbers[label] = numbers_here.float()
        dual[label, : len(known)][known] = process.solve(
            values, numbers_here, weight, own
        ).float()
    part.share.fill_(_SHARE)


def _look(network: RememberingNetwork, data: FitData, rows: np.ndarray) -> Tensor:
    """Components of spectra as they are, without anything done to them."""
    parts = []
    with torch.inference_mode():
        for at in range(0, len(rows), _ROWS):
            records = data.records[rows[at : at + _ROWS]]
            arrays = (records[name] for name in ("flux", "valid", "variance"))
            inputs = (torch.from_numpy(array.copy()) for array in arrays)
            features = network.features(*inputs_of(network, *inputs))
            parts.append(network.components(features))
    return torch.cat(parts).clone()
