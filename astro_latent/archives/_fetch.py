# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""From rows to files, in order and without losing a row."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.config import get_cache_dir_path
from astropy.table import Column, Table

from ..utils.quality import QualityFlag
from ._config import conf
from ._files import FileResult
from ._naming import safe_name

__all__ = ["default_directory", "with_results"]


def default_directory(survey: str) -> Path:
    """Folder where the files of a survey are kept between sessions."""
    root = conf.download_dir or get_cache_dir_path("astro_latent") / "archives"
    return Path(root, safe_name(survey))


def with_results(table: Table, results: Sequence[FileResult]) -> Table:
    """Add to each row where its file is, or why it is not here.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Rows that a query returned. It is not changed.
    results : sequence of FileResult
        One per row, in the same order.

    Returns
    -------
    `~astropy.table.Table`
        A copy with columns ``local_path``, ``fetch_status``, ``flags``, ``message``.
    """
    out = table.copy()
    failed = [result.path is None for result in results]
    columns = {
        "local_path": ["" if r.path is None else str(r.path) for r in results],
        "fetch_status": [result.status for result in results],
        "message": [result.message for result in results],
    }
    for name, values in columns.items():
        out[name] = Column(np.array(values, dtype=str), name=name)
    out["flags"] = np.where(failed, int(QualityFlag.UNREADABLE), 0).astype(np.int64)
    out["local_path"].description = "File on this machine; empty if it could not be had"
    out["fetch_status"].description = "downloaded, cached, local, copied or failed"
    out["message"].description = "Why the row is flagged"
    out["flags"].description = "Quality bits; 0 is good"
    out["flags"].meta["ucd"] = "meta.code.qual"
    return out
