# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Where sets of weights lie, and which there are; needs no torch."""

import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

from astropy.table import Table

from .._config import conf
from ..exceptions import (
    AstroLatentWarning,
    UnknownNameError,
    WeightsError,
    WeightsNotFoundError,
)
from .card import ModelCard
from .config import CONFIG_FILE, ModelConfig

if TYPE_CHECKING:
    from .base import SpectralModel

__all__ = [
    "PACKAGED",
    "ModelLike",
    "find_weights",
    "list_models",
    "weights_configs",
    "weights_folders",
]

#: Whatever names a model: a name, a folder of weights, or a loaded model.
ModelLike: TypeAlias = Union[str, os.PathLike[str], "SpectralModel"]

#: Folder of the weights that come with the package.
PACKAGED = Path(__file__).parent / "weights"

_COLUMNS = {
    **dict.fromkeys(("name", "version", "survey", "architecture", "outputs"), str),
    "n_pixels": int,
    "size": float,
    "description": str,
}


def weights_folders() -> dict[str, Path]:
    """Return all folders of weights that are known by name.

    Returns
    -------
    dict of str to Path
        Name to folder; those in ``conf.weights_dir`` hide packaged ones of the same
        name.
    """
    roots = [PACKAGED]
    if conf.weights_dir:
        roots.append(Path(conf.weights_dir).expanduser())
    return {
        path.parent.name: path.parent
        for root in roots
        for path in sorted(root.glob(f"*/{CONFIG_FILE}"))
    }


def weights_configs() -> dict[str, ModelConfig]:
    """Read the configurations of all folders of weights that are known by name.

    Returns
    -------
    dict of str to ModelConfig
        By name; what is no valid configuration is left out with a warning.
    """
    configs = {}
    for name, folder in weights_folders().items():
        try:
            configs[name] = ModelConfig.from_folder(folder)
        except WeightsError as error:
            warnings.warn(f"left out: {error}", AstroLatentWarning, stacklevel=2)
    return configs


def find_weights(name_or_path: str | os.PathLike) -> Path:
    """Find the folder of a set of weights.

    Parameters
    ----------
    name_or_path : str or path-like
        A name from `list_models`, with or without the version at its end (without: the
        newest), or the path of a folder. A string is a path if it holds a separator,
        or if no weights have that name and a folder here does.

    Returns
    -------
    Path
        A folder with a ``config.json``.

    Raises
    ------
    WeightsNotFoundError
        If a path leads to no folder of weights.
    UnknownNameError
        If no weights have that name.
    TypeError
        If it is neither.
    """
    if not isinstance(name_or_path, str | os.PathLike):
        kind = type(name_or_path).__name__
        msg = f"a model is a name or a folder, not the {kind} {name_or_path!r}"
        raise TypeError(msg)
    text = os.fspath(name_or_path)
    if isinstance(name_or_path, os.PathLike) or "/" in text or os.sep in text:
        folder = Path(text).expanduser()
        if not (folder / CONFIG_FILE).is_file():
            msg = f"{folder} is no folder of weights: it has no {CONFIG_FILE}"
            raise WeightsNotFoundError(msg)
        return folder
    folders = weights_folders()
    if text in folders:
        return folders[text]
    versions = {
        int(match[1]): folder
        for name, folder in folders.items()
        if (match := re.fullmatch(rf"{re.escape(text)}_v(\d+)", name))
    }
    if not versions:
        if (Path(text) / CONFIG_FILE).is_file():
            return Path(text)
        raise UnknownNameError("model", text, list(folders))
    return versions[max(versions)]


def list_models() -> Table:
    """List the models that can be loaded by name.

    Only configurations are read, no weights.

    Returns
    -------
    `~astropy.table.Table`
        Columns ``name``, ``version``, ``survey``, ``architecture``, ``outputs``,
        ``n_pixels``, ``size`` (MB on disk), ``description``.

    Examples
    --------
    >>> from astro_latent import list_models
    >>> "n_pixels" in list_models().colnames
    True
    """
    rows = [ModelCard(config).row() for config in weights_configs().values()]
    table = Table(rows=rows or None, names=tuple(_COLUMNS), dtype=(*_COLUMNS.values(),))
    table["size"].unit = "MB"
    table["size"].format = ".1f"
    return table
