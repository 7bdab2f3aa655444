# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tables of the page on the bundled StarNet, from the evaluation in its config.json."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from _tables import list_table
from astropy.table import Table

from astro_latent.models.config import ModelConfig
from astro_latent.models.locate import find_weights

__all__ = ["write_card_tables"]

NAME = "apogee_starnet_v1"
LABELS = {
    "teff": "T_eff (K)", "logg": "log g", "fe_h": "[Fe/H]", "alpha_fe": "[alpha/Fe]",
    "vmacro": "v_macro (km/s)",
}  # fmt: skip
DIGITS = {"teff": 1, "logg": 3, "fe_h": 4, "alpha_fe": 4, "vmacro": 2}
SNR = (20, 50, 100, 200)
NEAR = {"teff": 100.0, "logg": 0.2, "fe_h": 0.1, "alpha_fe": 0.1}

_LARGEST = 1.2  # as in astro_latent.models.domain

Lay = Callable[[Iterable[str], Iterable[Iterable[object]]], str]


def _config() -> ModelConfig:
    return ModelConfig.from_folder(find_weights(NAME))


def _evaluation() -> dict[str, Any]:
    return _config().evaluation


def _bias_and_scatter(scores: dict[str, Any], name: str) -> str:
    if name not in scores:
        return "\\"
    digits, score = DIGITS[name], scores[name]
    return f"{score['bias']:+.{digits}f} / {score['scatter']:.{digits}f}"


def _percent(shares: dict[str, list[float]], k: int) -> str:
    if k >= len(shares["68"]):
        return "\\"
    return f"{100 * shares['68'][k]:.0f} / {100 * shares['95'][k]:.0f}"


def _scatter(lay: Lay) -> str:
    report = _evaluation()
    rows = []
    for snr in SNR:
        for kind in ("giants", "dwarfs"):
            scores = report[f"snr_{snr}"][kind]
            cells = [_bias_and_scatter(scores, name) for name in LABELS]
            rows.append([snr, kind, scores["teff"]["n"], *cells])
    return lay(("S/N", "Stars", "n", *LABELS.values()), rows)


def _baselines(lay: Lay) -> str:
    report = _evaluation()
    rows = [
        [title, *(_bias_and_scatter(report[key], name) for name in LABELS)]
        for title, key in (
            ("the mean label", "mean_predictor_snr_100"),
            ("128 components, linear", "pca128_linear_snr_100"),
            ("StarNet", "starnet_all_snr_100"),
        )
    ]
    return lay(("S/N 100, all stars", *LABELS.values()), rows)


def _coverage(lay: Lay) -> str:
    report = _evaluation()
    missing = report["missing"]
    cases = [(f"S/N {snr}", report[f"snr_{snr}"]["coverage"]) for snr in SNR]
    cases.append(("S/N 10 to 300, all defects", report["all_conditions_coverage"]))
    cases += [
        (f"S/N 100, {title}", missing[key]["coverage"])
        for title, key in (
            ("nothing missing", "0_percent"), ("10 % missing", "10_percent"),
            ("25 % missing", "25_percent"), ("50 % missing", "50_percent"),
            ("a chip lost", "one_chip"),
        )
    ]  # fmt: skip
    rows = [[title, *(_percent(c, k) for k in range(5))] for title, c in cases]
    return lay(("Statistical errors, 68 / 95 %", *LABELS.values()), rows)


def _missing(lay: Lay) -> str:
    missing = _evaluation()["missing"]
    rows = [
        [title, *(_bias_and_scatter(missing[key]["all"], name) for name in LABELS)]
        for title, key in (
            ("nothing", "0_percent"), ("10 %", "10_percent"), ("25 %", "25_percent"),
            ("50 %", "50_percent"), ("one chip", "one_chip"),
        )
    ]  # fmt: skip
    return lay(("Missing, S/N 100", *LABELS.values()), rows)


def _shift(lay: Lay) -> str:
    report, calibration = _evaluation(), _config().calibration
    rows = [
        [title, *(_bias_and_scatter(report[key], name) for name in LABELS)]
        for title, key in (
            ("network minus DR10, bias / scatter", "bovy_cannon_giants_snr_100"),
            ("results minus DR17, bias / scatter", "bovy_cannon_dr17"),
        )
    ]
    for title, key in (
        ("coverage of the total errors, 68 / 95 %", "bovy_cannon_coverage"),
        ("of the statistical errors alone", "bovy_cannon_coverage_statistical"),
    ):
        rows.append([title, *(_percent(report[key], k) for k in range(5))])
    least = np.array(calibration["systematic"])
    for title, value in (
        ("systematic part, least", least),
        ("systematic part, largest", least * np.hypot(1.0, np.exp(_LARGEST))),
    ):
        words = [f"{v:.{DIGITS[n]}f}" for n, v in zip(LABELS, value, strict=True)]
        rows.append([title, *words[:4], f"{least[4]:.2f}"])
    return lay(("Bovy's Cannon, giants, S/N 100", *LABELS.values()), rows)


