# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What the last lines say of results: how many rows can be used, which not, and why."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
from astropy.table import Table

from ..utils.quality import FATAL_FLAGS, NOTICE_FLAGS, QUALITY_FLAGS

__all__ = ["Tally"]

_WIDTH = 80 - len("astro-latent: ")  # the command's name comes before
_LONGEST = 240  # characters of a reason
#: Rows that the summary names one by one.
_NAMED = 10


class Tally:
    """Counts rows as they pass, and remembers the first that cannot be used."""

    def __init__(self) -> None:
        self.n_rows = self.n_usable = self.n_empty = 0
        self._against: Counter[int] = Counter()
        self._named: list[str] = []

    def watch(self, pieces: Iterable[Table]) -> Iterator[Table]:
        """Hand on tables of results, and count their rows.

        Parameters
        ----------
        pieces : iterable of `~astropy.table.Table`
            With the columns ``obs_id``, ``flags``, ``usable`` and ``message``.

        Yields
        ------
        `~astropy.table.Table`
            The same.
        """
        for piece in pieces:
            self._add(piece)
            yield piece

    def _add(self, table: Table) -> None:
        usable, flags = np.asarray(table["usable"]), np.asarray(table["flags"])
        self.n_rows += len(table)
        self.n_usable += int(usable.sum())
        self.n_empty += int(((flags & FATAL_FLAGS) != 0).sum())
        bad = np.flatnonzero(~usable)
        self._against.update((flags[bad] & ~NOTICE_FLAGS).tolist())
        for row in bad[: _NAMED - len(self._named)]:
            text = f"not {table['obs_id'][row]}: {table['message'][row]}"
            short = textwrap.shorten(text, _LONGEST, placeholder=" ...")
            self._named.append(textwrap.fill(short, _WIDTH, subsequent_indent=" " * 6))

    def lines(self) -> list[str]:
        """Say how many rows can be used, and of the others which and why.

        Returns
        -------
        list of str
            Lines.
        """
        said = f"{self.n_usable} of {self.n_rows} spectra can be used"
        lines = [said, *self._named]
        more = self.n_rows - self.n_usable - len(self._named)
        if more:
            lines.append(f"  and {more} more; of all that cannot be used:")
            for name, (bit, text) in QUALITY_FLAGS.items():
                count = sum(n for flags, n in self._against.items() if flags & bit)
                if count:
                    lines.append(f"  {count:6d} {name}: {text}")
        return lines
