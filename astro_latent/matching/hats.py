# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""HATS catalogues, for billions of rows: written for LSDB, and matched by it."""

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.table import Table

from ..pipeline.frames import add_results, describe_results
from ..spectra.reading import SpectraLike
from ..tables import to_wide
from ..tables.fields import flatten
from ..utils.writing import free_path, replacing_folder, write_bytes
from .hats_columns import (
    describe_catalogue,
    described_columns,
    give_back,
    nest_spectra,
)
from .pairs import find_pairs
from .positions import Positions, position_columns

if TYPE_CHECKING:
    from lsdb.catalog import Catalog
    from pandas import DataFrame

__all__ = ["add_hats_results", "match_hats", "results_of", "write_hats"]


def _lsdb() -> ModuleType:
    try:
        import lsdb
    except ImportError as error:
        msg = "HATS catalogues need LSDB: python -m pip install 'astro_latent[scale]'"
        raise ImportError(msg) from error
    return lsdb


def write_hats(
    table: Table,
    folder: str | PathLike[str],
    *,
    name: str = "results",
    spectra: SpectraLike | None = None,
) -> Path:
    """Write a HATS catalogue that LSDB opens.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Rows with positions. Array columns are spread as by `to_wide`.
    folder : path-like
        A new folder.
    name : str, optional
        Name of the catalogue.
    spectra : SpectraLike, optional
        The spectra of the rows, in their order. They become the nested column
        ``spectrum`` of wavelength (Angstrom), flux, its error (NaN where unknown) and
        mask, and what is known of them, such as ``medium`` and ``frame``, columns of
        the rows: `~astro_latent.spectra.iter_frame` reads them again. All of them are
        in memory at once.

    Returns
    -------
    `~pathlib.Path`
        The folder. Units, UCDs and provenance stand in its ``columns.vot``, and where
        HATS puts units and UCDs, in the file ``_common_metadata``.

    Raises
    ------
    ValueError
        If rows have no position, which the format cannot hold, or there is not one
        spectrum for each row.
    ImportError
        If LSDB is not installed.
    OSError
        If the folder exists.

    Examples
    --------
    >>> from astro_latent.matching import write_hats
    >>> write_hats(table, "latents_hats")  # doctest: +SKIP
    """
    path = free_path(folder, overwrite=False)
    wide = to_wide(table)
    ra, dec = position_columns(wide)
    fields, arrays = flatten(wide)
    values = dict(zip((spec.name for spec in fields), arrays, strict=True))
    unknown = int(np.sum(~(np.isfinite(values[ra]) & np.isfinite(values[dec]))))
    if unknown:
        msg = f"{unknown} rows have no position, which HATS cannot hold; leave them out"
        raise ValueError(msg)
    lsdb, frame = _lsdb(), Table(values).to_pandas()
    if spectra is not None:
        frame, more = nest_spectra(frame, spectra)
        fields += more
    catalogue = lsdb.from_dataframe(
        frame, ra_column=ra, dec_column=dec, catalog_name=name, margin_threshold=None
    )
    with replacing_folder(path) as part:
        catalogue.write_catalog(part)
        describe_catalogue(part, fields, dict(wide.meta))
    return path


def add_hats_results(
    source: "str | PathLike[str] | Catalog",
    folder: str | PathLike[str],
    *,
    task: str,
    model: str | PathLike[str],
    name: str = "results",
    columns: Sequence[str] | None = None,
    **options: Any,
) -> Path:
    """Compute results from the spectra in a HATS catalogue, into another one.

    LSDB and Dask do the work: each partition is written as it ends, by the processes of
    the Dask client that is active, and what a process was at when it was lost is done
    again by another. If the run itself is stopped, the same call goes on behind the
    partitions that are there.

    Parameters
    ----------
    source : path-like or lsdb.catalog.Catalog
        The catalogue, or what LSDB has selected of it.
    folder : path-like
        A new folder, or that of a run that was stopped.
    task : {"predict", "encode"}
        What to do.
    model : str or path-like
        Name or folder of weights, which each process loads for itself.
    name : str, optional
        Name of the new catalogue.
    columns : sequence of str, optional
        Columns of the source that are kept, besides the position; by default all but
        nested ones.
    **options
        As for `~astro_latent.pipeline.add_results`.

    Returns
    -------
    `~pathlib.Path`
        The folder. Units and UCDs of both and provenance of the results stand in its
        ``columns.vot`` and where HATS puts them.

    Raises
    ------
    ValueError
        If the catalogue has no spectra, or results already, or if the folder was begun
        with another task, model or options.
    ImportError
        If LSDB is not installed.
    OSError
        If the folder holds a whole catalogue.

    Examples
    --------
    >>> from astro_latent.matching import add_hats_results
    >>> add_hats_results(
    ...     "spectra_hats", "labels_hats", task="predict",
    ...     model="apogee_starnet_v1")  # doctest: +SKIP
    """
    lsdb, path = _lsdb(), Path(folder)
    if path.is_dir() and list(path.rglob("hats.properties")):
        msg = f"{path} is a whole catalogue; name another folder"
        raise FileExistsError(msg)
    catalogue: Any = source
    if isinstance(source, str | PathLike):
        catalogue = lsdb.open_catalog(source, columns="all")
    info = catalogue.hc_structure.catalog_info
    kept = _kept(catalogue, columns, (info.ra_column, info.dec_column))
    new = describe_results(task, model)
    note = _claim(path, {"task": task, "model": model, "columns": kept, **options})
    found = catalogue.map_partitions(
        results_of, kept=kept, task=task, model=str(model), **options
    )
    found.write_catalog(path, catalog_name=name, resume=True)
    told = [*flatten(new)[0], *described_columns(source)[0]]  # of two, the source's
    fields = {spec.name: spec for spec in told if spec.name in found.columns}
    describe_catalogue(path, list(fields.values()), dict(new.meta))
    note.unlink()
    return path


