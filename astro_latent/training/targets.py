# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The labels to learn: read from a table, with units, errors and what is missing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from astropy import units as u
from astropy.table import Column, Table

from ..exceptions import UnknownNameError
from ..tables.columns import LABELS, ColumnInfo

__all__ = ["Targets", "find_error_column", "plain_numbers", "read_targets"]

#: Numbers that catalogues write where they have none.
_MISSING = (-9999.0, -999.0)
_LARGEST = 1e29  # a configuration of weights holds no larger numbers
_FAR = 50.0  # half-widths from the median beyond which a label is odd


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Labels of spectra.

    Parameters
    ----------
    columns : tuple of ColumnInfo
        Name, unit, UCD and meaning of each label.
    values : ndarray, shape (n_spectra, n_labels)
        NaN where missing.
    errors : ndarray, shape (n_spectra, n_labels)
        Of the labels themselves; 0 where nobody said.
    """

    columns: tuple[ColumnInfo, ...]
    values: np.ndarray
    errors: np.ndarray

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the labels."""
        return tuple(column.name for column in self.columns)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: np.ndarray) -> "Targets":
        return replace(self, values=self.values[rows], errors=self.errors[rows])

    def check(self, which: str = "") -> None:
        """Refuse labels that teach nothing.

        Parameters
        ----------
        which : str, optional
            Which spectra these are, for the message.

        Raises
        ------
        ValueError
            If a label is missing for all stars, or the same for all, or so large that
            it can be no measurement.
        """
        for name, column in zip(self.names, self.values.T, strict=True):
            known, of = column[np.isfinite(column)], f"spectra{which}"
            if not len(known):
                msg = f"the label {name!r} is missing for all {len(column)} {of}"
                raise ValueError(msg)
            if np.abs(known).max() > _LARGEST:
                msg = (
                    f"the label {name!r} is {known[np.abs(known).argmax()]:g} for some "
                    f"{of}: make it NaN if it stands for what is not known"
                )
                raise ValueError(msg)
            if np.ptp(known) == 0:
                msg = (
                    f"the label {name!r} is {known[0]:g} for all {len(known)} {of} "
                    "that have it: there is nothing to learn, leave it out"
                )
                raise ValueError(msg)

    def remarks(self) -> list[str]:
        """Return what is odd about the labels, and may be meant."""
        found = []
        for name, column in zip(self.names, self.values.T, strict=True):
            low, middle, high = np.nanpercentile(column, (16, 50, 84))
            far = np.unique(column[np.abs(column - middle) > _FAR * (high - low) / 2])
            if len(far) and high > low:
                shown = ", ".join(f"{value:g}" for value in far[:5])
                found.append(
                    f"labels {name!r} far from all others: {shown}; make them NaN if "
                    "they stand for what is not known"
                )
        return found


def find_error_column(table: Table, label: str) -> str | None:
    """Return the column with the errors of a label; None if there is none.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table.
    label : str
        The label.

    Returns
    -------
    str or None
        ``<label>_error``, ``<label>_err`` or ``e_<label>``.
    """
    names = (f"{label}_error", f"{label}_err", f"e_{label}")
    return next((name for name in names if name in table.colnames), None)


def read_targets(
    table: Table, labels: Sequence[str], *, like: Targets | None = None
) -> Targets:
    """Read labels and their errors from a table.

    Parameters
    ----------
    table : `~astropy.table.Table`
        One row for each spectrum.
    labels : sequence of str
        Columns. A unit that differs from that of `~astro_latent.tables.LABELS` is
        converted; masked values, NaN, infinity, -9999 and -999 are missing.
    like : Targets, optional
        The same labels from elsewhere, whose units are taken.

    Returns
    -------
    Targets
        The labels.

    Raises
    ------
    UnknownNameError
        If there is no such column.
    ValueError
        If a column holds no numbers, or has a unit of another kind.

    Examples
    --------
    >>> from astropy.table import Column, Table
    >>> from astro_latent.training.targets import read_targets
    >>> table = Table({"teff": [5.0, -9999.0]}, units={"teff": "kK"})
    >>> read_targets(table, ["teff"]).values.T
    array([[5000.,   nan]])
    """
    if isinstance(labels, str):
        labels = [labels]
    columns, values, errors = [], [], []
    for k, label in enumerate(labels):
        if label not in table.colnames:
            raise UnknownNameError("label column", label, table.colnames)
        unit = str(table[label].unit or "")
        info = LABELS.get(label, ColumnInfo(label, unit, "", label))
        info = info if like is None else like.columns[k]
        columns.append(info)
        values.append(_numbers(table, label, info.unit))
        name = find_error_column(table, label)
        error = (
            np.zeros(len(table)) if name is None else _numbers(table, name, info.unit)
        )
        errors.append(np.where(np.isfinite(error) & (error > 0), error, 0.0))
    if not columns:
        nothing = np.empty((len(table), 0))
        return Targets(columns=(), values=nothing, errors=nothing)
    return Targets(
        columns=tuple(columns), values=np.stack(values, 1), errors=np.stack(errors, 1)
    )


def plain_numbers(column: Column | u.Quantity) -> np.ndarray:
    """Return a column, or a quantity, as numbers in its own unit; NaN where masked.

    Parameters
    ----------
    column : `~astropy.table.Column` or `~astropy.units.Quantity`
        Of numbers, masked or not.

    Returns
    -------
    ndarray, float64
        As many.

    Examples
    --------
    >>> from astropy.table import MaskedColumn
    >>> from astro_latent.training.targets import plain_numbers
    >>> plain_numbers(MaskedColumn([1, 2], mask=[False, True]))
    array([ 1., nan])
    """
    if isinstance(column, u.Quantity):
        column = column.value
    return np.ma.filled(np.ma.asarray(column).astype(float), np.nan)


def _numbers(table: Table, name: str, unit: str) -> np.ndarray:
    """Return a column as numbers in a unit, NaN where there is none."""
    column = table[name]
    try:
        values = plain_numbers(column)
    except (TypeError, ValueError) as error:
        msg = f"the column {name!r} holds no numbers but {column.dtype}"
        raise ValueError(msg) from error
    values = np.where(np.isin(values, _MISSING) | np.isinf(values), np.nan, values)
    if column.unit is None or not unit or str(column.unit) in (unit, ""):
        return values
    try:
        return u.Unit(column.unit).to(u.Unit(unit), values)
    except u.UnitConversionError as error:
        if u.dex in (u.Unit(unit), column.unit):  # dex and none mean the same here
            return values
        msg = f"the column {name!r} is in {column.unit}, the label in {unit}"
        raise ValueError(msg) from error
