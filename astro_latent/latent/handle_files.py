# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Handles of labels as a file beside the weights of a model."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..exceptions import WeightsError, WeightsNotFoundError
from ..models import ModelLike
from ..models.locate import find_weights
from ..utils.guard import guarding
from ..utils.writing import replacing
from .handles import LabelHandle

__all__ = ["HANDLES_FILE", "read_handles", "write_handles"]

#: Name of the file in a folder of weights.
HANDLES_FILE = "handles.json"

_REMEDY = "write it anew with write_handles"


def write_handles(handles: Mapping[str, LabelHandle], folder: str | Path) -> Path:
    """Write the handles of a model into its folder of weights.

    Parameters
    ----------
    handles : mapping of str to LabelHandle
        From `fit_handles`.
    folder : str or path-like
        Folder of the weights.

    Returns
    -------
    Path
        The file.
    """
    records = [asdict(handle) for handle in handles.values()]
    path = Path(folder, HANDLES_FILE)
    with replacing(path) as part:
        part.write_text(json.dumps(records, default=_as_list) + "\n", encoding="utf-8")
    return path


def read_handles(model: ModelLike) -> dict[str, LabelHandle]:
    """Read the handles that come with a model.

    Parameters
    ----------
    model : str, path-like or SpectralModel
        Name or folder of weights, or a loaded model that has a name.

    Returns
    -------
    dict of str to LabelHandle
        By label.

    Raises
    ------
    WeightsNotFoundError
        If none come with the model.
    WeightsError
        If the file is damaged or for another number of latents; it names the file.

    Examples
    --------
    >>> from astro_latent.latent import read_handles
    >>> handles = read_handles("harps_dae_fast_v1")
    >>> handles["radial_velocity"].node, handles["teff"].unit
    (0, 'K')
    """
    name = model if isinstance(model, str | os.PathLike) else model.name
    path = find_weights(name) / HANDLES_FILE
    if not path.is_file():
        msg = (
            f"no {HANDLES_FILE} comes with model {os.fspath(name)!r}: fit handles to "
            "spectra whose labels are known with fit_handles, and give these"
        )
        raise WeightsNotFoundError(msg)
    with guarding(path, WeightsError, problem="holds no handles", remedy=_REMEDY):
        records = json.loads(path.read_text(encoding="utf-8"))
        handles = {record["label"]: LabelHandle(**record) for record in records}
        sizes = {len(handle.direction) for handle in handles.values()}
        if len(sizes) != 1:
            msg = f"its handles are for {sorted(sizes)} latents"
            raise ValueError(msg)
    return handles


def _as_list(values: np.ndarray) -> list[float]:
    """Return an array for JSON; seven digits are those of the latents."""
    return [float(f"{value:.7g}") for value in values]
