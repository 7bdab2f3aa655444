# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""HATS catalogues, for billions of rows: written for LSDB, and matched by it.

The Parquet files of a HATS catalogue say nothing of units and UCDs; a VOTable without
rows lies beside them and does.
"""

from os import PathLike
from pathlib import Path
from types import ModuleType

import numpy as np
from astropy import units as u
from astropy.table import Table

from ..tables import to_wide
from ..tables.fields import flatten
from ..tables.votable import (
    build_document,
    describe_document,
    document_text,
    parse_document,
)
from ..utils.files import read_whole
from ..utils.writing import free_path, replacing_folder
from .pairs import find_pairs
from .positions import Positions, position_columns

__all__ = ["match_hats", "write_hats"]

#: Name of the VOTable in the folder of a catalogue.
SIDECAR = "columns.vot"


def _lsdb() -> ModuleType:
    try:
        import lsdb
    except ImportError as error:
        msg = "HATS catalogues need LSDB: python -m pip install 'astro_latent[scale]'"
        raise ImportError(msg) from error
    return lsdb


def write_hats(
    table: Table, folder: str | PathLike[str], *, name: str = "results"
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

    Returns
    -------
    `~pathlib.Path`
        The folder. Units, UCDs and provenance stand in its ``columns.vot``.

    Raises
    ------
    ValueError
        If rows have no position, which the format cannot hold.
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
    catalogue = _lsdb().from_dataframe(
        Table(values).to_pandas(),
        ra_column=ra,
        dec_column=dec,
        catalog_name=name,
        margin_threshold=None,
    )
    text = document_text(build_document(fields, dict(wide.meta)))
    with replacing_folder(path) as part:
        catalogue.write_catalog(part)
        (part / SIDECAR).write_text(text, encoding="utf-8")
    return path


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
    return _describe(answer, Path(path, SIDECAR))


def _most_neighbours(sent: Table, radius: u.Quantity) -> int:
    """Count how many of ours one object may match: they lie within two radii."""
    places = Positions(np.deg2rad(sent["ra"]), np.deg2rad(sent["dec"]))
    pairs = find_pairs(places, places, 2 * radius.to_value(u.rad))
    return int(np.bincount(pairs.first).max())


def _describe(answer: Table, sidecar: Path) -> Table:
    """Give back units and UCDs, if the catalogue came with them."""
    if not sidecar.is_file():
        return answer
    fields, meta = describe_document(parse_document(read_whole(sidecar)))
    for spec in fields:
        if spec.name in answer.colnames:
            column = answer[spec.name]
            column.unit = spec.unit
            column.description = spec.description or None
            column.meta.update({**({"ucd": spec.ucd} if spec.ucd else {}), **spec.meta})
    answer.meta.update(meta)
    return answer
