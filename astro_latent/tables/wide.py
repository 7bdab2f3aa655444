# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Array columns spread over scalar ones, for programs that know only scalars."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy.table import Table

from .fields import Field, assemble, flatten
from .result_table import ResultTable

__all__ = ["to_wide"]

#: Beginnings of the names of the new columns.
PREFIXES = {"latent": "z", "latent_error": "z_error_"}


def to_wide(table: Table, *, columns: Sequence[str] | None = None) -> ResultTable:
    """Replace array columns by one scalar column for each element.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table.
    columns : sequence of str, optional
        Which columns; by default all that hold one-dimensional arrays.

    Returns
    -------
    ResultTable
        ``latent`` becomes ``z000`` ... ``z127``, ``latent_error`` ``z_error_000`` ...,
        any other column ``<name>_000`` ..., with the unit and UCD of the array.

    Raises
    ------
    ValueError
        If a column does not hold one-dimensional arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import QTable
    >>> from astro_latent.tables import to_wide
    >>> table = QTable({"obs_id": ["a", "b"], "latent": np.zeros((2, 3))})
    >>> to_wide(table).colnames
    ['obs_id', 'z000', 'z001', 'z002']
    """
    fields, arrays = flatten(table)
    for spec in fields:
        if columns is not None and spec.name in columns and len(spec.shape) != 1:
            msg = f"column {spec.name!r} has cells of shape {spec.shape}, not arrays"
            raise ValueError(msg)
    spread: list[tuple[Field, np.ndarray]] = []
    for spec, values in zip(fields, arrays, strict=True):
        if len(spec.shape) == 1 and (columns is None or spec.name in columns):
            spread += _elements(spec, values)
        else:
            spread.append((spec, values))
    new_fields, new_arrays = map(list, zip(*spread, strict=True))
    meta: dict[str, Any] = dict(table.meta)
    return assemble(new_fields, new_arrays, meta, kind=ResultTable)


def _elements(spec: Field, values: np.ndarray) -> list[tuple[Field, np.ndarray]]:
    prefix = PREFIXES.get(spec.name, f"{spec.name}_")
    digits = max(3, len(str(spec.shape[0] - 1)))
    return [
        (
            Field(
                name=f"{prefix}{i:0{digits}d}",
                kind=spec.kind,
                unit=spec.unit,
                ucd=spec.ucd,
                description=f"{spec.description} [{i}]".strip(),
                meta=spec.meta,
            ),
            values[:, i],
        )
        for i in range(spec.shape[0])
    ]
