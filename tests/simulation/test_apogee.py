# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The simulated APOGEE against analytic cases."""

import numpy as np
import pytest

from astro_latent.preparation import get_grid
from astro_latent.simulation.apogee import (
    ApogeeConditions,
    observe_apogee,
    shift_pixels,
)
from astro_latent.simulation.emulators import QuadraticEmulator, SigmoidEmulator
from astro_latent.simulation.priors import draw_apogee_labels, flattening_weights

GRID = get_grid("apogee_7214")
NOTHING = ApogeeConditions(
    velocity_error=0.0,
    shape=0.0,
    bad_pixels=0.0,
    missing_probability=0.0,
    lost_chip_probability=0.0,
    sky_lines=0,
)


def test_shift_of_a_gaussian():
    x = np.arange(200.0)

    def line(centre):
        return 1 - 0.4 * np.exp(-0.5 * ((x - centre) / 3.0) ** 2)

    shifted = shift_pixels(line(100.0)[None], np.array([0.3]))[0]
    np.testing.assert_allclose(shifted, line(100.3), atol=1e-3)
    assert np.abs(line(100.0) - line(100.3)).max() > 0.02


def test_noise_has_the_stated_size(rng):
    clean = np.ones((40, GRID.n_pixels), np.float32)
    flux, sigma, mask = observe_apogee(
        clean, GRID, rng=rng, conditions=NOTHING, snr=50.0
    )
    pull = (flux - 1.0) / sigma
    assert pull.std() == pytest.approx(1.0, abs=0.01)
    assert np.median(1 / sigma) == pytest.approx(50.0, rel=0.15)
    assert not mask.any()


def test_bad_chips_and_stretches_appear_as_often_as_asked(rng):
    clean = np.ones((300, GRID.n_pixels), np.float32)
    certain = ApogeeConditions(lost_chip_probability=1.0, missing_probability=0.0)
    _, _, mask = observe_apogee(clean, GRID, rng=rng, conditions=certain)
    lost = np.array([mask[:, a:b].all(axis=1) for a, b in GRID.segments])
    assert (lost.sum(axis=0) == 1).all()
    assert (lost.sum(axis=1) > 60).all()  # each chip about a hundred times


def test_the_same_seed_gives_the_same_observation():
    clean = np.ones((3, GRID.n_pixels), np.float32)
    first, second = (
        observe_apogee(clean, GRID, rng=np.random.default_rng(5)) for _ in range(2)
    )
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_sigmoid_emulator_by_hand():
    emulator = SigmoidEmulator(
        weights_in=np.array([[[2.0], [0.0]]], np.float32),
        bias_in=np.array([[0.0, 1.0]], np.float32),
        weights_out=np.array([[3.0, -1.0]], np.float32),
        bias_out=np.array([0.5], np.float32),
        lower=np.array([0.0]),
        upper=np.array([10.0]),
    )

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    expected = 0.5 + 3 * sigmoid(2 * (0.7 - 0.5)) - sigmoid(1.0)
    assert emulator.flux([[7.0]])[0, 0] == pytest.approx(expected, rel=1e-6)


def test_quadratic_emulator_by_hand():
    emulator = QuadraticEmulator(
        coefficients=np.array([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]]),
        baseline=np.array([1.0, 1.0]),
        scatter=np.zeros(1),
    )
    # 1 + 2x + 3y + 4x^2 + 5xy + 6y^2 at (x, y) = (1, 2)
    assert emulator.flux([[2.0, 3.0]])[0, 0] == pytest.approx(47.0)


def test_flattening_evens_out_a_crowd(rng):
    crowd = np.concatenate([rng.uniform(0, 1, 9000), rng.uniform(1, 2, 1000)])[:, None]
    weights = flattening_weights(crowd, bins=20, power=1.0)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[crowd[:, 0] > 1].sum() == pytest.approx(0.5, abs=0.02)


def test_labels_stay_in_the_box(tmp_path, rng):
    stars = np.column_stack(
        [
            rng.uniform(4200, 5200, 500),
            rng.uniform(1.5, 3.5, 500),
            rng.uniform(-0.8, 0.3, 500),
            rng.uniform(-0.1, 0.3, 500),
        ]
    )
    path = tmp_path / "giants.npy"
    np.save(path, stars)
    low = np.array([3884.0, 1.237, -0.9, -0.24, 0.1])
    high = np.array([7895.0, 4.714, 0.388, 0.426, 19.9])
    labels = draw_apogee_labels(2000, path, box=(low, high), rng=rng)
    assert labels.shape == (2000, 5)
    assert np.all((labels >= low) & (labels <= high))
    assert np.mean(labels[:, 1] < 3.8) == pytest.approx(0.6, abs=0.1)
