# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Labels and their errors: analytic truths, Monte Carlo, ensembles, flags."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from astro_latent.exceptions import GridMismatchError
from astro_latent.models import ARCHITECTURES, load_model, save_weights
from astro_latent.models.architectures.starnet import StarNet
from astro_latent.models.labels import mix_members
from astro_latent.preparation import Recipe, get_grid
from astro_latent.utils.quality import QualityFlag

N_PIXELS = 320


class LinearNetwork(nn.Module):
    """Labels that are linear in the flux: every error is known on paper."""

    def __init__(self):
        super().__init__()
        self.n_pixels, self.n_outputs = N_PIXELS, 2
        self.matrix = nn.Parameter(torch.zeros(2, N_PIXELS))

    def features(self, flux, valid=None):
        return torch.where(valid, flux, torch.zeros_like(flux))

    def head(self, features):
        return features @ self.matrix.T

    def forward(self, flux, valid=None):
        return self.head(self.features(flux, valid))


@pytest.fixture
def linear(save, label_config, rng, monkeypatch):
    table = {**ARCHITECTURES._targets(), "linear": "unused"}
    monkeypatch.setattr(ARCHITECTURES, "_table", table)
    monkeypatch.setattr(
        type(ARCHITECTURES), "__getitem__", lambda self, name: LinearNetwork
    )
    network = LinearNetwork()
    network.matrix.data = torch.tensor(rng.normal(size=(2, N_PIXELS)).astype("f4"))
    return save(network, {**label_config, "architecture": "linear", "arguments": {}})


def test_errors_of_a_linear_model_are_those_on_paper(linear, make_prepared, rng):
    variance = rng.uniform(1e-4, 1e-2, size=(5, N_PIXELS)).astype("f4")
    prepared = make_prepared(linear, variance=variance)
    result = linear.predict(prepared)
    matrix = linear.scales[:, None] * linear.members[0].matrix.numpy().astype(float)
    for row in range(5):
        good = prepared.valid[row]
        used = matrix[:, good]
        expected = used @ np.diag(variance[row, good]) @ used.T
        assert result.covariance[row] == pytest.approx(expected, rel=1e-4)
        sigma = np.sqrt(np.diag(expected))
        assert result.error_flux[row] == pytest.approx(sigma, rel=1e-5)
        assert result.error[row] == pytest.approx(sigma, rel=1e-5)
        values = linear.offsets + used @ prepared.flux[row, good]
        assert result.values[row] == pytest.approx(values, rel=1e-5)
    assert np.isnan(result.error_model).all()


def test_jacobian_is_in_label_units_and_zero_where_masked(linear, make_prepared):
    prepared = make_prepared(linear)
    jacobian = linear.jacobian(prepared)
    matrix = linear.scales[:, None] * linear.members[0].matrix.numpy()
    expected = np.where(prepared.valid[:, None], matrix, 0.0)
    assert jacobian == pytest.approx(expected, rel=1e-5)


def test_errors_of_starnet_agree_with_monte_carlo(label_model, make_prepared, rng):
    prepared = make_prepared(label_model, count=1)
    sigma = 0.002
    prepared = replace(prepared, variance=np.full_like(prepared.variance, sigma**2))
    result = label_model.predict(prepared)
    draws = 1500
    noisy = make_prepared(
        label_model,
        count=draws,
        flux=(prepared.flux + rng.normal(0, sigma, (draws, N_PIXELS))).astype("f4"),
        valid=np.repeat(prepared.valid, draws, axis=0),
    )
    values = label_model.predict(noisy, flux_errors=False).values.astype(float)
    scatter = np.cov(values.T)
    assert result.covariance[0] == pytest.approx(scatter, rel=0.15)


def test_jacobian_agrees_with_finite_differences(label_model, make_prepared):
    prepared = make_prepared(label_model, count=1)
    jacobian = label_model.jacobian(prepared)[0].astype(float)
    direction = np.sign(jacobian[0]).astype("f4")
    step = 1e-3
    moved = [
        label_model.predict(
            replace(prepared, flux=prepared.flux + np.float32(sign * step) * direction)
        ).values[0]
        for sign in (1, -1)
    ]
    slope = (moved[0].astype(float) - moved[1]) / (2 * step)
    assert slope == pytest.approx(jacobian @ direction, rel=0.05)


def test_one_spectrum_equals_the_same_in_any_batch(label_model, make_prepared):
    prepared = make_prepared(label_model, count=150)
    together = label_model.predict(prepared)
    for rows in (slice(0, 1), slice(149, 150), slice(60, 83)):
        part = label_model.predict(prepared[rows])
        for name in vars(part).keys() - {"interval_95", "network_values"}:
            found, expected = getattr(part, name), getattr(together, name)[rows]
            np.testing.assert_allclose(found, expected, rtol=1e-6, err_msg=name)


