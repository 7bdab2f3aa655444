# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Writing of a folder of weights: tensors, configuration, card, reference."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from ..utils.writing import replacing_folder
from .card import CARD_FILE, ModelCard
from .check import write_reference
from .config import CONFIG_FILE, SCHEMA_VERSION, ModelConfig
from .domain import BASIS_TENSORS, FluxBasis
from .pretrained import DOMAIN_TENSORS, load_model, shared_name, tensor_names

__all__ = ["save_weights"]

TENSOR_FILE = "model.safetensors"


def save_weights(
    folder: str | Path,
    module: nn.Module | Sequence[nn.Module],
    config: dict[str, Any],
    *,
    dtype: str = "float32",
    domain_mean: np.ndarray | None = None,
    domain_whitening: np.ndarray | None = None,
    flux_basis: FluxBasis | None = None,
    tolerance: float = 1e-4,
    overwrite: bool = False,
) -> Path:
    """Write a folder of weights that `load_model` accepts.

    Parameters
    ----------
    folder : str or Path
        The folder to make, by custom ``<survey>_<architecture>_v<N>``.
    module : Module or sequence of Module
        The trained network, or the members of an ensemble.
    config : dict
        Content of ``config.json``; ``schema_version``, ``members`` and ``weights`` are
        filled in here.
    dtype : {"float32", "float16"}, optional
        How matrices and filters are stored. Vectors stay in float32.
    domain_mean : ndarray, shape (n_features,), optional
        Mean of the features of the training set.
    domain_whitening : ndarray, shape (n_features, n_features), optional
        Matrix that whitens these features.
    flux_basis : FluxBasis, optional
        Low-rank model of single stars, to look for what they have not.
    tolerance : float, optional
        Of the reference outputs.
    overwrite : bool, optional
        Replace weights that are there already.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    FileExistsError
        If there are weights in the folder: published ones are never edited.
    ValueError
        If a tensor is not finite, or not in ``dtype``.
    WeightsError
        If the configuration is not valid.
    """
    folder = Path(folder)
    if (folder / CONFIG_FILE).exists() and not overwrite:
        msg = f"{folder} holds weights already; choose the next version"
        raise FileExistsError(msg)
    members = [module] if isinstance(module, nn.Module) else list(module)
    tensors = _tensors(members, dtype)
    for name, array in zip(
        DOMAIN_TENSORS, (domain_mean, domain_whitening), strict=True
    ):
        if array is not None:
            tensors[name] = torch.tensor(np.asarray(array), dtype=torch.float32)
    if flux_basis is not None:
        parts = (getattr(flux_basis, field.name) for field in fields(flux_basis))
        for name, array in zip(BASIS_TENSORS, parts, strict=True):
            tensors[name] = torch.tensor(array, dtype=torch.float32).contiguous()
    content = safetensors.torch.save(tensors)
    weights = {
        "file": TENSOR_FILE,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "dtype": dtype,
    }
    record = {
        **config,
        "schema_version": SCHEMA_VERSION,
        "members": len(members),
        "weights": weights,
    }
    checked = ModelConfig.from_dict(record, source=folder / CONFIG_FILE)

    text = json.dumps(checked.to_dict(), indent=1, ensure_ascii=False)
    with replacing_folder(folder, overwrite=True) as part:
        part.mkdir(exist_ok=True)
        (part / TENSOR_FILE).write_bytes(content)
        (part / CONFIG_FILE).write_text(text + "\n", encoding="utf-8")
        (part / CARD_FILE).write_text(ModelCard(checked).text, encoding="utf-8")
        write_reference(load_model(part, device="cpu"), part, tolerance=tolerance)
    return folder


def _tensors(members: Sequence[nn.Module], dtype: str) -> dict[str, Tensor]:
    if dtype not in ("float32", "float16"):
        msg = f"dtype must be 'float32' or 'float16', not {dtype!r}"
        raise ValueError(msg)
    tensors: dict[str, Tensor] = {}
    states = [member.state_dict() for member in members]
    once = {
        name
        for name, tensor in states[0].items()
        if len(states) > 1 and all(torch.equal(s[name], tensor) for s in states[1:])
    }
    for prefix, state in zip(tensor_names(len(members)), states, strict=True):
        for name, tensor in state.items():
            if name in once and shared_name(name) in tensors:
                continue
            stored = tensor.detach().float().cpu().contiguous()
            # vectors are few and carry offsets, which half precision would shift
            if dtype == "float16" and stored.ndim > 1:
                stored = stored.half()
            if not torch.isfinite(stored).all():
                msg = f"the tensor {prefix + name!r} is not finite in {stored.dtype}"
                raise ValueError(msg)
            tensors[shared_name(name) if name in once else prefix + name] = stored
    return tensors
