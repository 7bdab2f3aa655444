# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What was left out of a training or a comparison, and why."""

from collections.abc import Iterable

from astropy.table import Table

__all__ = ["Omissions"]

_LISTED = 20  # names that a message gives


class Omissions:
    """What was left out, and why."""

    def __init__(self) -> None:
        self.reasons: dict[str, list[str]] = {}

    def add(self, reason: str, names: Iterable[str]) -> None:
        """Take note of what was left out.

        Parameters
        ----------
        reason : str
            Why, such as ``"no spectrum for the label"``.
        names : iterable of str
            What.
        """
        found = [str(name) for name in names]
        if found:
            self.reasons.setdefault(reason, []).extend(found)

    def counts(self) -> dict[str, int]:
        """Return how many were left out for each reason."""
        return {reason: len(names) for reason, names in self.reasons.items()}

    def table(self) -> Table:
        """Return a table with the columns ``name`` and ``reason``."""
        rows = [(n, reason) for reason, names in self.reasons.items() for n in names]
        return Table(rows=rows or None, names=("name", "reason"), dtype=(str, str))

    def __str__(self) -> str:
        parts = []
        for reason, names in self.reasons.items():
            shown = ", ".join(names[:_LISTED])
            more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
            parts.append(f"{len(names)} left out, {reason}: {shown}{more}")
        return "; ".join(parts)
