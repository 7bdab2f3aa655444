# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Trainings that begin with weights: same or other labels, same or another grid."""

import time

import numpy as np
import pytest
import torch

from astro_latent import train_model
from astro_latent.preparation import prepare_spectra
from astro_latent.training.arrays import as_block

from .conftest import FAST, SMALL, make_stars

NETWORKS = {
    "residual_mlp": SMALL,
    "starnet": {"n_hidden": [24, 12], "n_filters": [2, 4], "posterior": "covariance"},
    "shallow_nn": {"n_hidden": [24, 12]},
}


@pytest.fixture(scope="module", params=list(NETWORKS))
def first(request):
    torch.set_num_threads(1)
    return train_model(
        make_stars(400), ["teff", "logg"], architecture=request.param,
        arguments=NETWORKS[request.param], **{**FAST, "epochs": 25},
    )  # fmt: skip


def scatter(model, stars, label="teff"):
    prepared = prepare_spectra(list(as_block(stars)), model.grid, model.recipe)
    found = model.predict(prepared).values[:, model.config.output_names.index(label)]
    return np.std(found - stars[label])


def on_other_pixels(stars, n_pixels=90):
    """The same spectra on finer pixels of a somewhat smaller range."""
    old = stars["wavelength_vacuum"]
    new = np.linspace(5008.0, 5092.0, n_pixels)
    changed = {**stars, "wavelength_vacuum": new}
    for name in ("flux", "error"):
        changed[name] = np.stack([np.interp(new, old, row) for row in stars[name]])
    return changed


def test_twenty_stars_are_enough_for_a_shifted_scale(first):
    few, new = make_stars(20, seed=11), make_stars(300, seed=12)
    for stars in (few, new):
        stars["teff"] = stars["teff"] + 400.0  # another scale of temperatures
    start = time.process_time()
    model = train_model(few, ["teff", "logg"], from_weights=first, **FAST)
    assert time.process_time() - start < 30
    begun = model.config.training["begun with"]
    assert "their grid and all layers kept" in begun
    assert "nothing learns but a correction" in begun
    assert model.config.training["held out"] == "each star once"
    assert model.grid == first.grid
    before = scatter(first, new)
    assert scatter(model, new) < before + 100
    alone = train_model(
        few, ["teff", "logg"], architecture=first.config.architecture,
        arguments=NETWORKS[first.config.architecture], **FAST,
    )  # fmt: skip
    assert scatter(model, new) < scatter(alone, new)


def test_a_new_label_gets_a_new_row_and_the_old_ones_stay(first):
    stars = make_stars(400, seed=13)
    stars["fe_h"] = (stars["teff"] - 5000.0) / 1000.0
    model = train_model(
        stars, ["logg", "fe_h", "teff"], from_weights=first, epochs=1,
        learning_rate=1e-9,
    )  # fmt: skip
    assert "new rows of the head for fe_h" in model.config.training["begun with"]
    new = make_stars(100, seed=14)
    assert scatter(model, new) == pytest.approx(scatter(first, new), rel=0.05)
    logg = scatter(model, new, "logg")
    assert logg == pytest.approx(scatter(first, new, "logg"), rel=0.05)
    assert model.outputs[2].scale == first.outputs[0].scale


def test_another_grid_is_said_and_learnt(first):
    stars = on_other_pixels(make_stars(300, seed=15))
    model = train_model(
        stars, ["teff", "logg"], from_weights=first, **{**FAST, "epochs": 20}
    )
    begun = model.config.training["begun with"]
    dense = first.config.architecture != "residual_mlp"
    wanted = "first dense layer resampled" if dense else "stem trained again"
    assert wanted in begun
    assert model.grid.n_pixels == 90
    assert scatter(model, on_other_pixels(make_stars(200, seed=16))) < 150


def test_a_resampled_layer_is_better_than_a_new_one(first):
    if first.config.architecture != "shallow_nn":
        pytest.skip("a layer of pixels")
    stars = on_other_pixels(make_stars(300, seed=15), n_pixels=50)
    begun = train_model(
        stars, ["teff", "logg"], from_weights=first, epochs=1, learning_rate=1e-9
    )
    assert scatter(begun, stars) < 350  # of 577 for a guess of the mean


def test_weights_of_another_kind_are_refused(first):
    stars = make_stars(60)
    with pytest.raises(ValueError, match="no deep_cnn can begin with them"):
        train_model(stars, ["teff"], from_weights=first, architecture="deep_cnn")
    with pytest.raises(TypeError, match="'harps_dae_fast_v1' predicts no labels"):
        train_model(stars, ["teff"], from_weights="harps_dae_fast_v1")


def test_an_ensemble_begins_with_an_ensemble():
    both = train_model(
        make_stars(150), ["teff"], arguments=SMALL, members=2, **{**FAST, "epochs": 2}
    )
    again = train_model(
        make_stars(300), ["teff"], from_weights=both, epochs=1, learning_rate=1e-9
    )
    assert len(again.members) == 2
    for one, other in zip(again.members, both.members, strict=True):
        torch.testing.assert_close(one.enter.weight, other.enter.weight)
