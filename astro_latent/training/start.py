# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Begin a training with released weights instead of random ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..exceptions import WeightsError
from ..models import SpectralModel, load_model

__all__ = ["fine_tuning_recipe", "share_layers", "start_from"]


def fine_tuning_recipe(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe whose section ``fit`` is changed by its section ``fine_tune``.

    Parameters
    ----------
    recipe : dict
        A training recipe.

    Returns
    -------
    dict
        A recipe for a training that begins with weights; ``recipe`` is not changed.

    Examples
    --------
    >>> from astro_latent.training.start import fine_tuning_recipe
    >>> recipe = {"fit": {"n_steps": 9, "clip": 5}, "fine_tune": {"n_steps": 2}}
    >>> fine_tuning_recipe(recipe)
    {'fit': {'n_steps': 2, 'clip': 5}}
    """
    rest = {key: value for key, value in recipe.items() if key != "fine_tune"}
    return {**rest, "fit": {**recipe["fit"], **recipe.get("fine_tune", {})}}


def start_from(
    module: nn.Module, folder: str | Path, *, labels: Sequence[str] | None = None
) -> SpectralModel:
    """Copy the weights of a folder into a network that is to be trained on.

    They come through `~astro_latent.models.load_model`, which checks them; the state
    of an optimiser is not among them, so the training begins with a fresh one.

    Parameters
    ----------
    module : `torch.nn.Module`
        Changed in place.
    folder : str or path
        Name of a set of weights, or a folder with one.
    labels : sequence of str, optional
        Outputs of ``module``: those that the weights lack begin as the mean label.

    Returns
    -------
    SpectralModel
        The loaded model, whose outputs give the units of the network.

    Raises
    ------
    WeightsError
        If the weights belong to another network or to an ensemble.
    """
    loaded = load_model(folder, device="cpu")
    network = loaded.members[0]
    state = network.state_dict()
    if labels and {output.name for output in loaded.outputs} < set(labels):
        state = _with_outputs(
            state, [labels.index(o.name) for o in loaded.outputs], len(labels)
        )
    here = {name: tuple(t.shape) for name, t in module.state_dict().items()}
    there = {name: tuple(t.shape) for name, t in state.items()}
    if len(loaded.members) > 1 or type(network) is not type(module) or here != there:
        differing = sorted(
            name for name in {*here, *there} if here.get(name) != there.get(name)
        )
        msg = (
            f"{folder} holds {len(loaded.members)} network(s) "
            f"{type(network).__name__}; the recipe makes a {type(module).__name__}; "
            f"differing tensors: {', '.join(differing) or 'none'}"
        )
        raise WeightsError(msg)
    module.load_state_dict(state)
    return loaded


def _with_outputs(
    state: dict[str, Tensor], rows: list[int], n_labels: int
) -> dict[str, Tensor]:
    """Return the weights of a label network with more outputs, the new ones zero."""
    wider = dict(state)
    for name, tensor in state.items():
        if name.startswith(("output.", "log_variance.")):
            wider[name] = tensor.new_zeros(n_labels, *tensor.shape[1:])
            wider[name][rows] = tensor
    return wider


def share_layers(module: nn.Module, name: str | Path) -> None:
    """Begin with the convolutions and dense layers of published weights.

    Parameters
    ----------
    module : `torch.nn.Module`
        Changed in place; its output layers are left as they are.
    name : str or path
        Weights of a network with the same layers before these.
    """
    source = load_model(name, device="cpu").members[0].state_dict()
    kept = {
        key: value
        for key, value in source.items()
        if not key.startswith(("output", "log_variance"))
    }
    module.load_state_dict(kept, strict=False)
