# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How good HARPS parameters are on real stars: both models, least squares, literature.

``python benchmarks/validate_harps.py --data FOLDER`` asks all real spectra at hand and
prints, for each star, what ``harps_parameters_v1``, ``harps_parameters_v2``, least
squares with the synthetic library and one Gauss-Newton step from the second model's
answer give, with the literature, total errors, flags, how many spectra, and what the
star was used for. With ``--output FILE`` the table is written, as
``docs/models/validation_harps.ecsv``.
"""

import argparse
from pathlib import Path
from typing import Any

import _paths  # noqa: F401
import numpy as np
import torch
from _harps_fit import fit_star
from astropy.table import Table
from judge_harps_stars import KNOWN, VELOCITIES

from astro_latent.models import load_model
from astro_latent.preparation import prepare_spectra
from astro_latent.simulation.harps_library import HarpsLibrary
from astro_latent.spectra import decode_flags, iter_arrays
from recipes.harps.stars import LIBRARY

OLD, NEW = "harps_parameters_v1", "harps_parameters_v2"
LABELS = ("rv", "teff", "logg", "m_h", "vsini")
UNLIKE = ("LABEL_OUT_OF_DOMAIN", "UNLIKE_TRAINING", "DOUBLE_LINED")
#: What a star was used for before it is judged here.
USED = {
    "Sun (Ganymede)": "weights, zero",
    "Sun (day sky)": "selection", "38 Vir": "selection", "alpha Cen B": "selection",
    "bet Hyi": "selection",
}  # fmt: skip


def ask(model: Any, spectra: list) -> tuple[Any, list[str]]:
    """Predict, and name the flags that speak against the star."""
    prepared = prepare_spectra(spectra, model.grid, model.recipe)
    found = model.predict(prepared, flux_errors=False)
    names = decode_flags(int(np.bitwise_or.reduce(found.flags)))
    return found, [name for name in names if name in UNLIKE]


def fit(model: Any, library: HarpsLibrary, spectrum: Any, start: np.ndarray) -> tuple:
    """Fit one spectrum from the start, and refine the start by one step."""
    prepared = prepare_spectra([spectrum], model.grid, model.recipe)
    network: Any = model.members[0]
    with torch.inference_mode():
        rest = network.bring_to_rest(
            torch.from_numpy(prepared.flux), torch.from_numpy(prepared.valid)
        )
        # the zero of the network is no business of the library
        start = start - np.append(network.zero[:3].numpy() * model.scales[1:4], 0.0)
        return tuple(fit_star(network, library, rest, start, n_steps=n) for n in (8, 1))


def judge(data: Path) -> Table:
    """Make the table: a row for each star and label."""
    models = [load_model(name, device="cpu") for name in (OLD, NEW)]
    library = HarpsLibrary(Path(data, LIBRARY))
    rows = []
    for star, pattern, *known, kind in KNOWN:
        paths = sorted((data / "harps").glob(pattern))
        spectra = [spectrum for path in paths for spectrum in iter_arrays(str(path))]
        (old, old_flags), (new, new_flags) = (ask(model, spectra) for model in models)
        start = new.values[0, [1, 2, 3, 4]].astype(float)
        fitted = fit(models[1], library, spectra[0], start)
        truth = [VELOCITIES.get(star, np.nan), *known]
        for column, label in enumerate(LABELS):
            others = [np.nan] * 2 if column == 0 else [f[column - 1] for f in fitted]
            rows.append(
                (star, kind, USED.get(star, "looked at"), label, len(spectra),
                 truth[column],
                 *(float(array[:, column].mean()) for array in
                   (old.values, old.error, new.values, new.error)),
                 *others, " ".join(old_flags), " ".join(new_flags))
            )  # fmt: skip
    names = (
        "star", "kind", "used_for", "label", "n", "literature", "v1", "v1_error", "v2",
        "v2_error", "least_squares", "v2_one_step", "v1_flags", "v2_flags",
    )  # fmt: skip
    table = Table(rows=rows, names=names)
    for name in names[5:12]:
        table[name].format = "%.3f"
    table.meta = {model.name: model.sha256 for model in models}
    return table


def summarise(table: Table) -> None:
    """Print rms and largest deviations, and how many lie within their errors."""
    known = np.isfinite(table["literature"]) & (table["star"] != "Sun (Ganymede)")
    unflagged = {v: table[f"{v}_flags"] == "" for v in ("v1", "v2")}
    ordinary = np.isin(table["kind"], ["in", "R"])
    poor = table["star"][(table["label"] == "m_h") & (table["literature"] < -1)]
    rich = ~np.isin(table["star"], poor)
    for label in LABELS[1:]:
        mine = known & ordinary & rich & (table["label"] == label)
        text = []
        for method in ("v1", "v2", "least_squares", "v2_one_step"):
            off = np.array(table[method] - table["literature"])[mine]
            text.append(
                f"{method} rms {np.sqrt(np.mean(off**2)):.3f}, mean {off.mean():+.3f}, "
                f"largest {np.abs(off).max():.3f}"
            )
        print(f"{label}, {mine.sum()} stars with [M/H] > -1:", "; ".join(text))
    for version, good in unflagged.items():
        mine = known & good
        ratio = np.array(
            np.abs(table[version] - table["literature"]) / table[f"{version}_error"]
        )[mine]
        print(
            f"{version}, unflagged stars: {np.sum(ratio < 1)} of {len(ratio)} labels "
            f"within one total error, {np.sum(ratio < 2)} within two"
        )


def main() -> None:
    """Judge, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    table = judge(options.data)
    table.pprint_all()
    summarise(table)
    if options.output:
        table.write(options.output, format="ascii.ecsv", overwrite=True)


if __name__ == "__main__":
    main()
