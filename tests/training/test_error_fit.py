# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Errors whose factor depends on the spectrum cover in every part of the sample."""

import numpy as np
import pytest

from astro_latent.models.error_shape import error_factor, error_inputs
from astro_latent.training.error_fit import fit_error_shape
from astro_latent.training.report import (
    bin_edges,
    describe_failures,
    score_bins,
    score_coverage,
)


def draw(n_stars, seed=0):
    """Residuals that the stated errors fit badly: worse at low S/N and hot stars."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(4000.0, 7000.0, (n_stars, 1))
    snr = 10 ** rng.uniform(0.7, 2.3, n_stars)
    error = 40.0 * (1.0 + 30.0 / snr[:, None])
    true = error * (0.6 + 8.0 / snr[:, None]) * (values / 5500.0) ** 2
    residual = true * rng.standard_t(4, (n_stars, 1)) / 1.13
    inputs = error_inputs(
        values, error, snr, np.zeros(n_stars), offsets=np.array([5500.0]),
        scales=np.array([870.0]),
    )  # fmt: skip
    return values, snr, error, residual, inputs


def fit_alone(residual, error, inputs):
    """Each spectrum is of another star, and labels have no errors."""
    stars = np.arange(len(residual))
    return fit_error_shape(residual, error, inputs, stars, given=np.zeros_like(error))


@pytest.mark.parametrize("n_stars", [60, 400, 4000])
def test_coverage_is_right_on_other_stars(n_stars):
    *_, error, residual, inputs = draw(n_stars)
    fit = fit_alone(residual, error, inputs)
    _, snr, error, residual, inputs = draw(20_000, seed=1)
    one = error * error_factor(inputs, fit.shape_68)
    two = 1.96 * error * error_factor(inputs, fit.shape_95)
    noise = 1.0 / np.sqrt(n_stars)
    found = score_coverage(residual[:, 0], one[:, 0], two[:, 0])
    assert found["68"] == pytest.approx(0.6827, abs=0.02 + 1.5 * noise)
    assert found["95"] == pytest.approx(0.95, abs=0.01 + 0.8 * noise)
    if n_stars < 4000:
        return
    for low, high in ((5, 12), (12, 40), (40, 200)):  # enough stars to tell
        part = (snr >= low) & (snr < high)
        inside = score_coverage(residual[part, 0], one[part, 0], two[part, 0])
        assert inside["68"] == pytest.approx(0.6827, abs=0.03)
        assert inside["95"] == pytest.approx(0.95, abs=0.02)


def test_few_stars_of_several_labels_tell_how_errors_depend_on_noise():
    """One factor for each label holds 0.39 of the noisiest stars."""
    rng = np.random.default_rng(4)

    def draw_labels(n_stars):
        snr = 10 ** rng.uniform(1.0, 2.3, n_stars)
        error = np.ones((n_stars, 3))
        residual = (30.0 / snr)[:, None] ** 0.6 * rng.normal(size=(n_stars, 3))
        inputs = error_inputs(
            np.zeros((n_stars, 3)), error, snr, np.zeros(n_stars),
            offsets=np.zeros(3), scales=np.ones(3),
        )  # fmt: skip
        return snr, residual, error, inputs

    snr, residual, error, inputs = draw_labels(4000)
    noisy, found = snr < 20, []
    for _ in range(8):
        shape = fit_alone(*draw_labels(120)[1:]).shape_68
        inner = np.abs(residual) < error * error_factor(inputs, shape)
        found.append([inner[noisy].mean(), inner[~noisy].mean()])
    assert np.mean(found, axis=0) == pytest.approx([0.6827, 0.6827], abs=0.09)


def test_some_hundred_stars_tell_how_errors_depend_on_labels():
    *_, error, residual, inputs = draw(500)
    fit = fit_alone(residual, error, inputs)
    values, _, error, residual, inputs = draw(20_000, seed=1)
    one = error * error_factor(inputs, fit.shape_68)
    two = 1.96 * error * error_factor(inputs, fit.shape_95)
    for part in (values[:, 0] < 4600.0, values[:, 0] > 6400.0):
        found = score_coverage(residual[part, 0], one[part, 0], two[part, 0])
        assert found["68"] == pytest.approx(0.6827, abs=0.06)
        assert found["95"] == pytest.approx(0.95, abs=0.03)


def test_cross_validated_errors_are_honest():
    *_, error, residual, inputs = draw(300, seed=3)
    fit = fit_alone(residual, error, inputs)
    found = score_coverage(residual[:, 0], fit.error[:, 0], fit.interval_95[:, 0])
    assert found["68"] == pytest.approx(0.6827, abs=0.06)


def test_errors_of_the_labels_are_no_errors_of_the_prediction():
    rng = np.random.default_rng(2)
    *_, error, residual, inputs = draw(6000, seed=2)
    residual = 0.8 * error * rng.normal(size=(6000, 1))
    given = np.where(rng.random((6000, 1)) < 0.5, 60.0, 10.0)
    blurred = residual + given * rng.normal(size=(6000, 1))
    fit = fit_error_shape(blurred, error, inputs, np.arange(6000), given=given)
    # the same stars against labels without errors: neither too large nor too small
    inside = score_coverage(residual[:, 0], fit.error[:, 0], fit.interval_95[:, 0])
    assert inside["68"] == pytest.approx(0.6827, abs=0.03)
    assert inside["95"] == pytest.approx(0.95, abs=0.015)
    scores = score_bins(
        blurred, fit.error, fit.interval_95, names=["x"], by={}, given=given
    )
    assert scores["coverage_68"][0] == pytest.approx(0.6827, abs=0.02)
    assert scores["coverage_95"][0] == pytest.approx(0.95, abs=0.01)


def test_missing_labels_do_not_count():
    *_, error, residual, inputs = draw(200)
    residual[::2] = np.nan
    fit = fit_alone(residual, error, inputs)
    assert np.isfinite(fit.shape_68).all()


def test_bins_are_round_and_hold_alike():
    edges = bin_edges(np.random.default_rng(0).normal(5000.0, 300.0, 3000))
    counts, _ = np.histogram(
        np.random.default_rng(0).normal(5000.0, 300.0, 3000), edges
    )
    assert counts.sum() == 3000
    assert counts.min() > 300
    assert (edges % 10 == 0).all()
    assert len(bin_edges(np.full(50, np.nan))) == 0


def test_failures_are_named():
    rng = np.random.default_rng(5)
    snr = rng.uniform(5, 100, 3000)
    residual = rng.normal(0.0, np.where(snr < 20, 5.0, 1.0))[:, None]
    error = np.ones((3000, 1))
    scores = score_bins(residual, error, 1.96 * error, names=["x"], by={"snr": snr})
    text = describe_failures(scores)
    assert text.startswith("All held-out stars together: x: 59% within")
    assert "Clearly worse than elsewhere" in text
    assert "x at snr 5" in text
    calm = score_bins(error * 0 + rng.normal(size=(3000, 1)), error, 1.96 * error,
                      names=["x"], by={"snr": snr})  # fmt: skip
    assert describe_failures(calm).startswith("No bin")


def scores_of(residual):
    """Scores of one label x with errors of 1, by a noise that says nothing."""
    error = np.ones((len(residual), 1))
    by = {"snr": np.linspace(5.0, 100.0, len(residual))}
    return score_bins(residual[:, None], error, 1.96 * error, names=["x"], by=by)


@pytest.mark.parametrize("count", [3, 12, 40])
def test_few_stars_cannot_tell_where_a_model_fails(count):
    text = describe_failures(scores_of(np.linspace(-1.2, 1.2, count)))
    assert text == "Too few stars are held out to tell where it does worse."


def test_what_all_stars_are_off_is_said():
    text = describe_failures(scores_of(np.linspace(-1.2, 1.2, 12) + 10.0))
    assert text.startswith("All held-out stars together: x: bias 10. Too few")
