# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Errors and limits of the StarNet hold where a reduction gets something wrong."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from astro_latent.models import load_model
from astro_latent.preparation import get_grid
from astro_latent.simulation.apogee import ApogeeConditions, observe_apogee
from astro_latent.simulation.emulators import SigmoidEmulator
from astro_latent.utils.quality import QualityFlag
from recipes.apogee.held_out import drop_pixels, simulate_test_set
from recipes.apogee.stars import CALM, draw_apogee_stars, prepare_observed, with_recipe
from recipes.apogee_starnet_v1.jitter import JITTERS, observe_jittered
from recipes.apogee_starnet_v1.recalibrate import POOREST, VERSION

GRID = get_grid("apogee_7214")


@pytest.fixture(scope="module")
def model():
    return load_model("apogee_starnet_v1", device="cpu")


@pytest.fixture
def line():
    """One Gaussian line of 12 km/s (sigma) in two spectra."""
    velocity = 299_792.458 * (GRID.wavelength / 16_000.0 - 1.0)
    return np.tile(1.0 - 0.5 * np.exp(-0.5 * (velocity / 12.0) ** 2), (2, 1))


def moments(flux):
    velocity = 299_792.458 * (GRID.wavelength / 16_000.0 - 1.0)
    near = np.abs(velocity) < 100
    depth = 1.0 - flux[:, near]
    centre = (depth @ velocity[near]) / depth.sum(1)
    square = (depth @ velocity[near] ** 2) / depth.sum(1)
    return centre, np.sqrt(square - centre**2)


def test_each_jitter_does_what_it_is_called(line, rng):
    assert moments(JITTERS["none"](line, rng))[1] == pytest.approx(12.0, rel=0.01)
    width = moments(JITTERS["resolution -10 %"](line, rng))[1]
    full = 299_792.458 / 2.3548 * np.sqrt(20_250.0**-2 - 22_500.0**-2)
    assert width == pytest.approx(np.hypot(12.0, full), rel=0.01)
    centre = moments(JITTERS["velocity 5 km/s"](line, rng))[0]
    assert np.abs(centre) == pytest.approx(5.0, abs=0.3)
    ripple = JITTERS["ripple 5 %"](line, rng) / line
    assert np.ptp(ripple, axis=1) == pytest.approx(0.1, rel=0.02)
    hit = JITTERS["cosmic rays"](line, rng) - line
    assert np.all(np.count_nonzero(hit, axis=1) >= 18)
    assert hit.min() >= 0.0


@pytest.mark.parametrize("jitter", JITTERS)
def test_the_domain_does_not_end_where_a_reduction_errs(real_data, model, jitter):
    prepared, _ = observe_jittered(
        jitter, real_data, 80, seed=61, conditions=ApogeeConditions()
    )
    result = model.predict(with_recipe(prepared, model), flux_errors=False)
    assert np.mean(result.domain_score > 1) <= 0.09  # 2.5 % and three errors of 80


def test_errors_cover_what_missing_pixels_do(real_data, model, rng):
    prepared, truth = simulate_test_set(
        real_data, 150, seed=62, snr=100.0, conditions=CALM
    )
    lost = with_recipe(drop_pixels(prepared, 0.25, rng=rng), model)
    result = model.predict(lost, flux_errors=False)
    pull = np.abs(result.values - truth) / result.error_statistical
    assert np.all(np.mean(pull < 1.0, axis=0) > 0.56)
    assert np.all(np.mean(pull < 1.96, axis=0) > 0.89)


def test_giants_poorer_than_the_training_are_flagged(real_data, model, rng):
    """By a model of spectra that no training saw, at [Fe/H] -1.2 to -0.9."""
    folder = real_data / "apogee/emulators/binspec_plus"
    emulator = SigmoidEmulator.read(folder / "NN_unnormalized_spectra.npz")
    labels = draw_apogee_stars(real_data, 1500, seed=63)
    labels = labels[(labels[:, 1] < 3.8) & (labels[:, 0] > 4300.0)][:100]
    labels[:, 2] = rng.uniform(-1.2, -0.9, len(labels))
    with np.errstate(over="ignore"):
        flux = emulator.flux(labels[:, :4])
    for first, last in GRID.segments:
        chip = flux[:, first:last] / np.median(flux[:, first:last], 1, keepdims=True)
        flux[:, first:last] = gaussian_filter1d(chip, 3.0 / 4.145, axis=1)
    observed = observe_apogee(flux, GRID, rng=rng, conditions=CALM, snr=100.0)
    prepared = with_recipe(prepare_observed(*observed), model)
    result = model.predict(prepared, flux_errors=False)
    flagged = (result.flags & QualityFlag.LABEL_OUT_OF_DOMAIN) != 0
    off = np.abs(result.values[:, :4] - labels[:, :4]) > 2.0 * result.error[:, :4]
    assert flagged.mean() > 0.8
    assert np.mean(off.any(axis=1) & ~flagged) < 0.15


def test_labels_are_those_of_version_one(model):
    assert model.version == VERSION
    iron = next(output for output in model.outputs if output.name == "fe_h")
    assert iron.domain[0] == POOREST
    before = model.config.evaluation["recalibration"]["before"]
    assert before["systematic"][:4] == model.config.calibration["systematic"][:4]
    assert model.sha256.startswith("5738232e672a15e8")  # the tensors of version 1
