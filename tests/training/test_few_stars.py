# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Few stars correct what weights say: as much as they show, and no more."""

import copy

import numpy as np
import pytest
import torch

from astro_latent import load_model, train_model
from astro_latent.models.inference import Runner
from astro_latent.preparation import SpectralGrid, prepare_spectra
from astro_latent.spectra.observation import Observation, SpectrumArrays
from astro_latent.training.arrays import as_block
from astro_latent.training.beginning import begin_with
from astro_latent.training.correction import fit_correction
from astro_latent.training.defaults import default_fit
from astro_latent.training.like_grid import stay_on_grid
from astro_latent.training.missing import thin_pixels
from astro_latent.training.outputs import round_network

from .conftest import FAST, SMALL, make_stars

LABELS = ["teff", "logg"]


@pytest.fixture(scope="module")
def first():
    return train_model(
        make_stars(400), LABELS, arguments=SMALL, members=2, **{**FAST, "epochs": 25}
    )


def ask(model, stars):
    """Labels and errors of spectra."""
    spectra = as_block(stars)
    return model.predict(prepare_spectra(list(spectra), model.grid, model.recipe))


def moved(n_stars, seed):
    """Stars of an instrument whose catalogue has another scale of temperatures."""
    stars = make_stars(n_stars, seed=seed)
    stars["teff"] = 4000.0 + 1.2 * (stars["teff"] - 4000.0) + 300.0
    return stars


def test_what_is_off_in_the_labels_is_learnt_from_twenty_stars(first, tmp_path):
    new = moved(300, 22)
    out = tmp_path / "a"
    model = train_model(moved(20, 21), LABELS, from_weights=first, output=out)
    before, after = (ask(m, new).values[:, 0] - new["teff"] for m in (first, model))
    assert np.abs(np.mean(before)) > 400
    assert np.abs(np.mean(after)) < 60
    assert np.std(after) < 0.6 * np.std(before)
    again = ask(load_model(out, device="cpu"), new).values[:, 0]
    np.testing.assert_allclose(again - new["teff"], after, atol=0.1)


def test_half_precision_leaves_the_variance_of_the_correction(first):
    network = train_model(moved(20, 21), LABELS, from_weights=first).members[0]
    features = 0.5 * torch.randn(50, network.centre.numel())
    network.growth.zero_()  # what is left is the correction's own
    network.floor.zero_()
    before, after = (
        network.head(features)[1].diagonal(dim1=1, dim2=2)
        for network in (network, round_network(copy.deepcopy(network), "float16"))
    )
    torch.testing.assert_close(after, before, rtol=0.01, atol=0.0)


def test_nothing_is_corrected_where_nothing_is_off(first):
    new = make_stars(300, seed=24)
    model = train_model(make_stars(20, seed=23), LABELS, from_weights=first)
    for label, name in enumerate(LABELS):
        before, after = (
            np.std(ask(m, new).values[:, label] - new[name]) for m in (first, model)
        )
        assert after < 1.5 * before


def test_errors_hold_for_stars_that_did_not_teach(first):
    shares = []
    for seed in (31, 33, 35, 37):
        model = train_model(moved(20, seed), LABELS, from_weights=first)
        new = moved(200, seed + 1)
        found = ask(model, new)
        truth = np.stack([new[name] for name in LABELS], axis=1)
        shares.append(np.mean(np.abs(found.values - truth) < found.error))
    assert 0.6 < np.mean(shares) < 0.85


@pytest.mark.parametrize("n_stars", [60, 250])
def test_errors_hold_for_spectra_that_lost_pixels(first, n_stars):
    model = train_model(moved(n_stars, 45), LABELS, from_weights=first)
    new = moved(400, 46)
    truth = np.stack([new[name] for name in LABELS], axis=1)
    whole = prepare_spectra(list(as_block(new)), model.grid, model.recipe)
    thinned = thin_pixels(whole, seed=1)
    lost = whole.valid.mean(axis=1) - thinned.valid.mean(axis=1) > 0.1
    one, two = (model.predict(prepared) for prepared in (whole, thinned))
    off = np.abs(two.values - truth)[lost]
    assert (
        np.median(off, axis=0) > np.median(np.abs(one.values - truth), axis=0)
    ).all()
    assert (two.error[lost] > 1.3 * one.error[lost]).mean() > 0.9
    within = np.mean(off < two.error[lost], axis=0)
    assert ((within > 0.6) & (within < 0.85)).all()
    assert (np.mean(off < two.interval_95[lost], axis=0) > 0.88).all()


def test_five_stars_are_enough_and_four_are_refused(first):
    new = moved(200, 29)
    with pytest.raises(ValueError, match="4 stars are too few to correct weights: 5"):
        train_model(moved(4, 28), LABELS, from_weights=first)
    twice = moved(4, 28)  # eight spectra of four stars
    double = {
        name: values if name.startswith("wave") else np.concatenate([values, values])
        for name, values in twice.items()
    }
    with pytest.raises(ValueError, match="told apart by column source_id"):
        train_model(double, LABELS, from_weights=first)
    model = train_model(moved(5, 28), LABELS, from_weights=first)
    before, after = (
        np.hypot.reduce(ask(m, new).values[:, 0] - new["teff"]) for m in (first, model)
    )
    assert after < 0.4 * before