def _other_models(lay: Lay) -> str:
    report = _evaluation()["other_models_snr_100"]
    titles = {
        "kurucz_giants": "Kurucz (binspec_plus), giants",
        "kurucz_dwarfs": "Kurucz (binspec_plus), dwarfs",
        "kurucz2_giants": "Kurucz (binspec), giants",
        "kurucz2_dwarfs": "Kurucz (binspec), dwarfs",
        "data_driven_dwarfs": "data-driven (binspec), dwarfs",
    }
    rows = [
        [
            title, report[key]["teff"]["n"],
            *(_bias_and_scatter(report[key], name) for name in LABELS),
        ]
        for key, title in titles.items()
    ]  # fmt: skip
    return lay(("Model of the spectra", "n", *LABELS.values()), rows)


def _catalogues(lay: Lay) -> str:
    report = _evaluation()["catalogues"]
    names = list(LABELS)[:4]
    rows = [
        [title, report[key]["teff"]["n"],
         *(_bias_and_scatter(report[key], name) for name in names)]
        for title, key in (
            ("later spectroscopic labels minus DR12", "later_fit_minus_dr12"),
            ("later calibrated labels minus DR12", "later_cor_minus_dr12"),
        )
    ]  # fmt: skip
    return lay(("The same giants", "n", *(LABELS[name] for name in names)), rows)


def _repeats(lay: Lay) -> str:
    report = _evaluation()["repeats"]
    rows = [
        ["robust ratio", *(f"{value:.2f}" for value in report["ratio"])],
        ["reduced chi2", *(f"{value:.2f}" for value in report["chi2"])],
        ["coverage, 68 / 95 %", *(_percent(report, k) for k in range(5))],
    ]
    head = f"{report['n_stars']} stars twice, errors from the flux"
    return lay((head, *LABELS.values()), rows)


def _flagged(lay: Lay) -> str:
    report = _evaluation()
    rows = []
    for kind, shares in report["flagged"].items():
        if isinstance(shares, dict):
            name = kind.replace("_", " ")
            rows.append(
                [name, report["flagged"]["n_spectra"],
                 f"{100 * shares['any']:.1f} %",
                 f"{100 * shares['unlike_training']:.1f} %"]
            )  # fmt: skip
    for kind, files in report["flagged_files"].items():
        bits = ", ".join(f"``{bit}``" for bit in files["bits"])
        name = f"real files: {kind.replace('_', ' ')}"
        rows.append([name, files["n_files"], f"{files['flagged']} of them", bits])
    alarms = report["false_alarms"]
    rows.append(
        ["**in-domain spectra, held out**", alarms["n_spectra"],
         f"**{100 * alarms['any']:.1f} %**",
         f"{100 * alarms['UNLIKE_TRAINING']:.1f} %"]
    )  # fmt: skip
    return lay(("Spectra", "n", "Flagged", "``UNLIKE_TRAINING``"), rows)


def _real_stars(lay: Lay) -> str:
    table = Table.read(Path(__file__).parent / "models/real_stars_starnet.ecsv")
    rows = []
    for row in table:
        digits = DIGITS[row["label"]] if row["label"] == "teff" else 2
        known = [""] * 3
        if row["literature"] == row["literature"]:
            known = [
                f"{row['literature']:.{digits}f}",
                f"{row['value'] - row['literature']:+.{digits}f}",
                f"{row['difference_over_error']:+.1f}",
            ]
        rows.append(
            [row["star"], LABELS[row["label"]],
             f"{row['value']:.{digits}f} ± {row['error']:.{digits}f}", *known]
        )  # fmt: skip
    head = ("Star", "Label", "StarNet", "Literature", "Difference", "In errors")
    return lay(head, rows)


def _real_stars_in_words(_: Lay) -> str:
    """Count the labels within 100 K, 0.2, 0.1, 0.1, and within two total errors."""
    table = Table.read(Path(__file__).parent / "models/real_stars_starnet.ecsv")
    table = table[np.isfinite(table["literature"])]
    near = np.array(
        [abs(row["value"] - row["literature"]) <= NEAR[row["label"]] for row in table]
    )
    pull = np.abs(np.asarray(table["difference_over_error"]))
    stars = np.asarray(table["star"])
    each = ", ".join(
        f"{name} {np.sum(near[stars == name])} of {np.sum(stars == name)}"
        for name in dict.fromkeys(stars)
    )
    far = ", ".join(f"{LABELS[row['label']]} of {row['star']}" for row in table[~near])
    return (
        f"Within 100 K, 0.2, 0.1 and 0.1 of the literature are {near.sum()} of "
        f"{len(table)} labels ({each}); not {far or 'one is farther off'}. Within one "
        f"total error are {np.sum(pull < 1)}, within two {np.sum(pull < 2)} of "
        f"{len(table)}.\n"
    )


