# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra of four surveys that one network learns: XP, LAMOST, MILES, emulated APOGEE.

Emulated are APOGEE spectra of stars whose BP/RP spectra are there, at the labels that
ASPCAP gives them, so that the pair is half real: labels and optical spectra were
measured, the infrared ones follow from the labels alone.
"""

from pathlib import Path

import _paths  # noqa: F401
import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from bench_architectures import read_lamost

from astro_latent.preparation import SpectralGrid, get_grid
from astro_latent.simulation.apogee import observe_apogee
from recipes.apogee.stars import CALM, apogee_emulator, preparation_recipe
from recipes.gaia_xp_starnet_v1 import spectra as gaia
from recipes.reading import read_recipe
from recipes.real import miles
from recipes.real.stars import is_test, select

HOTTEST = 8000.0  # K
SAME = 3.0  # arcsec within which two surveys have seen one star
_SNR = 100.0  # of the emulated spectra
_BROADENING = np.log(5.0), 0.45  # of ln v_macro, as for apogee_starnet_v1
_SEED = 11
PARTS = ("held_out", "validation", "train")


def deal(star, counts, first=()):
    """Say what each spectrum is for; stars of ``first`` are held out."""
    names = np.unique(star)
    names = names[np.random.default_rng(_SEED).permutation(len(names))]
    names = np.concatenate(
        [names[np.isin(names, first)], names[~np.isin(names, first)]]
    )
    order = np.argsort(names)
    place = order[np.searchsorted(names, star, sorter=order)]
    parts = np.array([*PARTS, ""])
    return parts[np.searchsorted(np.cumsum(counts), place, side="right")]


def find_common(data):
    """Source ids and LAMOST's numbers of the stars that both have."""
    stars, lamost = gaia.read_stars(data), read_lamost(data)[0]
    places = SkyCoord(lamost["ra"] * u.deg, lamost["dec"] * u.deg)
    rows, distance, _ = places.match_to_catalog_sky(gaia.read_positions(data))
    near = distance.arcsec < SAME
    sources = stars["source_id"][rows[near]]
    kept = ~is_test(sources) & (stars["teff"][rows[near]] <= HOTTEST)
    return sources[kept], lamost["star"][near][kept]


def read_all(data: Path, sizes):
    """For each survey what `train_several` is told, with the column ``part``.

    ``sizes`` are, for each survey, stars that are held out, that validate, that teach.
    """
    common = find_common(data)
    stars = gaia.read_stars(data)
    stars = select(stars, ~is_test(stars["source_id"]) & (stars["teff"] <= HOTTEST))
    found = {"xp": _keep(stars, "source_id", sizes["xp"], common[0])}
    stars = read_lamost(data)[0]
    stars = select(stars, stars["teff"] <= HOTTEST)
    found["lamost"] = _keep(stars, "star", sizes["lamost"], common[1])
    stars = miles.read_stars(data, hottest=HOTTEST)
    stars = select(stars, ~stars["test"] & np.isfinite(stars["teff"]))
    found["miles"] = _keep(stars, "miles_id", sizes["miles"])
    found["apogee"] = emulate(data, found["xp"])
    return {name: describe(name, stars) for name, stars in found.items()}


def _keep(stars, star, counts, first=()):
    parts = deal(stars[star], counts, first)
    return {**select(stars, parts != ""), "part": parts[parts != ""]}


def emulate(data, stars):
    """Spectra of APOGEE of those stars whose labels the emulator knows."""
    emulator, grid = apogee_emulator(data), get_grid("apogee_7214")
    names = ("teff", "logg", "fe_h", "alpha_m")
    labels = np.stack([stars[name] for name in names], axis=1)
    low, high = emulator.lower[:4], emulator.upper[:4]
    inside = ((labels > low) & (labels < high)).all(axis=1)  # not where one is missing
    rng = np.random.default_rng(_SEED)
    labels = labels[inside]
    broad = np.exp(rng.normal(*_BROADENING, len(labels)))
    broad = np.clip(broad, emulator.lower[4] + 0.02, emulator.upper[4] - 0.02)
    clean = emulator.flux(np.column_stack([labels, broad]).astype(np.float32))
    flux, error, mask = observe_apogee(clean, grid, rng=rng, conditions=CALM, snr=_SNR)
    kept = (*names, *(f"{n}_error" for n in names), "source_id", "part")
    return {
        "wavelength_vacuum": grid.wavelength, "flux": flux, "error": error,
        "mask": mask, **{name: stars[name][inside] for name in kept},
    }  # fmt: skip


#: Whose recipe, labels, facts, and which views: those of the bundled weights, smaller.
_HOW = {
    "xp": (
        "gaia_xp_starnet_v1", list(gaia.LABELS), {"star": "source_id"},
        [{"kind": k, "n_components": 100, "fill": "solve"} for k in ("flux", "log")],
    ),
    "lamost": (
        "lamost_starnet_v1", list(miles.LABELS),
        {"star": "star", "facts": {"frame": "barycentric", "resolving_power": 1800.0}},
        [{"kind": "flat", "n_components": 200, "width": 301, "shrink": 0.6}],
    ),
    "miles": (
        "optical_r2000_starnet_v1", list(miles.LABELS),
        {"star": "miles_id", "facts": miles.FACTS},
        [{"kind": "flat", "n_components": 120, "width": 301, "shrink": 0.6}],
    ),
}  # fmt: skip


def describe(name, stars):
    """Return what `train_several` is told of a survey."""
    if name == "apogee":
        return {
            "spectra": stars, "labels": ["teff", "logg", "fe_h", "alpha_m"],
            "grid": "apogee_7214", "recipe": preparation_recipe(),
            "facts": {"frame": "rest"}, "star": "source_id", "split": "part",
            "arguments": {
                "n_noise": 4,
                "views": [{"kind": "flux", "n_components": 200, "shrink": 0.6}],
            },
        }  # fmt: skip
    recipe, labels, facts, views = _HOW[name]
    recipe = read_recipe(recipe)
    if name == "lamost":
        facts = {**facts, "radial_velocity": stars["radial_velocity"]}
    return {
        "spectra": stars, "labels": labels, "split": "part",
        "grid": SpectralGrid.from_dict(recipe["grid"]),
        "recipe": {"steps": recipe["steps"]}, "augment": recipe["augment"],
        "arguments": {"n_noise": 4, "views": views}, **facts,
    }  # fmt: skip
