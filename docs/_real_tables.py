# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tables of the page on weights that learned from real spectra, from these weights."""

import sys
from collections.abc import Iterator
from pathlib import Path

from scipy.stats import binom

sys.path.insert(0, str(Path(__file__).parent))

from _tables import label_title, list_table

from astro_latent.models.config import ModelConfig
from astro_latent.models.locate import weights_configs

__all__ = ["write_real_tables"]

_TEST, _COVERED = "test stars", "coverage test stars"
_DIGITS = {"teff": 1}
_FEWEST = 300  # stars of a bin that is counted
#: Share of stars, and how far a bin may be from it.
_LEVELS = ((0.6827, 0.03), (0.95, 0.015))


def _judged() -> dict[str, ModelConfig]:
    """Weights whose test stars were real ones."""
    found = weights_configs()
    return {
        name: config for name, config in found.items() if _TEST in config.evaluation
    }


def _scores() -> str:
    rows: list[tuple[str, ...]] = []
    for name, config in _judged().items():
        for subset, labels in config.evaluation[_TEST].items():
            rows += [
                (
                    f"``{name}``", subset, label_title(label), str(score["n"]),
                    _spell(label, score["scatter"]),
                    _spell(label, score["scatter_error"], more=1),
                    _spell(label, score["bias"]),
                )
                for label, score in labels.items()
            ]  # fmt: skip
    head = ("Weights", "Stars", "Label", "n", "Scatter", "Its error", "Bias")
    return list_table(head, rows)


def _spell(label: str, value: float, *, more: int = 0) -> str:
    return f"{value:.{_DIGITS.get(label, 3) + more}f}"


def _coverage() -> str:
    rows: list[tuple[str, ...]] = []
    for name, config in _judged().items():
        for where, lines in config.evaluation.items():
            if not (where == _COVERED or where.startswith("test stars coverage")):
                continue
            quantity = where.removeprefix("test stars coverage by ")
            for within, labels in lines.items():
                title = label_title(quantity.replace(" ", "_"))
                what = "all" if where == _COVERED else f"{title} {within}"
                rows += [
                    (
                        f"``{name}``", what, label_title(label),
                        *(f"{100 * share:.1f}" for share in shares),
                    )
                    for label, shares in labels.items()
                ]  # fmt: skip
    return list_table(("Weights", "Stars", "Label", "68 %", "95 %"), rows)


def _binned(config: ModelConfig) -> Iterator[tuple[str, int, list[float]]]:
    """Yield what a bin is of, how many stars it has, and the shares within."""
    start = "test stars coverage by "
    for where, lines in config.evaluation.items():
        if not where.startswith(start):
            continue
        scores = config.evaluation[where.replace("coverage ", "")]
        for within, labels in lines.items():
            for label, shares in labels.items():
                count = scores[within][label]["n"]
                if count >= _FEWEST:
                    yield where.removeprefix(start), count, shares


def _met(share: float, level: float, margin: float) -> bool:
    return abs(share - level) <= margin


def _by_chance(count: int, level: float, margin: float) -> float:
    """How often so many stars with perfect errors are within the margin."""
    low, high = (level + sign * margin for sign in (-1, 1))
    return float(binom.cdf(count * high, count, level)) - float(
        binom.cdf(count * low - 1e-9, count, level)
    )


def _bins() -> str:
    rows = []
    for name, config in _judged().items():
        bins = list(_binned(config))
        for quantity in ("all", *dict.fromkeys(each[0] for each in bins)):
            mine = [each for each in bins if quantity in ("all", each[0])]
            cells = []
            for k, (level, margin) in enumerate(_LEVELS):
                met = sum(_met(shares[k], level, margin) for _, _, shares in mine)
                chance = sum(_by_chance(count, level, margin) for _, count, _ in mine)
                cells += [str(met), f"{chance:.1f}"]
            if mine:
                title = label_title(quantity.replace(" ", "_"))
                rows.append((f"``{name}``", title, str(len(mine)), *cells))
    header = (
        "Weights", "Bins of", "Number", "68 ± 3 % met", "by chance",
        "95 ± 1.5 % met", "by chance",
    )  # fmt: skip
    return list_table(header, rows)


def _flagged() -> str:
    rows = [
        (f"``{name}``", what, share)
        for name, config in _judged().items()
        for what, share in config.evaluation.get("flagged as not usable", {}).items()
    ]
    return list_table(("Weights", "Spectra", "Flagged"), rows)


def write_real_tables(folder: Path) -> None:
    """Write the tables into a folder."""
    for name, make in (
        ("real_scores", _scores), ("real_coverage", _coverage),
        ("real_flagged", _flagged), ("real_bins", _bins),
    ):  # fmt: skip
        (folder / f"{name}.inc").write_text(make(), encoding="utf-8")
