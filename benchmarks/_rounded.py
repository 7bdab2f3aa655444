# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tables of the documentation, as scripts write them."""

from pathlib import Path

from astropy.table import Table


def write_rounded(table: Table, path: Path) -> None:
    """Write a table with four digits of each number, which is more than is known."""
    for column in table.itercols():
        if column.dtype.kind == "f":
            column[:] = [float(f"{value:.4g}") for value in column]
    table.write(path, format="ascii.ecsv", overwrite=True)
