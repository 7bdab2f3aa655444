# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Giants are moved to another scale, dwarfs are not, and errors follow the labels."""

import numpy as np
import pytest
import torch

from astro_latent.exceptions import WeightsError
from astro_latent.models import load_model
from astro_latent.models.architectures.starnet import StarNet
from astro_latent.models.domain import (
    move_giants,
    systematic_variance,
    weigh_missing,
)
from astro_latent.pipeline.rows import label_rows

#: T_eff: +80 K, less 30 K for each 400 K, between 4400 and 5000 K; log g stays.
SHIFT = [[4400.0, 5000.0, 80.0, -30.0, 0.0], [-1e6, 1e6, 0.0, 0.0, 0.0]]
OFFSETS, SCALES = np.array([4800.0, 2.5]), np.array([400.0, 0.7])


@pytest.fixture
def moving(save, label_config):
    """The same network without and with a shift of giants."""
    arguments = {**label_config["arguments"], "heteroscedastic": True}
    torch.manual_seed(3)
    network = StarNet(**arguments)
    config = {**label_config, "arguments": arguments}
    plain = save(network, config)
    shifted = {**config, "name": "moved_v1", "calibration": {"giants_shift": SHIFT}}
    return plain, save(network, shifted, overwrite=True)


def test_labels_move_as_far_as_the_formula_says(moving):
    config = moving[1].config
    stars = np.array(
        [[4800.0, 2.0], [4400.0, 2.0], [4000.0, 2.0], [4800.0, 3.5], [4800.0, 3.8],
         [6000.0, 4.4]]
    )  # fmt: skip
    moved, _ = move_giants(config, stars, OFFSETS, SCALES)
    # below the range as at its end; half of it half way to dwarfs
    expected = [80.0, 110.0, 110.0, 40.0, 0.0, 0.0]
    np.testing.assert_allclose((moved - stars)[:, 0], expected, atol=1e-9)
    np.testing.assert_array_equal(moved[:, 1], stars[:, 1])


def test_slopes_are_the_derivatives(moving, rng):
    config = moving[1].config
    stars = np.column_stack([rng.uniform(4200, 5200, 200), rng.uniform(1, 4.5, 200)])
    kinks = [(0, 4400.0, 1.0), (0, 5000.0, 1.0), (1, 3.2, 0.01), (1, 3.8, 0.01)]
    smooth = np.all([abs(stars[:, k] - at) > near for k, at, near in kinks], axis=0)
    _, slope = move_giants(config, stars, OFFSETS, SCALES)
    for column, step in enumerate((0.5, 0.001)):
        up, down = (
            move_giants(
                config, stars + sign * step * np.eye(2)[column], OFFSETS, SCALES
            )
            for sign in (1.0, -1.0)
        )
        measured = (up[0] - down[0]) / (2 * step)
        np.testing.assert_allclose(
            slope[smooth, :, column], measured[smooth], atol=1e-6
        )


def test_labels_move_without_jumps_and_keep_their_order(moving):
    gravity = np.linspace(1.0, 5.0, 4001)
    stars = np.column_stack([np.full(4001, 4600.0), gravity])
    moved, _ = move_giants(moving[1].config, stars, OFFSETS, SCALES)
    assert np.abs(np.diff(moved[:, 0])).max() < 0.2  # 95 K over 600 steps
    assert np.all(np.diff(moved[:, 1]) > 0)


def test_the_network_s_own_labels_stay_at_hand_and_errors_follow(moving, make_prepared):
    plain, moved = moving
    prepared = make_prepared(plain, count=20)
    before, after = plain.predict(prepared), moved.predict(prepared)
    assert before.network_values is None
    np.testing.assert_array_equal(after.network_values, before.values)
    expected, turn = move_giants(
        moved.config, before.values.astype(float), OFFSETS, SCALES
    )
    np.testing.assert_allclose(after.values, expected, rtol=1e-6)
    covariance = turn @ before.covariance @ turn.swapaxes(1, 2)
    np.testing.assert_allclose(after.covariance, covariance, rtol=1e-4, atol=1e-6)
    sigma = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    np.testing.assert_allclose(after.error, sigma, rtol=1e-4)


