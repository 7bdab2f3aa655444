# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Pages of the documentation that are made from the package: they cannot go stale."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from _reference import command_line, configurations

from astro_latent import list_models, list_surveys
from astro_latent.models import find_weights
from astro_latent.models.card import CARD_FILE
from astro_latent.preparation import GRIDS, get_grid
from astro_latent.spectra import FATAL_FLAGS, FORMATS, QUALITY_FLAGS
from astro_latent.surveys import SURVEYS
from astro_latent.tables import COLUMNS, LABELS

__all__ = ["label_title", "list_table", "write_all"]

_TITLES = {
    "teff": "T_eff (K)", "logg": "log g", "fe_h": "[Fe/H]", "m_h": "[M/H]",
    "alpha_m": "[alpha/M]", "a_k": "A(K) (mag)", "vsini": "v sin i (km/s)",
    "rv": "velocity (km/s)", "radial_velocity": "velocity (km/s)",
    "berv": "BERV (km/s)", "snr": "S/N",
}  # fmt: skip


def label_title(name: str) -> str:
    """Return a label as tables print it: the symbol, and the unit unless it is dex."""
    return _TITLES.get(name, name)


def list_table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Lay out rows as a reStructuredText list-table."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (header, *rows):
        for i, cell in enumerate(row):
            text = str(cell).replace("|", "\\|") or "\\"
            lines.append(f"   {'*' if i == 0 else ' '} - {text}")
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return f"{value:g}" if np.isfinite(value) else "varies"


def _flags() -> str:
    rows = [
        (value.bit_length() - 1, value, f"``{name}``", text, bool(value & FATAL_FLAGS))
        for name, (value, text) in QUALITY_FLAGS.items()
    ]
    rows = [(*row[:4], "yes" if row[4] else "no") for row in rows]
    return list_table(("Bit", "Value", "Name", "Meaning", "No result"), rows)


def _surveys() -> str:
    rows = [
        (
            f"``{row['name']}``", row["title"],
            f"{_number(row['wavelength_min'])} to {_number(row['wavelength_max'])}",
            row["medium"], row["frame"], _number(row["resolving_power"]),
            row["licence"],
            ", ".join(f"``{name}``" for name in SURVEYS[row["name"]].models) or "none",
        )
        for row in list_surveys()
    ]  # fmt: skip
    header = (
        "Name", "Title", "Wavelength (Å)", "Medium", "Frame", "R", "Licence", "Models",
    )  # fmt: skip
    return list_table(header, rows)


def _formats() -> str:
    rows = [
        (f"``{name}``", FORMATS[name].title, ", ".join(FORMATS[name].options))
        for name in FORMATS
    ]
    return list_table(("Name", "What", "Options"), rows)


def _grids() -> str:
    grids = [get_grid(name) for name in GRIDS]
    rows = [
        (
            f"``{grid.name}``", f"{grid.n_pixels:,}", f"{int(grid.valid.sum()):,}",
            "{:.2f} to {:.2f}".format(*grid.wavelength[grid.valid][[0, -1]]),
            grid.medium, grid.frame, f"{grid.resolving_power:,.0f}",
        )
        for grid in grids
    ]  # fmt: skip
    header = ("Name", "Pixels", "Valid", "Wavelength (Å)", "Medium", "Frame", "R")
    return list_table(header, rows)


def _columns() -> str:
    rows = [
        (f"``{c.name}``", c.unit, c.ucd, c.description)
        for c in (*COLUMNS.values(), *LABELS.values())
    ]
    return list_table(("Name", "Unit", "UCD", "Description"), rows)


def _models() -> str:
    table = list_models()
    if len(table) == 0:
        return "No weights are bundled with this build.\n"
    rows = [
        (
            f"``{row['name']}``", row["survey"], row["outputs"],
            f"{row['n_pixels']:,}", f"{row['size']:.1f}", row["description"],
        )
        for row in table
    ]  # fmt: skip
    header = ("Name", "Survey", "Outputs", "Pixels", "MB", "Description")
    return list_table(header, rows)


def _cards() -> str:
    cards = [
        Path(find_weights(name), CARD_FILE).read_text(encoding="utf-8")
        for name in list_models()["name"]
    ]
    for i, card in enumerate(cards):
        # a card is a page of its own elsewhere: one level down here
        cards[i] = _lower_headings(card)
    return "\n\n".join(cards)


def _lower_headings(card: str) -> str:
    lines = card.splitlines()
    for i in range(1, len(lines)):
        marks = set(lines[i])
        if len(lines[i]) == len(lines[i - 1]) > 0 and marks in ({"="}, {"-"}):
            lines[i] = ("-" if marks == {"="} else "~") * len(lines[i])
    return "\n".join(lines) + "\n"


def write_all(folder: Path) -> None:
    """Write each generated piece as a file to be included."""
    folder.mkdir(exist_ok=True)
    makers = (_flags, _surveys, _formats, _grids, _columns, _models, _cards)
    makers += (command_line, configurations)
    for make in makers:
        path = folder / f"{make.__name__.lstrip('_')}.inc"
        text = make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
