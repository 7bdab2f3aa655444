# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tables of the page on abundances, from the evaluation in the weights' config.json."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from _tables import list_table

from astro_latent.models.config import ModelConfig
from astro_latent.models.locate import find_weights

__all__ = ["write_abundance_tables"]

NAME = "apogee_starnet_abundances_v1"
POINTS = {
    "giant_4800": "4800/2.5/-0.1",
    "giant_4200": "4200/1.6/-0.3",
    "dwarf_5700": "5700/4.4/0.0",
}
KINDS, SNR = ("giants", "dwarfs"), (20, 50, 100, 200)
MODELS = {
    "kurucz_giants": "Kurucz (binspec_plus), giants",
    "kurucz_dwarfs": "Kurucz (binspec_plus), dwarfs",
    "kurucz2_giants": "Kurucz (binspec), giants",
    "kurucz2_dwarfs": "Kurucz (binspec), dwarfs",
    "data_driven_dwarfs": "data-driven (binspec), dwarfs",
}


def _config() -> ModelConfig:
    return ModelConfig.from_folder(find_weights(NAME))


def _title(name: str) -> str:
    known = {"teff": "T_eff (K)", "logg": "log g", "vmicro": "v_micro (km/s)"}
    return known.get(name) or f"[{name.removesuffix('_h').capitalize()}/H]"


def _number(value: float, name: str, digits: int = 3, sign: str = "") -> str:
    return f"{value:{sign}.{0 if name == 'teff' else digits}f}"


def _accuracy(config: ModelConfig) -> str:
    report = config.evaluation
    limit, skill = report["information_limit_snr_100"], report["skill_snr_100"]
    rows = []
    for name in config.output_names:
        skills = (skill[kind]["skill"].get(name) for kind in KINDS)
        rows.append(
            [
                _title(name),
                *(_number(report["snr_100"][k][name]["scatter"], name) for k in KINDS),
                *("" if value is None else f"{value:.2f}" for value in skills),
                *(f"{limit[f'{point}_over_limit'][name]:.1f}" for point in POINTS),
            ]
        )
    head = ("Label", "Giants", "Dwarfs", "Skill, giants", "Skill, dwarfs")
    return list_table((*head, *POINTS.values()), rows)


def _in_words(config: ModelConfig) -> str:
    """Say how many labels reach the aim of a factor of two."""
    limit = config.evaluation["information_limit_snr_100"]
    names = config.output_names
    ratios = np.array([[limit[f"{p}_over_limit"][n] for n in names] for p in POINTS])
    counts = [f"{np.sum(row <= 2.0)} of {len(row)} at {p.partition('/')[0]} K"
              for row, p in zip(ratios, POINTS.values(), strict=True)]  # fmt: skip
    far = sorted(
        ((ratios[i, k], names[k], place) for i, place in enumerate(POINTS.values())
         for k in range(len(names)) if ratios[i, k] > 2.0), reverse=True
    )  # fmt: skip
    worst = ", ".join(
        f"{_title(name)} at {place.partition('/')[0]} K ({ratio:.1f})"
        for ratio, name, place in far[:4]
    )
    median = ", ".join(f"{value:.1f}" for value in np.median(ratios, axis=1))
    return (
        f"Within twice the bound are {np.sum(ratios <= 2.0)} of {ratios.size}: "
        f"{', '.join(counts)}; the median ratios are {median}. "
        f"Farthest off: {worst or 'none'}.\n"
    )


def _by_snr(config: ModelConfig) -> str:
    report = config.evaluation
    rows = [
        [_title(name),
         *(_number(report[f"snr_{snr}"][kind][name]["scatter"], name)
           for kind in KINDS for snr in SNR)]
        for name in config.output_names
    ]  # fmt: skip
    head = (f"{kind.capitalize()} {snr}" for kind in KINDS for snr in SNR)
    return list_table(("Label", *head), rows)


def _coverage(config: ModelConfig) -> str:
    shares = config.evaluation["all_conditions"]["coverage"]
    rows = [
        [_title(name), *(f"{100 * shares[level][k]:.1f}" for level in ("68", "95")),
         _number(config.calibration["systematic"][k], name, 2)]
        for k, name in enumerate(config.output_names)
    ]  # fmt: skip
    return list_table(("Label", "68 %", "95 %", "Systematic part"), rows)


def _other_models(config: ModelConfig) -> str:
    report = config.evaluation["other_models_snr_100"]

    def cell(key: str, name: str) -> str:
        if name not in report[key]:
            return ""
        score = report[key][name]
        bias = _number(score["bias"], name, 2, "+")
        return f"{bias} / {_number(score['scatter'], name, 2)}"

    rows = [
        [_title(name), *(cell(key, name) for key in MODELS)]
        for name in config.output_names
    ]
    return list_table(("Bias / scatter", *MODELS.values()), rows)


def _arcturus(config: ModelConfig) -> str:
    rows = []
    for name, entry in config.evaluation["arcturus"]["labels"].items():
        known = ["", "", ""]
        if "published" in entry:
            difference = entry["value"] - entry["published"]
            known = [
                _number(entry["published"], name),
                _number(difference, name, 2, "+"),
                f"{difference / entry['error']:+.1f}",
            ]
        numbers = (_number(entry[k], name) for k in ("value", "statistical", "error"))
        rows.append([_title(name), *numbers, *known])
    head = ("Label", "Network", "Statistical error", "Total error", "Published")
    return list_table((*head, "Difference", "In total errors"), rows)


def _arcturus_in_words(config: ModelConfig) -> str:
    report: dict[str, Any] = config.evaluation["arcturus"]
    ours, guess, within = (report[k] for k in ("network", "scaled_solar", "within"))
    return (
        f"Of {within['n']} labels with published values {within['one_error']} lie "
        f"within one total error and {within['two_errors']} within two. "
        f"Over the {ours['n']} elements the differences have a mean of "
        f"{ours['mean']:+.2f} and a standard deviation of "
        f"{ours['standard_deviation']:.2f} dex; scaled solar plus the published mean "
        f"[alpha/Fe] gives {guess['mean']:+.2f} and "
        f"{guess['standard_deviation']:.2f}.\n"
    )


#: Name of the file to include -> function that makes it.
ABUNDANCE_TABLES: dict[str, Callable[[ModelConfig], str]] = {
    "abundances_accuracy": _accuracy,
    "abundances_in_words": _in_words,
    "abundances_by_snr": _by_snr,
    "abundances_coverage": _coverage,
    "abundances_other_models": _other_models,
    "abundances_arcturus": _arcturus,
    "abundances_arcturus_in_words": _arcturus_in_words,
}


def write_abundance_tables(folder: Path) -> None:
    """Write each table as a file to be included."""
    config = _config()
    for name, make in ABUNDANCE_TABLES.items():
        path, text = folder / f"{name}.inc", make(config)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
