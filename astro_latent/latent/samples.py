# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Samples that may be compared: rows matched by identifier, one spectrum per star."""

from collections.abc import Mapping, Sequence

import numpy as np
from astropy.table import MaskedColumn, Table

__all__ = ["align_labels", "one_per_star"]


def align_labels(
    latent_id: Sequence[str],
    table: Table,
    *,
    id_column: str = "obs_id",
    columns: Sequence[str] | None = None,
) -> Table:
    """Bring a table of labels into the order of the latents, by identifier.

    Parameters
    ----------
    latent_id : sequence of str, shape (n_spectra,)
        Identifier of each row of latents.
    table : `~astropy.table.Table`
        Labels, with one row per identifier, in any order.
    id_column : str, optional
        Column of ``table`` that holds the identifiers.
    columns : sequence of str, optional
        Numeric columns to take; by default all of them.

    Returns
    -------
    `~astropy.table.Table`
        ``id_column`` equal to ``latent_id`` and the labels as float64 with their
        units; NaN where ``table`` has no such row or no value.

    Raises
    ------
    ValueError
        If ``table`` has an identifier twice, or shares none with ``latent_id``.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_latent.latent import align_labels
    >>> catalogue = Table({"obs_id": ["c", "a"], "teff": [6000.0, 4500.0]})
    >>> align_labels(["a", "b", "c"], catalogue)["teff"].tolist()
    [4500.0, nan, 6000.0]
    """
    known = [str(name) for name in table[id_column]]
    row_of = {name: row for row, name in enumerate(known)}
    if len(row_of) != len(known):
        twice = next(name for i, name in enumerate(known) if row_of[name] != i)
        msg = f"{id_column} {twice!r} occurs more than once in the labels"
        raise ValueError(msg)
    wanted = [str(name) for name in latent_id]
    rows = np.array([row_of.get(name, -1) for name in wanted], dtype=int)
    if not np.any(rows >= 0):
        msg = f"no {id_column} is in both the latents and the labels: is it the same?"
        raise ValueError(msg)
    if columns is None:
        columns = [
            name
            for name in table.colnames
            if table[name].dtype.kind in "fiu" and table[name].ndim == 1
        ]
    aligned = Table({id_column: wanted})
    for name in columns:
        values = np.where(rows >= 0, as_floats(table[name])[rows], np.nan)
        aligned[name] = values
        aligned[name].unit = table[name].unit
    return aligned


def one_per_star(
    star: Sequence[str] | np.ndarray,
    *,
    rng: np.random.Generator | int | None = None,
) -> np.ndarray:
    """Draw one spectrum of each star, as Sedaghat et al. (2021) do.

    Parameters
    ----------
    star : sequence of str, shape (n_spectra,)
        Name of the star that each spectrum shows.
    rng : `numpy.random.Generator` or int, optional
        Source of randomness.

    Returns
    -------
    ndarray of int, shape (n_stars,)
        Rows, in ascending order.

    Examples
    --------
    >>> from astro_latent.latent import one_per_star
    >>> len(one_per_star(["a", "b", "a", "c"], rng=1))
    3
    """
    names = np.asarray(star)
    order = np.random.default_rng(rng).permutation(len(names))
    _, first = np.unique(names[order], return_index=True)
    return np.sort(order[first])


def as_floats(column: object) -> np.ndarray:
    """Return a column, quantity or array as float64, masked values as NaN."""
    if isinstance(column, (MaskedColumn, np.ma.MaskedArray)):
        return np.ma.filled(np.ma.asarray(column).astype(float), np.nan)
    return np.array(getattr(column, "value", column), dtype=float)


def as_latents(latents: np.ndarray, name: str = "latents") -> np.ndarray:
    """Return latents as a float64 array of shape (n_spectra, n_latent)."""
    latents = np.asarray(latents, dtype=float)
    if latents.ndim != 2 or 0 in latents.shape:
        msg = f"{name} must have shape (n_spectra, n_latent), not {latents.shape}"
        raise ValueError(msg)
    return latents


def as_nodes(nodes: Sequence[int] | None, n_latent: int) -> np.ndarray:
    """Return latent indices, by default all; raise if one does not exist."""
    chosen = np.arange(n_latent) if nodes is None else np.asarray(nodes)
    if (
        chosen.ndim != 1
        or not len(chosen)
        or chosen.dtype.kind not in "iu"
        or chosen.min() < 0
        or chosen.max() >= n_latent
    ):
        msg = f"nodes must be a list of indices in 0..{n_latent - 1}, not {nodes}"
        raise ValueError(msg)
    return chosen


def as_labels(
    labels: Mapping[str, np.ndarray] | Table, n_spectra: int
) -> dict[str, np.ndarray]:
    """Return labels as float64 arrays by name, each of length ``n_spectra``."""
    if isinstance(labels, Table):
        labels = {
            name: labels[name]
            for name in labels.colnames
            if labels[name].dtype.kind in "fiu"
        }
    arrays = {str(name): as_floats(values) for name, values in labels.items()}
    if not arrays:
        msg = "no label was given; pass a mapping or table of numeric columns"
        raise ValueError(msg)
    for name, values in arrays.items():
        if values.shape != (n_spectra,):
            msg = f"label {name!r} has shape {values.shape} for {n_spectra} latents"
            raise ValueError(msg)
    return arrays


def check_aligned(latent_id: Sequence[str], label_id: Sequence[str]) -> None:
    """Raise unless both identifiers agree row by row and none occurs twice."""
    left, right = [np.asarray(ids).astype(str) for ids in (latent_id, label_id)]
    if left.shape != right.shape:
        msg = f"{len(left)} latents for {len(right)} labels: use align_labels first"
        raise ValueError(msg)
    differ = np.flatnonzero(left != right)
    if differ.size:
        row = int(differ[0])
        msg = (
            f"latents and labels are not aligned in {differ.size} rows, the first "
            f"being row {row}: {str(left[row])!r} is not {str(right[row])!r}; use "
            "align_labels first"
        )
        raise ValueError(msg)
    if len(np.unique(left)) != len(left):
        msg = "an identifier occurs more than once: rows cannot be told apart"
        raise ValueError(msg)


def star_rows(star: Sequence[str] | np.ndarray) -> list[np.ndarray]:
    """Return the rows of each star, to resample stars instead of spectra."""
    _, inverse = np.unique(np.asarray(star), return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    return np.split(order, np.cumsum(np.bincount(inverse))[:-1])


def resample(rows_of: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Draw stars with replacement and return all of their rows."""
    drawn = rng.integers(len(rows_of), size=len(rows_of))
    return np.concatenate([rows_of[i] for i in drawn])