def test_a_label_that_the_weights_lack_is_learnt_from_their_features(first):
    few, new = make_stars(60, seed=25), make_stars(200, seed=26)
    for stars in (few, new):
        stars["fe_h"] = (stars["teff"] - 5000.0) / 1000.0
    model = train_model(few, ["fe_h", "logg"], from_weights=first)
    assert "fe_h from the last hidden layer" in model.config.training["begun with"]
    found = ask(model, new).values
    assert np.std(found[:, 0] - new["fe_h"]) < 0.3 * np.std(new["fe_h"])
    assert np.std(found[:, 1] - new["logg"]) < 0.3 * np.std(new["logg"])


def test_an_instrument_that_sees_a_part_of_the_grid_stays_on_it(first):
    part = moved(30, 27)
    kept = part["wavelength_vacuum"] < 5080.0
    part["wavelength_vacuum"] = part["wavelength_vacuum"][kept]
    for name in ("flux", "error"):
        part[name] = part[name][:, kept]
    model = train_model(part, LABELS, from_weights=first)
    assert model.grid.n_pixels == first.grid.n_pixels
    assert model.grid.valid.sum() < first.grid.valid.sum()
    assert "of the grid" in model.config.training["begun with"]
    residual = ask(model, part).values[:, 0] - part["teff"]
    assert np.std(residual) < 0.6 * np.std(part["teff"])


def test_arguments_of_the_network_stay(first):
    with pytest.raises(ValueError, match="their arguments stay"):
        train_model(
            make_stars(20), LABELS, from_weights=first, arguments={"n_blocks": 2}
        )


def test_what_a_correction_ignores_is_named(first, caplog):
    how = {"epochs": 9, "augment": {"noise": 1.0}, "members": 3, "seed": 1}
    model = train_model(make_stars(20), LABELS, from_weights=first, **how)
    said = [m for m in caplog.messages if "ignored" in m]
    assert [m.split(" ignored")[0] for m in said] == [
        "epochs, augment, members beyond 2"
    ]
    assert len(model.members) == 2
    caplog.clear()
    model = train_model(make_stars(20), LABELS, from_weights=first, members=1)
    assert len(model.members) == 1
    assert not any("ignored" in m for m in caplog.messages)


def test_weights_on_another_device_are_asked_there(first):
    there = copy.copy(first)
    there.runner = Runner(torch.device("meta"))
    there.members = [copy.deepcopy(member).to("meta") for member in first.members]
    for model in (first, there):
        made = begin_with(model).correction(first.grid, LABELS, 20)
        assert made["n_features"] == 16 + 6 + 2  # hidden, components, noise


def test_a_correction_is_corrected_in_turn(first):
    once = train_model(moved(20, 41), LABELS, from_weights=first)
    twice = train_model(make_stars(60, seed=42), LABELS, from_weights=once)
    new = make_stars(200, seed=43)
    assert np.std(ask(twice, new).values[:, 0] - new["teff"]) < 200
    with pytest.raises(ValueError, match="is a correction of weights"):
        train_model(make_stars(320), ["logg"], from_weights=once, epochs=1)


def test_a_correction_is_the_mean_of_a_gaussian_process():
    rng = np.random.default_rng(3)
    terms = rng.normal(size=(40, 6))
    kinds = np.array([0, 1, 1, 2, 3, 3])
    residual = terms @ [0.3, 0.2, 0.0, 0.0, 0.1, 0.0] + 0.05 * rng.normal(size=40)
    none, stars = np.zeros(40), np.arange(40) // 2
    found = fit_correction(terms, kinds, residual, own=none, given=none, stars=stars)
    np.testing.assert_allclose(found.coefficient[:2], [0.3, 0.2], atol=0.06)
    covariance = np.diag(found.prior) - found.known.T @ found.known
    assert np.linalg.eigvalsh(covariance).min() > -1e-9
    assert (np.diag(covariance) < found.prior).all()
    # left out by hand: one star's weight is gone, the others' data decide
    assert np.std(found.left_out - terms @ found.coefficient) < 0.05
    assert (found.ratio >= 1.0 - 1e-6).all()


@pytest.mark.parametrize(
    ("ends", "power", "n_spectra", "wanted"),
    [
        ((4900.0, 5200.0), 3000.0, 20, (0, 100, 2000.0)),
        ((4900.0, 5200.0), 1500.0, 20, (0, 100, 1500.0)),
        ((5020.0, 5070.0), 0.0, 20, (21, 70, 2000.0)),
        ((5020.0, 5070.0), 0.0, 300, None),
        ((5080.0, 5200.0), 0.0, 20, None),
    ],
)
def test_whether_spectra_stay_on_a_grid(ends, power, n_spectra, wanted):
    grid = SpectralGrid(
        name="toy", spacing="linear", start=5000.0, step=1.0, n_pixels=100,
        medium="air", frame="rest", segments=((0, 100),), resolving_power=2000.0,
    )  # fmt: skip
    wavelength = np.linspace(*ends, 50)
    spectrum = SpectrumArrays(
        wavelength=wavelength, flux=np.ones(50), mask=np.zeros(50, dtype=bool),
        observation=Observation(resolving_power=power),
    )  # fmt: skip
    found = stay_on_grid(grid, [spectrum] * n_spectra)
    if wanted is None:
        assert found is None
    else:
        assert (*found.segments[0], found.resolving_power) == wanted


@pytest.mark.parametrize("architecture", ["residual_mlp", "starnet"])
@pytest.mark.parametrize("n_stars", [20, 100, 300, 542, 4000])
def test_few_stars_are_shown_for_enough_steps(architecture, n_stars):
    fit = default_fit(architecture, n_stars)
    steps = fit.epochs * max(1, n_stars // fit.batch_size)
    assert steps >= 400
    assert fit.epochs == 60 or steps < 500  # and not for longer than that takes