def _validation(lay: Lay) -> str:
    """Give a row for each real star and label with what methods say."""
    table = Table.read(Path(__file__).parent / "models/validation_apogee.ecsv")
    columns = ("model", "network", "emulator_fit", "cannon_fit", "literature")
    rows = []
    for row in table[table["n_refused"] < table["n"]]:
        digits = 0 if row["label"] == "teff" else 2
        cells = [f"{row[name]:.{digits}f}".replace("nan", "") for name in columns]
        cells[0] += f" ± {row['error']:.{digits}f}"
        rows.append([f"{row['star']} ({row['kind']})", LABELS[row["label"]], *cells])
    head = ("Star", "Label", "Results", "Network", "Emulator", "Cannon", "Literature")
    return lay(head, rows)


def _validation_in_words(_: Lay) -> str:
    """Count labels within their errors, and what is refused."""
    table = Table.read(Path(__file__).parent / "models/validation_apogee.ecsv")
    known = table[np.isfinite(table["literature"]) & (table["n_refused"] == 0)]
    pull = np.abs(np.asarray(known["model"] - known["literature"]) / known["error"])
    each = table[table["label"] == "teff"]
    refused = each[each["n_refused"] > 0]
    return (
        f"Within one total error are {np.sum(pull < 1)} of {len(pull)} labels, within "
        f"two {np.sum(pull < 2)}. Flagged are {np.sum(refused['n_refused'])} of "
        f"{np.sum(refused['n'])} spectra of {', '.join(refused['star'])}, and none of "
        f"the {np.sum(each['n']) - np.sum(refused['n'])} above.\n"
    )


def _giants(lay: Lay) -> str:
    """Give the mean shift of giants, its scatter among them and what it leaves."""
    giants = _evaluation()["recalibration"]["giants"]
    link = giants["link"]
    lines = (
        ("Cannon, brought to DR17, minus network: mean", giants["mean"], giants["n"]),
        ("the same: scatter among giants", giants["spread"], giants["n"]),
        ("scatter about the linear function", giants["left"], giants["n"]),
        ("the same stars, DR17 minus DR12: median", link["dr17_minus_dr12"], link["n"]),
        ("its standard error", link["error"], link["n"]),
    )
    rows = [
        [title, n, *(f"{v:+.{DIGITS[k]}f}" for k, v in zip(LABELS, each, strict=False))]
        for title, each, n in lines
    ]
    return lay(("What the shift rests on", "n", *list(LABELS.values())[:4]), rows)


def _alpha_in_words(_: Lay) -> str:
    """Gather what is known about the zero point of [alpha/Fe]."""
    report = _evaluation()
    others = {**report["other_models_snr_100"],
              "bovy": report["bovy_cannon_giants_snr_100"]}  # fmt: skip
    titles = {
        "kurucz_giants": "Kurucz (binspec_plus) giants",
        "kurucz2_giants": "Kurucz (binspec) giants",
        "bovy": "giants of Bovy's Cannon",
        "kurucz_dwarfs": "Kurucz (binspec_plus) dwarfs",
        "kurucz2_dwarfs": "Kurucz (binspec) dwarfs",
        "data_driven_dwarfs": "data-driven (binspec) dwarfs",
    }
    bias = {key: others[key]["alpha_fe"]["bias"] for key in titles}
    giants = np.mean([bias[key] for key in list(titles)[:3]])
    return (
        "[alpha/Fe] of the network minus that of the model is "
        + ", ".join(f"{bias[key]:+.3f} for {title}" for key, title in titles.items())
        + f" (medians). The mean of the three for giants is {giants:+.3f}.\n"
    )


#: Name of the file to include -> function that makes it.
STARNET_TABLES: dict[str, Callable[[Lay], str]] = {
    "starnet_scatter": _scatter,
    "starnet_baselines": _baselines,
    "starnet_coverage": _coverage,
    "starnet_missing": _missing,
    "starnet_shift": _shift,
    "starnet_other_models": _other_models,
    "starnet_catalogues": _catalogues,
    "starnet_repeats": _repeats,
    "starnet_flagged": _flagged,
    "starnet_real_stars": _real_stars,
    "starnet_real_stars_in_words": _real_stars_in_words,
    "starnet_validation": _validation,
    "starnet_validation_in_words": _validation_in_words,
    "starnet_giants": _giants,
    "starnet_alpha_in_words": _alpha_in_words,
}


def write_card_tables(folder: Path) -> None:
    """Write each table as a file to be included."""
    for name, make in STARNET_TABLES.items():
        path, text = folder / f"{name}.inc", make(list_table)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