def test_batch_invariance_holds_at_full_size(save, label_config, make_prepared):
    torch.manual_seed(3)
    config = {**label_config, "arguments": {"n_labels": 2}}
    config["grid"] = {"name": "apogee_7214"}
    model = save(StarNet(n_labels=2), config)
    prepared = make_prepared(model, count=37)
    together = model.predict(prepared)
    alone = model.predict(prepared[20:21])
    np.testing.assert_allclose(alone.values[0], together.values[20], rtol=1e-6)
    np.testing.assert_allclose(alone.error_flux[0], together.error_flux[20], rtol=1e-6)
    np.testing.assert_allclose(alone.covariance[0], together.covariance[20], rtol=1e-5)


def test_masked_pixels_change_nothing(label_model, make_prepared, rng):
    prepared = make_prepared(label_model)
    noise = rng.normal(size=prepared.flux.shape).astype("f4")
    poisoned = replace(
        prepared,
        flux=np.where(prepared.valid, prepared.flux, noise * np.float32(np.nan)),
        variance=np.where(prepared.valid, prepared.variance, np.float32(np.inf)),
    )
    one, other = label_model.predict(prepared), label_model.predict(poisoned)
    for name in vars(one):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)


def test_unknown_variance_gives_no_flux_error_for_that_row(label_model, make_prepared):
    prepared = make_prepared(label_model)
    variance = prepared.variance.copy()
    variance[1, np.flatnonzero(prepared.valid[1])[7]] = np.nan
    result = label_model.predict(replace(prepared, variance=variance))
    assert np.isfinite(result.values).all()
    assert np.isnan(result.error_flux[1]).all()
    assert np.isnan(result.error[1]).all()  # this model has nothing else to go by
    assert np.isfinite(result.error_flux[[0, 2, 3, 4]]).all()


def test_fatal_rows_are_nan_and_the_others_stay(label_model, make_prepared):
    prepared = make_prepared(label_model)
    flags = prepared.flags.copy()
    flags[2] = int(QualityFlag.UNREADABLE)
    result = label_model.predict(replace(prepared, flags=flags))
    assert np.isnan(result.values[2]).all()
    assert np.isnan(result.covariance[2]).all()
    assert result.flags[2] == QualityFlag.UNREADABLE
    untouched = label_model.predict(prepared)
    rest = [0, 1, 3, 4]
    np.testing.assert_array_equal(result.values[rest], untouched.values[rest])


def test_empty_batch_gives_empty_results(label_model, make_prepared):
    result = label_model.predict(make_prepared(label_model)[:0])
    assert result.values.shape == (0, 2)
    assert result.covariance.shape == (0, 2, 2)


def test_calibration_scales_and_floors_the_total(save, label_config, make_prepared):
    torch.manual_seed(1)
    network = StarNet(**label_config["arguments"])
    calibration = {"scale": [2.0, 3.0], "floor": [20.0, 0.05]}
    model = save(network, {**label_config, "calibration": calibration})
    result = model.predict(make_prepared(model))
    expected = np.hypot(result.error_flux * [2.0, 3.0], [20.0, 0.05])
    assert result.error == pytest.approx(expected, rel=1e-5)
    diagonal = np.diagonal(result.covariance, axis1=1, axis2=2)
    assert np.sqrt(diagonal) == pytest.approx(result.error, rel=1e-6)


def test_flux_scale_and_systematic_part(save, label_config, make_prepared):
    arguments = {**label_config["arguments"], "heteroscedastic": True}
    torch.manual_seed(1)
    network = StarNet(**arguments)
    plain = save(network, {**label_config, "arguments": arguments})
    before = plain.predict(make_prepared(plain))
    calibration = {"flux_scale": [0.5, 0.8], "systematic": [100.0, 0.2]}
    config = {**label_config, "arguments": arguments, "calibration": calibration}
    folder = plain.config.source.parent.parent / "systematic"
    model = load_model(save_weights(folder, network, config), device="cpu")
    after = model.predict(make_prepared(model))
    np.testing.assert_allclose(
        after.error_flux, before.error_flux * [0.5, 0.8], rtol=1e-5
    )
    np.testing.assert_array_equal(before.error_statistical, before.error)
    statistical = after.error_statistical
    assert np.all(statistical <= before.error * (1 + 1e-4))
    assert np.all(statistical >= after.error_flux * (1 - 1e-4))
    total = np.hypot(statistical, [100.0, 0.2])
    np.testing.assert_allclose(total, after.error, rtol=1e-5)
    parts = np.hypot(after.error_flux, after.error_model)
    np.testing.assert_allclose(parts, after.error, rtol=1e-5)
    quick = model.predict(make_prepared(model), flux_errors=False)
    assert np.all(quick.error >= [100.0, 0.2])


