# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Results beside the rows of a frame: what LSDB and Dask map over their partitions."""

import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from astropy.table import Table

from ..models import ModelLike
from ..spectra.frames import iter_frame
from ..spectra.reading import SpectraLike, find_path_column
from ..tables.fields import flatten
from ..tables.result_table import ResultTable, to_wide
from .verbs import encode_spectra, predict_parameters

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..models import SpectralModel

__all__ = ["add_results", "describe_results"]

_VERBS: dict[str, Callable[..., ResultTable]] = {
    "predict": predict_parameters,
    "encode": encode_spectra,
}
#: Columns of which the frame's own stay.
_OBSERVED = (
    "obs_id", "target_name", "survey", "ra", "dec", "obs_time", "obs_publisher_did",
    "snr",
)  # fmt: skip
#: Of facts, those that are for the reader of a cell.
_READING = ("wavelength_unit", "column_mapping")


def add_results(
    frame: "DataFrame",
    *,
    task: str,
    model: ModelLike,
    spectrum: str | None = None,
    facts: Mapping[str, Any] | None = None,
    **options: Any,
) -> "DataFrame":
    """Append the results of its spectra to a frame.

    It is what ``map_partitions`` of a catalogue of LSDB or of a frame of Dask is given:
    it works on a frame without rows, and its columns depend on the model alone.

    Parameters
    ----------
    frame : pandas.DataFrame or nested_pandas.NestedFrame
        Rows with a column of paths, a nested column, or columns of lists, as
        `~astro_latent.spectra.iter_frame` takes them.
    task : {"predict", "encode"}
        What to do.
    model : str, path-like or SpectralModel
        Name or folder of weights, which each process loads once, or a loaded model.
    spectrum : str, optional
        Name of the nested column, if several hold spectra.
    facts : mapping, optional
        As for `encode_spectra`.
    **options
        As for `predict_parameters` or `encode_spectra`.

    Returns
    -------
    pandas.DataFrame
        The same rows, index and columns, and behind them those of the results, arrays
        spread as by `~astro_latent.tables.to_wide`. Where both say what is known of an
        observation, such as ``ra``, the frame's column stays.

    Raises
    ------
    ValueError
        If the frame has a result already, no spectra, or a file holds several.

    Examples
    --------
    >>> from pandas import DataFrame
    >>> from astro_latent import get_survey
    >>> from astro_latent.pipeline import add_results
    >>> frame = DataFrame({"path": get_survey("sample").table()["path"][:1]})
    >>> found = add_results(frame, task="predict", model="apogee_starnet_v1")
    >>> found["teff"].round(-2).tolist()
    [4600.0]
    """
    if isinstance(model, str | os.PathLike):
        model = _loaded(os.fspath(model))
    source: SpectraLike = frame
    facts = dict(facts or {})
    if find_path_column(list(frame.columns)) is None:
        reading = {name: facts.pop(name) for name in _READING if name in facts}
        source = list(iter_frame(frame, spectrum=spectrum, **reading))
    elif not len(frame):
        source = []
    table = _verb(task)(
        source, model=model, facts=facts, **({"progress": False} | options)
    )
    if len(table) != len(frame):
        msg = (
            f"{len(frame)} rows gave {len(table)} spectra, which cannot stand beside "
            "them: some file holds several; name one for each spectrum"
        )
        raise ValueError(msg)
    return _side_by_side(frame, table)


def describe_results(task: str, model: ModelLike, **options: Any) -> ResultTable:
    """Return the table of no spectra: columns with unit and UCD, and provenance.

    Parameters
    ----------
    task : {"predict", "encode"}
        What is done.
    model : str, path-like or SpectralModel
        By which model.
    **options
        As for `predict_parameters` or `encode_spectra`.

    Returns
    -------
    ResultTable
        No rows.
    """
    return to_wide(_verb(task)([], model=model, **({"progress": False} | options)))


def _verb(task: str) -> Callable[..., ResultTable]:
    if task not in _VERBS:
        msg = f"task must be one of {', '.join(_VERBS)}, not {task!r}"
        raise ValueError(msg)
    return _VERBS[task]


@lru_cache(maxsize=4)
def _loaded(name: str) -> "SpectralModel":
    from ..models import load_model

    return load_model(name)


def _side_by_side(frame: "DataFrame", table: ResultTable) -> "DataFrame":
    import pandas as pd

    specs, arrays = flatten(to_wide(table))
    new: dict[str, Any] = {}
    for spec, values in zip(specs, arrays, strict=True):
        if spec.name not in frame.columns:
            column = Table({spec.name: values}).to_pandas()[spec.name]
            text = spec.kind == "U"
            new[spec.name] = (
                column.astype("string[pyarrow]") if text else column
            ).array
        elif spec.name not in _OBSERVED:
            msg = f"the frame has {spec.name!r} already: rename that column, or drop it"
            raise ValueError(msg)
    return pd.concat([frame, pd.DataFrame(new, index=frame.index)], axis=1)
