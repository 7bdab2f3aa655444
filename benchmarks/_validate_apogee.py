# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What ``apogee_starnet_v1`` says of all real spectra, beside fits and literature.

For each star and label there is what the model says (giants on the scale of ASPCAP),
what its network says, what least squares say with the emulator that it was trained on
and with Bovy's Cannon (giants only), the literature, total errors, flags, how many
spectra, and what the star was used for.
"""

from pathlib import Path
from typing import Any

import _paths  # noqa: F401
import numpy as np
from _label_fits import QuadraticModel, emulator_model, fit_labels, nuisance_basis
from astropy.table import Table
from judge_real_stars import KNOWN, LABELS, read_atlas

from astro_latent.models import load_model
from astro_latent.preparation import prepare_spectra
from astro_latent.simulation.emulators import QuadraticEmulator
from astro_latent.spectra import SpectrumArrays, decode_flags, iter_arrays
from astro_latent.utils.quality import NOTICE_FLAGS
from recipes.apogee.stars import apogee_emulator, network_values

NAME = "apogee_starnet_v1"
CANNON = "apogee/emulators/bovy_cannon/trained_apokasc_gc_ind_feh_fix"
GIANTS = (np.array([3900.0, 0.5, -1.5, -0.1]), np.array([5300.0, 3.8, 0.5, 0.5]))
START = np.array([4750.0, 2.4, -0.2, 0.1, 4.0])
#: Star, kind, what it was used for before, files below ``apogee``.
FILES = (
    ("2M19485057+5005279", "K dwarf", "masks, training residuals",
     "spectra/apStar-dr17-2M19485057+5005279.fits"),
    ("2M00005143+5615568", "giant, coadded", "looked at",
     "spectra/apStar-r6-2M00005143+5615568.fits"),
    ("2M00005143+5615568", "giant, visits", "looked at", "spectra/apVisit-r6-*.fits"),
    ("2M01183798+8403419", "F star", "flags", "spectra/apVisit-r13-*.fits"),
    ("2M19282456+4215080", "F star", "flags", "spectra/apVisit-r5-*.fits"),
    ("2M17335483-2753043", "M giant", "flags", "spectra/apStar-dr17-2M17335483*.fits"),
    ("2M17334253-1654573", "M giant", "flags", "mdwarfs/apStar-r6-*.fits"),
    ("M dwarfs", "M dwarfs", "flags", "mdwarfs/aspcapStar-*.fits"),
)  # fmt: skip
#: ASPCAP of DR17 for one of them, from the library of XP spectra.
LITERATURE = {**KNOWN, "2M01183798+8403419": (6629.0, 4.316, 0.048, -0.023)}


def read_stars(data: Path) -> list[tuple[str, str, str, list[SpectrumArrays]]]:
    """Read all real spectra."""
    folder = data / "apogee"
    sun, arcturus = "atlases/solar.20190819.txt", "atlases/arct.20190830.txt"
    seen = "masks, training residuals"
    stars = [
        ("Sun", "dwarf", seen, [read_atlas(folder / sun, "Sun", -1.0, 3e5)]),
        ("Arcturus", "giant", seen,
         [read_atlas(folder / arcturus, "Arcturus", 14.0, 1e5)]),
    ]  # fmt: skip
    for name, kind, used, pattern in FILES:
        paths = sorted(str(path) for path in folder.glob(pattern))
        stars.append((name, kind, used, list(iter_arrays(paths))))
    return stars


def fit(data: Path, prepared: Any, giant: bool) -> tuple[np.ndarray, np.ndarray]:
    """Fit the first spectrum by least squares; NaN for Bovy's Cannon of dwarfs."""
    weight = prepared.valid[0] / (prepared.variance[0] + 0.01**2)
    flux = np.where(prepared.valid[0], prepared.flux[0], 0.0).astype(float)
    weight = np.where(prepared.valid[0], weight, 0.0)
    emulator, basis = apogee_emulator(data), nuisance_basis(prepared.grid)
    start = START if giant else np.array([5200.0, 4.45, -0.1, 0.05, 4.0])
    box = (emulator.lower.astype(float), emulator.upper.astype(float))
    ours = fit_labels(
        emulator_model(emulator), flux, weight, start=start, box=box, basis=basis
    )[0][:4]
    if not giant:
        return ours, np.full(4, np.nan)
    cannon = QuadraticEmulator.read(data / CANNON)
    model = QuadraticModel(
        cannon.coefficients, cannon.scatter, cannon.baseline, np.ones(4)
    )
    return ours, fit_labels(
        model, flux, weight, start=START[:4], box=GIANTS, basis=basis
    )[0]


def judge(data: Path) -> Table:
    """Make the table: a row for each star and label."""
    model, rows = load_model(NAME, device="cpu"), []
    for star, kind, used, spectra in read_stars(data):
        prepared = prepare_spectra(spectra, model.grid, model.recipe)
        found = model.predict(prepared)
        bits = decode_flags(int(np.bitwise_or.reduce(found.flags & ~NOTICE_FLAGS)))
        refused = int(np.count_nonzero(found.flags & ~NOTICE_FLAGS))
        ours = cannon = np.full(4, np.nan)
        if not refused:
            ours, cannon = fit(data, prepared, "giant" in kind)
        raw, truth = network_values(found), LITERATURE.get(star, (np.nan,) * 4)
        for k, label in enumerate(LABELS):
            columns = (found.values, found.error, found.error_statistical, raw)
            rows.append(
                (star, kind, used, label, len(spectra), refused, truth[k],
                 *(float(np.nanmean(each[:, k])) for each in columns),
                 ours[k], cannon[k], " ".join(bits))
            )  # fmt: skip
    names = (
        "star", "kind", "used_for", "label", "n", "n_refused", "literature", "model",
        "error", "error_statistical", "network", "emulator_fit", "cannon_fit", "flags",
    )  # fmt: skip
    table = Table(rows=rows, names=names)
    for name in names[6:13]:
        table[name].format = "%.3f"
    table.meta = {"model": model.name, "version": model.version, "sha256": model.sha256}
    return table
