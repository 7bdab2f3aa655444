# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What the networks for optical spectra learn first, and how seven folds are scored."""

import numpy as np
import pytest
from astropy.table import Table

from astro_latent import load_model
from recipes.optical_r2000_starnet_v1 import first
from recipes.optical_r2000_starnet_v1.seven_folds import summarise
from recipes.options import Options

STEPS = ("convert_medium", "shift_frame", "match_resolution", "resample")


def make_stars(n_stars):
    """Spectra of another survey, the last star of which is for tests."""
    rng = np.random.default_rng(0)
    wavelength = np.linspace(4990.0, 5110.0, 140)
    teff, logg, fe_h = rng.uniform((4000, 1, -1), (9000, 5, 0), (n_stars, 3)).T
    depth = np.stack([teff / 2e4, logg / 10, (1 + fe_h) / 3], axis=1)
    at = np.array([5020.0, 5050.0, 5080.0])
    lines = np.exp(-0.5 * ((wavelength - at[:, None]) / 4.0) ** 2)
    flux = 1.0 - depth @ lines + rng.normal(0.0, 0.01, (n_stars, 140))
    return {
        "wavelength_vacuum": wavelength, "flux": flux.astype("f4"),
        "error": np.full(flux.shape, 0.01, "f4"), "star": np.arange(n_stars),
        "radial_velocity": np.zeros(n_stars), "teff": teff, "logg": logg, "fe_h": fe_h,
        "test": np.arange(n_stars) == n_stars - 1,
    }  # fmt: skip


def test_what_is_learnt_first_leaves_test_stars_out_and_is_found_again(
    tmp_path, monkeypatch
):
    stars = make_stars(160)
    monkeypatch.setattr(first, "read_stars", lambda data: stars)
    recipe = {
        "seed": 1,
        "grid": {
            "name": "toy", "spacing": "linear", "start": 5000.0, "step": 1.0,
            "n_pixels": 100, "medium": "air", "frame": "rest",
            "segments": [[0, 100]], "resolving_power": 2000.0,
        },
        "steps": [{"step": name} for name in STEPS],
        "limits": {}, "augment": {}, "card_texts": {"name": "toy_v1"},
        "arguments": {
            "n_hidden": 16, "n_blocks": 1,
            "views": [{"kind": "flux", "n_components": 6}],
        },
        "first": {
            "hottest": 8000.0, "held_out": 0.2, "train": {"epochs": 3, "members": 2},
        },
    }  # fmt: skip
    options = Options(data=tmp_path, work=tmp_path / "work", output=tmp_path / "out")
    place = first.learn_first(recipe, options)
    model = load_model(place, device="cpu")
    cool = np.sum((stars["teff"] < 8000) & ~stars["test"])
    counted = [model.config.training[part] for part in ("train", "held out")]
    assert sum(int(text.split()[0]) for text in counted) == cool
    assert len(model.members) == 2
    assert model.grid.frame == "rest"
    monkeypatch.setattr(first, "read_stars", None)  # not asked again
    assert first.learn_first(recipe, options) == place


def test_seven_folds_are_scored_together_and_alone():
    rng = np.random.default_rng(1)
    n_stars = 7 * 400
    table = Table({"fold": np.arange(n_stars) % 7})
    for label, scatter in (("teff", 80.0), ("logg", 0.2), ("fe_h", 0.1)):
        given = (
            rng.uniform(4100, 6900, n_stars) if label == "teff" else np.zeros(n_stars)
        )
        table[f"{label}_given"] = given
        table[label] = given + rng.normal(0.0, scatter, n_stars)
    table["fe_h"][:10] = np.nan
    table["teff_given"][-5:] = 9000.0  # beyond what is compared
    scores = summarise(table)
    assert len(scores) == 8 * 3
    first_rows = scores[scores["folds"] == "all"]
    assert first_rows["n"].tolist() == [n_stars - 5, n_stars - 5, n_stars - 15]
    assert first_rows["scatter"].tolist() == pytest.approx([80.0, 0.2, 0.1], rel=0.05)
    # that of a median absolute deviation, 1.17 of that of a standard deviation
    expected = 1.167 * 80.0 / np.sqrt(n_stars)
    assert first_rows["scatter_error"][0] == pytest.approx(expected, rel=0.15)
    alone = scores[(scores["folds"] == "3") & (scores["label"] == "teff")]
    assert alone["n"][0] == 400 - 1
