# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""One row for each data set, where a service lists it once for each of its formats."""

import numpy as np
from astropy.table import Table

__all__ = ["choose_formats"]

#: Words in MIME types, the best first; what stands behind "" is anything else.
_PREFERRED = ("fits", "votable", "datalink", "", "csv", "text/plain", "ascii")
#: What shows a spectrum, or tells of it, and does not hold it.
_PICTURES = ("html", "png", "jpeg", "jpg", "gif", "pdf", "postscript", "svg", "graphic")


def choose_formats(table: Table) -> Table:
    """Keep of each data set the format that is read best.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Rows with ``obs_id``, ``obs_publisher_did``, ``access_format``, ``access_url``.

    Returns
    -------
    `~astropy.table.Table`
        Rows in their order. What is said twice in all respects is there once; data
        under one identifier and at several addresses keep a row each, and the number of
        the row at the end of ``obs_id``. Rows without identifier or address all stay.
    """
    groups: dict[str, list[int]] = {}
    for row, (name, url) in enumerate(
        zip(table["obs_publisher_did"], table["access_url"], strict=True)
    ):
        groups.setdefault(str(name) if name and url else f"row {row}", []).append(row)
    if len(groups) == len(table):
        return table
    keep: list[int] = []
    names = [str(name) for name in table["obs_id"]]
    for rows in groups.values():
        ranks = [_rank(str(table["access_format"][row])) for row in rows]
        best: dict[str, int] = {}
        for row, rank in zip(rows, ranks, strict=True):
            if rank == min(ranks):
                best.setdefault(str(table["access_url"][row]), row)
        for number, row in enumerate(best.values()):
            names[row] += f"#{number + 1}" if len(best) > 1 else ""
        keep += best.values()
    out = table.copy()
    out["obs_id"] = names
    out["obs_id"].description = table["obs_id"].description
    out["obs_id"].meta = dict(table["obs_id"].meta)
    return out[np.sort(keep)]


def _rank(kind: str) -> int:
    kind = kind.lower()
    if any(word in kind for word in _PICTURES):
        return len(_PREFERRED)
    if "content=datalink" in kind.replace(" ", ""):
        return _PREFERRED.index("datalink")
    words = (word for word in _PREFERRED if word and word in kind)
    return _PREFERRED.index(next(words, ""))
