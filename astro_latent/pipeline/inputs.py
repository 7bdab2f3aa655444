# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What neighbours hand over: their tables, frames and rows become ours."""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Row, Table

from ..spectra.convert import from_spectrum
from ..spectra.observation import SpectrumArrays
from ..spectra.reading import SpectraLike, find_path_column

__all__ = ["as_spectra", "as_table"]

#: Names of columns that make a table, or a mapping, a spectrum of its own.
_WAVELENGTH = ("wavelength", "wave", "lambda", "lam", "wl", "spectral_axis")
_FLUX = ("flux", "flux_density")
_ERROR = ("flux_error", "error", "err", "sigma", "uncertainty", "flux_err")


def as_spectra(source: Any) -> SpectraLike:
    """Turn what other packages return into what spectra are read from.

    Parameters
    ----------
    source : object
        Results of pyvo, frames of pandas or polars, mappings of columns, tables of
        astroquery; what `~astro_latent.spectra.iter_arrays` takes is returned as it is.

    Returns
    -------
    SpectraLike
        Spectra, or a table with a column of paths. Rows that name no file here are
        fetched: by ``access_url``, or by what their survey calls its spectra.

    Raises
    ------
    ValueError
        If a table says nowhere where its spectra are; the message lists its columns
        and those that are needed.
    """
    table = as_table(source)
    if table is None:
        return source
    spectrum = _as_spectrum(table)
    if spectrum is not None:
        return [spectrum]
    if find_path_column(table.colnames):
        return table
    from ..surveys import fetch

    return fetch(table)


def as_table(source: Any) -> Table | None:
    """Return whatever is a table in its own package as one of Astropy's.

    Parameters
    ----------
    source : object
        Anything.

    Returns
    -------
    `~astropy.table.Table` or None
        None if it is no table.
    """
    if isinstance(source, Row):
        return Table(source)
    if isinstance(source, Table):
        return source
    if _is(source, "pyvo.dal", "DALResults"):
        return source.to_table()
    if _is(source, "pandas", "DataFrame"):
        return Table.from_pandas(source)
    if _is(source, "polars", "DataFrame"):
        return Table(source.to_dict(as_series=False))
    if isinstance(source, Mapping):
        return Table(dict(source))
    return None


def _is(value: Any, module: str, name: str) -> bool:
    """Tell whether this is an object of a package, without importing the package."""
    here = sys.modules.get(module)
    return here is not None and isinstance(value, getattr(here, name, ()))


def _as_spectrum(table: Table) -> SpectrumArrays | None:
    """Read a table whose rows are pixels; None if they are something else."""
    wavelength = _find(table, _WAVELENGTH)
    flux = _find(table, _FLUX)
    if wavelength is None or flux is None or len(table) < 2:
        return None
    axis = u.Quantity(table[wavelength])
    if np.ndim(axis) != 1 or axis.unit.physical_type not in ("length", "frequency"):
        msg = (
            f"the column {wavelength!r} of wavelengths needs a unit of length, not "
            f"{axis.unit.to_string()!r}"
        )
        raise ValueError(msg)
    from astropy.nddata import StdDevUncertainty
    from specutils import Spectrum

    error = _find(table, _ERROR)
    values = u.Quantity(table[flux])
    spectrum = Spectrum(
        spectral_axis=axis,
        flux=values,
        uncertainty=None
        if error is None
        else StdDevUncertainty(u.Quantity(table[error], values.unit).value),
        meta={"header": dict(table.meta)},
    )
    return from_spectrum(spectrum)


def _find(table: Table, names: tuple[str, ...]) -> str | None:
    spelled = {name.lower(): name for name in table.colnames}
    return next((spelled[name] for name in names if name in spelled), None)
