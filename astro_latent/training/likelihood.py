# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How probable labels are to a network, whatever its head."""

from torch import Tensor

from ..models.layers.gaussian import label_log_prob
from ..models.networks import LabelNetwork, PosteriorNetwork

__all__ = ["has_posterior", "log_prob"]


def has_posterior(network: LabelNetwork) -> bool:
    """Say whether a network has a density of its own, beside the mean of its head.

    Parameters
    ----------
    network : LabelNetwork
        The network.

    Returns
    -------
    bool
        True if its density needs no call of the head.
    """
    own = isinstance(network, PosteriorNetwork)
    return own or getattr(network, "posterior", None) is not None


def log_prob(
    network: LabelNetwork,
    features: Tensor,
    labels: Tensor,
    label_variance: Tensor | None = None,
    *,
    dof: float | None = None,
) -> Tensor:
    """Return ln of the density that a network gives to labels.

    Parameters
    ----------
    network : LabelNetwork
        One that predicts how uncertain its labels are.
    features : Tensor, shape (n, n_features)
        Of spectra.
    labels : Tensor, shape (n, n_labels)
        In the network's units, NaN where missing.
    label_variance : Tensor, shape (n, n_labels), optional
        Of the labels themselves.
    dof : float, optional
        Degrees of freedom of a Student t; by default a Gaussian.

    Returns
    -------
    Tensor, shape (n,)
        In nats.

    Raises
    ------
    TypeError
        If the network predicts labels alone.
    """
    if isinstance(network, PosteriorNetwork):
        return network.log_prob(features, labels, label_variance, dof=dof)  # type: ignore[call-arg]
    posterior = getattr(network, "posterior", None)
    if posterior is not None:
        return posterior.log_prob(features, labels, label_variance, dof=dof)
    found = network.head(features)
    if not isinstance(found, tuple):
        msg = f"{type(network).__name__} predicts no errors, so it has no likelihood"
        raise TypeError(msg)
    return label_log_prob(*found, labels, label_variance, dof=dof)