def test_statistical_errors_grow_with_missing_stretches(
    save, label_config, make_prepared
):
    arguments = {**label_config["arguments"], "heteroscedastic": True}
    torch.manual_seed(1)
    network = StarNet(**arguments)
    torch.nn.init.zeros_(network.log_variance.weight)  # the same for any input
    calibration = {"missing": [2.0, 0.5], "systematic": [100.0, 0.1]}
    config = {**label_config, "arguments": arguments, "calibration": calibration}
    model = save(network, config)
    first, last = model.grid.segments[0]
    prepared = make_prepared(model, count=3)
    valid = np.zeros_like(prepared.valid)
    for a, b in model.grid.segments:
        valid[:, a:b] = True
    valid[1, first : first + (last - first) // 2] = False  # a quarter of all pixels
    valid[2, first:last] = False  # a whole segment: not more than without
    result = model.predict(replace(prepared, valid=valid), flux_errors=False)
    statistical = result.error_statistical
    share = np.mean([b - a for a, b in model.grid.segments])
    share = ((last - first) // 2) / (len(model.grid.segments) * share)
    weight = share**2 / (share**2 + 0.01)  # half of it where a tenth is missing
    expected = statistical[0] * (1.0 + np.array([2.0, 0.5]) * weight)
    np.testing.assert_allclose(statistical[1], expected, rtol=1e-4)
    np.testing.assert_allclose(statistical[2], statistical[0], rtol=1e-4)


def test_predicted_variance_is_in_squared_label_units(
    save, label_config, make_prepared
):
    arguments = {**label_config["arguments"], "heteroscedastic": True}
    network = StarNet(**arguments)
    network.log_variance.bias.data = torch.tensor([np.log(0.25), np.log(0.01)])
    network.log_variance.bias.data = network.log_variance.bias.data.float()
    model = save(network, {**label_config, "arguments": arguments})
    prepared = make_prepared(model)
    # where flux errors are small, the prediction is all there is
    quiet = replace(prepared, variance=np.full_like(prepared.variance, 1e-12))
    result = model.predict(quiet)
    assert result.error == pytest.approx(
        np.tile([400 * 0.5, 0.7 * 0.1], (5, 1)), rel=1e-5
    )
    parts = np.hypot(result.error_flux, result.error_model)
    assert result.error == pytest.approx(parts, rel=1e-5)
    unknown = replace(prepared, variance=np.full_like(prepared.variance, np.nan))
    blind = model.predict(unknown)
    assert blind.error == pytest.approx(result.error, rel=1e-5)
    assert np.isnan(blind.error_flux).all()


def test_total_is_never_less_than_the_flux_part(save, label_config, make_prepared):
    arguments = {**label_config["arguments"], "heteroscedastic": True}
    calibration = {"scale": [1e-3, 1e-3], "floor": [0.0, 0.0]}
    config = {**label_config, "arguments": arguments, "calibration": calibration}
    model = save(StarNet(**arguments), config)
    result = model.predict(make_prepared(model))
    np.testing.assert_allclose(result.error, result.error_flux, rtol=1e-5)
    np.testing.assert_allclose(result.error_model, 0.0, atol=1e-2 * result.error.max())
    diagonal = np.diagonal(result.covariance, axis1=1, axis2=2)
    assert np.sqrt(diagonal) == pytest.approx(result.error, rel=1e-6)
    assert np.linalg.eigvalsh(result.covariance.astype(float)).min() > 0


def test_mixture_of_an_ensemble_agrees_with_sampling(rng):
    means = [rng.normal(size=(1, 2)) * [100, 0.3] for _ in range(4)]
    variances = [rng.uniform(0.5, 1, (1, 2)) * [2500, 0.04] for _ in range(4)]
    mean, covariance = mix_members(means, variances)
    samples = np.concatenate(
        [
            rng.normal(m, np.sqrt(v), (100_000, 2))
            for m, v in zip(means, variances, strict=True)
        ]
    )
    assert mean[0] == pytest.approx(samples.mean(axis=0), abs=0.5)
    assert covariance[0] == pytest.approx(np.cov(samples.T), rel=0.05)


def test_ensemble_predicts_the_mean_and_the_spread(save, label_config, make_prepared):
    torch.manual_seed(5)
    networks = [StarNet(**label_config["arguments"]) for _ in range(3)]
    model = save(networks, label_config)
    assert len(model.members) == model.config.members == 3
    prepared = make_prepared(model)
    result = model.predict(prepared)
    flux, valid = torch.tensor(prepared.flux), torch.tensor(prepared.valid)
    with torch.no_grad():
        each = np.stack([net(flux, valid).numpy() for net in networks]).astype(float)
    each = model.offsets + model.scales * each
    assert result.values == pytest.approx(each.mean(axis=0), rel=1e-5)
    assert result.error_model == pytest.approx(each.std(axis=0), rel=1e-3)
    assert not np.allclose(result.covariance[:, 0, 1], 0)


def test_domain_score_is_the_whitened_distance(save, label_config, make_prepared):
    torch.manual_seed(1)
    network = StarNet(**label_config["arguments"])
    mean, whitening = np.arange(12.0), np.diag(np.linspace(0.1, 2, 12))
    config = {**label_config, "domain": {"feature_limit": 8.0}}
    model = save(network, config, domain_mean=mean, domain_whitening=whitening)
    prepared = make_prepared(model)
    result = model.predict(prepared)
    with torch.no_grad():
        features = network.features(
            torch.tensor(prepared.flux), torch.tensor(prepared.valid)
        ).numpy()
    expected = np.linalg.norm((features - mean) * np.diag(whitening), axis=1) / 8.0
    assert result.domain_score == pytest.approx(expected, rel=1e-5)
    unlike = (result.flags & QualityFlag.UNLIKE_TRAINING) != 0
    np.testing.assert_array_equal(unlike, expected > 1)


def test_flags_follow_the_stated_limits(save, label_config, make_prepared):
    torch.manual_seed(1)
    network = StarNet(**label_config["arguments"])
    model = save(network, label_config)
    result = model.predict(make_prepared(model))
    teff, error = np.sort(result.values[:, 0]), np.sort(result.error[:, 1])
    outputs = label_config["outputs"]
    outputs[0]["domain"] = [float(teff[1] + teff[2]) / 2, 1e6]
    outputs[1]["max_error"] = float(error[2] + error[3]) / 2
    config = {**label_config, "domain": {"snr": [50.0, 1000.0]}}
    limited = save(network, config, overwrite=True)
    prepared = make_prepared(limited)
    observations = [
        replace(observation, snr=snr)
        for observation, snr in zip(
            prepared.observations, (10, 49, 51, np.nan, 5000), strict=True
        )
    ]
    flags = limited.predict(replace(prepared, observations=observations)).flags

    def marked(bit):
        return (flags & bit) != 0

    outside = result.values[:, 0] < outputs[0]["domain"][0]
    np.testing.assert_array_equal(marked(QualityFlag.LABEL_OUT_OF_DOMAIN), outside)
    large = result.error[:, 1] > outputs[1]["max_error"]
    np.testing.assert_array_equal(marked(QualityFlag.LARGE_ERROR), large)
    assert outside.sum() == large.sum() == 2
    assert marked(QualityFlag.LOW_SNR).tolist() == [True, True, False, False, False]
    assert not marked(QualityFlag.UNLIKE_TRAINING).any()


def test_other_grid_or_recipe_is_refused(label_model, make_prepared):
    prepared = make_prepared(label_model)
    with pytest.raises(GridMismatchError, match="'apogee_7214' with 7214 pixels"):
        label_model.predict(replace(prepared, grid=get_grid("apogee_7214")))
    other = Recipe.from_dict(
        {"steps": [{"step": "resample"}, {"step": "divide_by_median"}]}
    )
    with pytest.raises(ValueError, match="prepared by another recipe"):
        label_model.predict(replace(prepared, recipe=other))


def test_grid_may_have_another_name(label_model, make_prepared):
    prepared = make_prepared(label_model)
    renamed = replace(prepared, grid=replace(prepared.grid, name="same thing"))
    assert len(label_model.predict(renamed).values) == 5


def test_label_model_says_what_it_cannot(label_model, make_prepared):
    with pytest.raises(
        TypeError, match="cannot encode; it has predict, jacobian, sample"
    ):
        label_model.encode(make_prepared(label_model))


def test_results_are_float32_and_leave_no_gradient(label_model, make_prepared):
    result = label_model.predict(make_prepared(label_model))
    kinds = {
        name: value.dtype for name, value in vars(result).items() if value is not None
    }
    assert kinds.pop("flags") == np.int64
    assert set(kinds.values()) == {np.dtype("f4")}
    assert not any(p.requires_grad for p in label_model.members[0].parameters())
    assert not label_model.members[0].training