def _claim(path: Path, about: Mapping[str, Any]) -> Path:
    """Note what a catalogue is made with; another call may not go on with it."""
    note, text = (
        path / "begun_with.json",
        json.dumps(about, default=str, sort_keys=True),
    )
    known = note.read_text(encoding="utf-8") if note.is_file() else text
    if known != text:
        msg = f"{path} was begun with {known}, not {text}; name another folder"
        raise ValueError(msg)
    path.mkdir(parents=True, exist_ok=True)
    write_bytes(note, text.encode())
    return note


def _kept(
    catalogue: "Catalog", columns: Sequence[str] | None, position: Sequence[str]
) -> list[str]:
    """List the columns of the source that the new catalogue shall have."""
    flat = [n for n in catalogue.columns if n not in catalogue.nested_columns]
    wanted = flat if columns is None else [*position, *columns]
    unknown = sorted({*wanted} - {*catalogue.columns})
    if unknown:
        msg = f"the catalogue has no column {', '.join(unknown)}"
        raise ValueError(msg)
    return [name for name in catalogue.columns if name in wanted]


def results_of(frame: "DataFrame", *, kept: list[str], **options: Any) -> "DataFrame":
    """Compute the results of a partition, and drop its spectra.

    Parameters
    ----------
    frame : nested_pandas.NestedFrame
        The rows.
    kept : list of str
        Columns that stay.
    **options
        As for `~astro_latent.pipeline.add_results`.

    Returns
    -------
    nested_pandas.NestedFrame
        Columns that stay and those of the results.
    """
    found = add_results(frame, **options)
    new = [name for name in found.columns if name not in frame.columns]
    return found[[*kept, *new]]


def match_hats(sent: Table, path: str, radius: u.Quantity) -> Table:
    """Match positions with a HATS catalogue.

    Parameters
    ----------
    sent : `~astropy.table.Table`
        Columns ``ra`` and ``dec`` in degrees.
    path : str
        The catalogue.
    radius : Quantity ['angle']
        Largest separation.

    Returns
    -------
    `~astropy.table.Table`
        One row per pair: ``row``, ``separation`` in arcsec, and the columns of the
        catalogue.

    Raises
    ------
    ImportError
        If LSDB is not installed.
    """
    lsdb = _lsdb()
    arcsec = float(radius.to_value(u.arcsec))
    numbered = Table(
        {"al_row": np.arange(len(sent)), "al_ra": sent["ra"], "al_dec": sent["dec"]}
    )
    # Ours stands on the right: there the margins count, without which pairs across the
    # edges of partitions are lost, and the catalogue may have come without.
    ours = lsdb.from_dataframe(
        numbered.to_pandas(),
        ra_column="al_ra",
        dec_column="al_dec",
        margin_threshold=max(1.01 * arcsec, 1.0),
    )
    matched = lsdb.open_catalog(path).crossmatch(
        ours,
        radius_arcsec=arcsec,
        n_neighbors=_most_neighbours(sent, radius),
        suffixes=("", "_sent"),
    )
    answer = Table.from_pandas(matched.compute())
    answer.rename_column("_dist_arcsec", "separation")
    for name in list(answer.colnames):  # some versions add the suffix to all of ours
        plain = name.removesuffix("_sent")
        if plain == "al_row":
            answer.rename_column(name, "row")
        elif plain in ("al_ra", "al_dec"):
            answer.remove_column(name)
    return give_back(answer, path)


def _most_neighbours(sent: Table, radius: u.Quantity) -> int:
    """Count how many of ours one object may match: they lie within two radii."""
    places = Positions(np.deg2rad(sent["ra"]), np.deg2rad(sent["dec"]))
    pairs = find_pairs(places, places, 2 * radius.to_value(u.rad))
    return int(np.bincount(pairs.first).max())