def test_limits_are_those_of_the_network(save, label_config, make_prepared):
    torch.manual_seed(3)
    network = StarNet(**label_config["arguments"])
    model = save(network, label_config)
    prepared = make_prepared(model, count=10)
    plain = model.predict(prepared, flux_errors=False)
    giants = plain.values[:, 1] < 3.8
    assert giants.any()
    outputs = [{**label_config["outputs"][0], "domain": [0.0, 4e6]}]
    outputs[0]["domain"][1] = float(plain.values[:, 0].max()) + 1.0
    config = {
        **label_config, "outputs": [*outputs, label_config["outputs"][1]],
        "calibration": {"giants_shift": [[-1e6, 1e6, 500.0, 0.0, 0.0], SHIFT[1]]},
    }  # fmt: skip
    found = save(network, config, overwrite=True).predict(prepared, flux_errors=False)
    assert found.values[:, 0].max() > outputs[0]["domain"][1]
    np.testing.assert_array_equal(found.flags, plain.flags)


def test_tables_have_a_column_for_what_was_moved(moving, make_prepared):
    plain, moved = moving
    prepared = make_prepared(plain)
    columns = label_rows(moved, prepared, moved.predict(prepared)).columns
    assert "teff_network" in columns
    assert "logg_network" not in columns
    without = label_rows(plain, prepared, plain.predict(prepared)).columns
    assert not [name for name in without if name.endswith("_network")]


def test_what_models_disagree_by_depends_on_the_star():
    away = np.array([[0.0, 0.0], [1.0, -2.0], [50.0, 0.0]])
    calibration = {
        "systematic": [60.0, 0.1],
        "systematic_shape": [[0.0, 0.3, 0.0, 0.1, 0.2], [-3.0, 0.0, 0.0, 0.0, 0.0]],
    }
    variance = systematic_variance(calibration, 0.0 * away, away)
    ratio = np.exp(np.minimum([0.0, 0.3 + 0.1 + 0.8, 0.9 + 0.9], 1.2))  # 3 at most
    np.testing.assert_allclose(variance[:, 0], 60.0**2 * (1.0 + ratio**2))
    np.testing.assert_allclose(np.sqrt(variance[:, 1]), 0.1, rtol=2e-3)
    plain = systematic_variance({"systematic": [60.0, 0.1]}, 0.0 * away, away)
    np.testing.assert_allclose(plain, np.tile([3600.0, 0.01], (3, 1)))


def test_missing_pixels_weigh_more_and_more_up_to_a_limit():
    weight = weigh_missing(np.linspace(0.0, 1.0, 101))
    assert weight[0] == 0.0
    assert weight[10] == pytest.approx(0.5)
    assert np.all(np.diff(weight) > 0)
    assert weight[-1] < 1.0


@pytest.mark.parametrize("key", ["giants_shift", "systematic_shape"])
def test_rows_of_another_length_are_refused(save, label_config, key):
    network = StarNet(**label_config["arguments"])
    config = {**label_config, "calibration": {key: [[1.0, 2.0, 3.0]] * 2}}
    with pytest.raises(WeightsError, match=key):
        save(network, config)


def test_the_bundled_weights_move_giants_and_leave_dwarfs_and_iron():
    model = load_model("apogee_starnet_v1", device="cpu")
    dwarf, giant = [5800.0, 4.4, 0.0, 0.0, 5.0], [4750.0, 2.4, -0.2, 0.1, 3.0]
    moved, _ = move_giants(
        model.config, np.array([dwarf, giant]), model.offsets, model.scales
    )
    np.testing.assert_array_equal(moved[0], dwarf)
    np.testing.assert_array_equal(moved[1, [2, 4]], [giant[2], giant[4]])
    assert 50.0 < moved[1, 0] - giant[0] < 120.0
    assert -0.12 < moved[1, 3] - giant[3] < -0.03
