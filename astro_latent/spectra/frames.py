# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra in the cells of a frame: a nested column, or columns of lists.

That is how LSDB and nested-pandas hold what has many values for each row. Which column
is what is told by names, as in any other table.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.table import Table

from .columns import find_roles, has_spectrum
from .observation import Observation, SpectrumArrays, placeholder
from .reading import iter_arrays
from .tablefile import TableFile

if TYPE_CHECKING:
    from pandas import DataFrame, Series

__all__ = ["iter_frame"]

#: What a row may say of its spectrum; the others are for readers to say.
_FACTS = [f.name for f in fields(Observation) if f.name not in ("flags", "message")]

_UNITS = ("wavelength_unit", "flux_unit")


def iter_frame(
    frame: "DataFrame", *, spectrum: str | None = None, **options: Any
) -> Iterator[SpectrumArrays]:
    """Read the spectra that the rows of a frame hold.

    Parameters
    ----------
    frame : pandas.DataFrame or nested_pandas.NestedFrame
        One spectrum in each row. Columns that are called like fields of
        `~astro_latent.spectra.Observation`, such as ``ra``, ``survey``, ``medium``
        or ``radial_velocity``, and ``wavelength_unit`` and ``flux_unit``, say what
        they say.
    spectrum : str, optional
        Name of the nested column; by default the only one that has wavelength and flux,
        and where there is none, the columns that hold lists.
    **options
        As for `~astro_latent.spectra.read_arrays`, such as ``column_mapping=`` and
        ``wavelength_unit=``.

    Yields
    ------
    SpectrumArrays
        One for each row, in order. A cell that holds no spectrum becomes an empty one
        with the flag ``UNREADABLE``.

    Raises
    ------
    ValueError
        If no column holds spectra, or several do; the message names them.

    Examples
    --------
    >>> from pandas import DataFrame
    >>> from astro_latent.spectra import iter_frame
    >>> frame = DataFrame({
    ...     "obs_id": ["a", "b"], "survey": ["mine", "mine"],
    ...     "wavelength_nm": [[500.0, 500.1], [600.0, 600.2]],
    ...     "flux": [[1.0, 0.9], [2.0, 2.1]]})
    >>> [(s.observation.obs_id, s.wavelength.tolist()) for s in iter_frame(frame)]
    [('a', [5000.0, 5001.0]), ('b', [6000.0, 6002.0])]
    """
    if not len(frame):
        return
    cells = _cells(frame, spectrum, stated="column_mapping" in options)
    facts = [name for name in (*_FACTS, *_UNITS) if name in {*frame.columns} - {*cells}]
    for number in range(len(frame)):
        said = frame[facts].iloc[number].dropna().to_dict()
        columns = {name: _array(cells[name].iloc[number]) for name in cells}
        name = str(said.get("obs_id", f"row {number}"))
        yield _read(name, columns, said, options)


def _read(
    name: str,
    columns: Mapping[str, np.ndarray],
    said: dict[str, Any],
    options: dict[str, Any],
) -> SpectrumArrays:
    """Read one cell; columns of unequal length are for the reader to refuse."""
    size = max(map(len, columns.values()))
    whole = {key: values for key, values in columns.items() if len(values) == size}
    units = {key: said.pop(key) for key in _UNITS if key in said}
    if "wavelength_unit" in units:
        options = {"wavelength_unit": units["wavelength_unit"]} | options
    if size:
        (arrays,) = iter_arrays(TableFile(name, Table(whole)), **options)
    else:
        arrays = placeholder(f"{name}: the cell of the frame is empty")
    kinds = Observation()
    known = {key: type(getattr(kinds, key))(value) for key, value in said.items()}
    return replace(
        arrays,
        observation=replace(arrays.observation, **known),
        flux_unit=u.Unit(units.get("flux_unit", arrays.flux_unit)),
    )


def _cells(frame: "DataFrame", spectrum: str | None, *, stated: bool) -> "DataFrame":
    """Return the columns of lists that hold spectra."""
    nested = [
        name for name in frame.columns if hasattr(frame.dtypes[name], "column_dtypes")
    ]
    if spectrum is not None:
        if spectrum not in nested:
            msg = f"no nested column is called {spectrum!r}; there are {nested}"
            raise ValueError(msg)
        return frame[spectrum].nest.to_lists()
    found = {name: frame[name].nest.to_lists() for name in nested}
    lists = [name for name in frame.columns if _holds_lists(frame[name])]
    found[""] = frame[lists]
    fit = {name: cells for name, cells in found.items() if stated or _fits(cells)}
    fit = {name: cells for name, cells in fit.items() if len(cells.columns)}
    if len(fit) == 1:
        return next(iter(fit.values()))
    msg = (
        f"no column holds spectra, of {', '.join(map(str, frame.columns))}: a nested "
        "column or columns of lists must be called wavelength and flux, or "
        "column_mapping= names them"
        if not fit
        else f"several columns hold spectra: say spectrum= as one of {', '.join(fit)}"
    )
    raise ValueError(msg)


def _fits(cells: "DataFrame") -> bool:
    return has_spectrum(find_roles([{"name": str(name)} for name in cells.columns]))


def _holds_lists(column: "Series") -> bool:
    first = next((cell for cell in column if cell is not None), None)
    return isinstance(first, list | tuple | np.ndarray)


def _array(cell: object) -> np.ndarray:
    return np.atleast_1d(np.asarray([] if cell is None else cell))
