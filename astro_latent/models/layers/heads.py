# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What ends a label network: a Gaussian, a mixture of them, or a normalising flow.

A head turns features into a mean and a spread (see `LabelNetwork.head`), tells how
probable labels are, and draws labels.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from .gaussian import cholesky_of, label_log_prob

__all__ = ["HEADS", "CovarianceHead", "FlowHead", "GaussianHead", "Head", "MixtureHead"]

_START = -1.5  # ln of the first sigmas, in units of the labels' scatter
_BASE_POINTS = 64  # of a flow's base distribution, for mean and covariance


class Head(nn.Module):
    """Mean and spread of a Gaussian; other heads replace what differs.

    Parameters
    ----------
    n_features, n_labels : int
        Inputs and outputs.
    """

    def __init__(self, n_features: int, n_labels: int, n_spread: int) -> None:
        super().__init__()
        self.n_labels = n_labels
        self.mean = nn.Linear(n_features, n_labels)
        self.spread = nn.Linear(n_features, n_spread)
        nn.init.zeros_(self.spread.weight)
        nn.init.zeros_(self.spread.bias)

    def log_prob(
        self,
        features: Tensor,
        labels: Tensor,
        label_variance: Tensor | None = None,
        *,
        dof: float | None = None,
    ) -> Tensor:
        """Return ln of the density at labels, shape (n,)."""
        mean, spread = self(features)
        return label_log_prob(mean, spread, labels, label_variance, dof=dof)

    def sample(
        self,
        features: Tensor,
        n_samples: int,
        *,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw labels, shape (n, n_samples, n_labels)."""
        mean, spread = self(features)
        noise = torch.empty(len(mean), n_samples, self.n_labels, dtype=mean.dtype)
        noise = noise.normal_(generator=generator).to(mean.device)
        return mean[:, None] + noise @ cholesky_of(spread).mT


class GaussianHead(Head):
    """Labels and the logarithm of their variances."""

    def __init__(self, n_features: int, n_labels: int) -> None:
        super().__init__(n_features, n_labels, n_labels)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance, shape (n, n_labels)."""
        log_sigma = 5.0 * torch.tanh(self.spread(features) / 5.0) + _START
        return self.mean(features), 2.0 * log_sigma


class CovarianceHead(Head):
    """Labels and the Cholesky factor of their covariance."""

    def __init__(self, n_features: int, n_labels: int) -> None:
        super().__init__(n_features, n_labels, n_labels * (n_labels + 1) // 2)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean, shape (n, n_labels), and factor, (n, n_labels, n_labels).

        A row of the factor is the label's sigma times a unit vector, whose products
        with the others are the correlations.
        """
        k = self.n_labels
        raw = self.spread(features)
        sigma = torch.exp(5.0 * torch.tanh(raw[:, :k] / 5.0) + _START)
        rows, columns = torch.tril_indices(k, k, -1, device=raw.device)
        unit = torch.eye(k, dtype=raw.dtype, device=raw.device).repeat(len(raw), 1, 1)
        unit[:, rows, columns] = raw[:, k:]
        unit = functional.normalize(unit, dim=2)
        return self.mean(features), sigma[:, :, None] * unit


class MixtureHead(nn.Module):
    """A mixture of Gaussians with independent labels within each.

    Parameters
    ----------
    n_features, n_labels : int
        Inputs and outputs.
    n_components : int, optional
        How many Gaussians.
    """

    def __init__(self, n_features: int, n_labels: int, n_components: int = 4) -> None:
        super().__init__()
        self.n_labels, self.n_components = n_labels, n_components
        self.layer = nn.Linear(n_features, n_components * (1 + 2 * n_labels))

    def split(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return ln of the weights (n, c), means and variances (n, c, n_labels)."""
        raw = self.layer(features).reshape(len(features), self.n_components, -1)
        log_weights = functional.log_softmax(raw[:, :, 0], dim=1)
        mean, log_sigma = raw[:, :, 1:].chunk(2, dim=2)
        return (
            log_weights,
            mean,
            torch.exp(2.0 * (5.0 * torch.tanh(log_sigma / 5.0) + _START)),
        )

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and Cholesky factor of the whole mixture."""
        log_weights, means, variances = self.split(features)
        weights = log_weights.exp()[:, :, None]
        mean = (weights * means).sum(1)
        off = means - mean[:, None]
        covariance = torch.einsum("nci,ncj->nij", weights * off, off)
        covariance = covariance + torch.diag_embed((weights * variances).sum(1))
        return mean, torch.linalg.cholesky(covariance)

    def log_prob(
        self,
        features: Tensor,
        labels: Tensor,
        label_variance: Tensor | None = None,
        *,
        dof: float | None = None,
    ) -> Tensor:
        """Return ln of the density at labels, shape (n,)."""
        log_weights, means, variances = self.split(features)
        parts = [
            log_weights[:, c]
            + label_log_prob(
                means[:, c], variances[:, c].log(), labels, label_variance, dof=dof
            )
            for c in range(self.n_components)
        ]
        return torch.logsumexp(torch.stack(parts), dim=0)

    def sample(
        self,
        features: Tensor,
        n_samples: int,
        *,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw labels, shape (n, n_samples, n_labels)."""
        log_weights, means, variances = self.split(features)
        chosen = torch.multinomial(
            log_weights.exp().cpu(), n_samples, replacement=True, generator=generator
        ).to(means.device)
        at = chosen[:, :, None].expand(-1, -1, self.n_labels)
        noise = torch.empty(at.shape, dtype=means.dtype).normal_(generator=generator)
        spread = variances.gather(1, at).sqrt()
        return means.gather(1, at) + spread * noise.to(means.device)


class FlowHead(nn.Module):
    """A neural spline flow from a Gaussian to the labels, given the features.

    It needs the package ``zuko``. Stars with a missing label teach it nothing, and the
    errors of labels do not enter.

    Parameters
    ----------
    n_features, n_labels : int
        Inputs and outputs.
    """

    points: Tensor

    def __init__(self, n_features: int, n_labels: int) -> None:
        super().__init__()
        try:
            from zuko.flows import NSF
        except ImportError as error:
            msg = "a flow head needs zuko: pip install 'astro_latent[train]'"
            raise ImportError(msg) from error
        self.n_labels = n_labels
        self.narrow = nn.Linear(n_features, 32)
        self.flow = NSF(n_labels, 32, transforms=2, hidden_features=(64, 64))
        uniform = torch.quasirandom.SobolEngine(n_labels).draw(_BASE_POINTS + 1)[1:]
        uniform = uniform.double().clamp(1e-3, 1.0 - 1e-3)
        points = math.sqrt(2.0) * torch.erfinv(2.0 * uniform - 1.0)
        points = (points - points.mean(0)) / points.std(0)
        self.register_buffer("points", points.float())

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and Cholesky factor of the labels of fixed base points."""
        labels = self.push(features, self.points[:, None].expand(-1, len(features), -1))
        mean = labels.mean(0)
        off = labels - mean
        covariance = torch.einsum("sni,snj->nij", off, off) / len(labels)
        tiny = 1e-6 * torch.eye(self.n_labels, dtype=mean.dtype, device=mean.device)
        return mean, torch.linalg.cholesky(covariance + tiny)

    def push(self, features: Tensor, points: Tensor) -> Tensor:
        """Send points of the base through the flow, shape (n_points, n, n_labels)."""
        return self.flow(self.narrow(features)).transform.inv(points)

    def log_prob(
        self,
        features: Tensor,
        labels: Tensor,
        label_variance: Tensor | None = None,
        *,
        dof: float | None = None,
    ) -> Tensor:
        """Return ln of the density at labels, shape (n,); 0 where one is missing."""
        whole = torch.isfinite(labels).all(1)
        there = torch.where(whole[:, None], labels, 0.0)
        return torch.where(whole, self.flow(self.narrow(features)).log_prob(there), 0.0)

    def sample(
        self,
        features: Tensor,
        n_samples: int,
        *,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw labels, shape (n, n_samples, n_labels)."""
        shape = (n_samples, len(features), self.n_labels)
        noise = torch.empty(shape, dtype=features.dtype).normal_(generator=generator)
        return self.push(features, noise.to(features.device)).transpose(0, 1)


#: Heads by the name that configurations use.
HEADS: dict[str, Callable[[int, int], nn.Module]] = {
    "gaussian": GaussianHead,
    "covariance": CovarianceHead,
    "mixture": MixtureHead,
    "flow": FlowHead,
}
