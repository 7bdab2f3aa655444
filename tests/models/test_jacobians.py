# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The Jacobian by the chain rule is that of backward passes, and takes none of them."""

import numpy as np
import pytest
import torch

from astro_latent.models import load_model
from astro_latent.models.architectures.starnet import StarNet
from astro_latent.models.inference import Runner, iter_jacobians

SHAPES = {
    "published": {},
    "one convolution": {"n_filters": (5,), "n_hidden": (24,)},
    "three convolutions": {"n_filters": (3, 4, 6), "filter_length": 5, "n_labels": 1},
    "odd pools": {"pool_length": 3, "filter_length": 6, "n_hidden": (24, 16, 8)},
    "two outputs": {"heteroscedastic": True},
    "covariance": {"posterior": "covariance"},
}


@pytest.fixture(params=SHAPES)
def network(request):
    torch.manual_seed(3)
    made = StarNet(**{"n_pixels": 323, "n_labels": 3, **SHAPES[request.param]})
    for layer in (*made.convolutions, *made.dense):
        torch.nn.init.normal_(layer.bias, std=0.1)
    made.pixel_mean.fill_(1.0)
    made.pixel_scale.fill_(0.2)
    return made.eval().requires_grad_(False)


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(4)
    flux = 1.0 + 0.2 * torch.randn(21, 323, generator=generator)
    valid = torch.rand(21, 323, generator=generator) < 0.9
    flux[~valid] = torch.nan
    return flux, valid, torch.full_like(flux, 0.04)


def differentiate(network, inputs, rows=slice(None), *, slopes=True):
    runner = Runner(torch.device("cpu"))
    inputs = [tensor[rows] for tensor in inputs]
    known = runner.slopes(network, *inputs[:2]) if slopes else None
    blocks = iter_jacobians(runner, [network], *inputs, slopes=[known])
    return torch.cat([jacobian for _, jacobian in blocks])


def test_the_chain_rule_agrees_with_backward_passes(network, inputs):
    found = differentiate(network, inputs)
    expected = differentiate(network, inputs, slopes=False)
    assert not found.transpose(0, 1)[:, ~inputs[1]].any()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * expected.std())


def test_of_equal_pixels_the_first_is_handed_on_as_in_backward_passes(network):
    flux = torch.ones(2, 323)
    flux[1, 100:] = 1.3  # a step, and pools of equal pixels on both sides
    constant = flux, torch.ones(2, 323) > 0, torch.full_like(flux, 0.04)
    found = differentiate(network, constant)
    expected = differentiate(network, constant, slopes=False)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * expected.std())


def test_covariances_agree_to_1e_5_of_sigma(network, inputs):
    sigma = inputs[2].sqrt()[:, None]
    found, expected = (
        torch.bmm(weighted, weighted.mT)
        for weighted in (
            differentiate(network, inputs) * sigma,
            differentiate(network, inputs, slopes=False) * sigma,
        )
    )
    scale = expected.diagonal(dim1=1, dim2=2).sqrt()
    difference = (found - expected).abs() / (scale[:, :, None] * scale[:, None])
    assert difference.max() < 1e-5


def test_the_forward_pass_of_the_slopes_is_that_of_the_network(network, inputs):
    runner = Runner(torch.device("cpu"))
    slopes = runner.slopes(network, *inputs[:2])
    assert len(slopes) == len(inputs[0])
    for mine, its in zip(
        runner.labels(network, *inputs, slopes),
        runner.labels(network, *inputs),
        strict=True,
    ):
        np.testing.assert_array_equal(mine, its)


def test_a_spectrum_has_the_same_jacobian_alone(network, inputs):
    together = differentiate(network, inputs)
    for row in (0, 15, 16, 20):
        alone = differentiate(network, inputs, slice(row, row + 1))
        torch.testing.assert_close(alone[0], together[row], rtol=1e-6, atol=1e-7)


def test_a_spectrum_has_the_same_covariance_alone_to_the_bit(make_prepared):
    """Rows of 7,214 pixels begin anywhere in memory, where they are one of many."""
    model = load_model("apogee_starnet_v1", device="cpu")
    prepared = make_prepared(model, 9)
    together = model.predict(prepared).covariance
    for row in range(9):
        alone = model.predict(prepared[row : row + 1]).covariance
        np.testing.assert_array_equal(alone[0], together[row])


@pytest.mark.parametrize("activation", ["relu", "silu"])
def test_activations_before_and_after_pooling_are_the_same(activation, inputs):
    network = StarNet(n_pixels=323, activation=activation).eval()
    flux = torch.where(inputs[1], inputs[0], 0.0)
    signal = flux[:, None]
    for layer in network.convolutions:
        signal = network.activate(layer(torch.nn.functional.pad(signal, (3, 4))))
    expected = torch.nn.functional.max_pool1d(signal, 4).flatten(1)
    assert torch.equal(network.convolve(flux), expected)


def test_backward_passes_end_at_the_first_hidden_layer(
    label_model, make_prepared, monkeypatch
):
    seen = []
    grad = torch.autograd.grad

    def counted(outputs, inputs, **options):
        seen.append(tuple(inputs.shape))
        return grad(outputs, inputs, **options)

    monkeypatch.setattr(torch.autograd, "grad", counted)
    label_model.predict(make_prepared(label_model, 9))
    # 9 rows are 16 of the dense layers, 24 units wide; two labels are two passes
    assert seen == [(16, 24)] * 2


def test_one_spectrum_is_convolved_once(label_model, make_prepared, monkeypatch):
    rows = []
    network = label_model.members[0]
    network.convolutions[0].register_forward_hook(
        lambda layer, inputs, output: rows.append(len(output))
    )
    label_model.predict(make_prepared(label_model, 1))
    assert rows == [1]


def test_the_first_dense_layer_sees_a_spectrum_once(label_model, make_prepared):
    rows = []
    label_model.members[0].dense[0].register_forward_hook(
        lambda layer, inputs, output: rows.append(len(output))
    )
    label_model.predict(make_prepared(label_model, 9))
    assert rows == [16]  # a multiple of eight


@pytest.mark.parametrize("inside", [False, True])
def test_predict_in_inference_mode_as_outside(label_folder, make_prepared, inside):
    expected = load_model(label_folder, device="cpu")
    prepared = make_prepared(expected)
    with torch.inference_mode(inside):
        model = load_model(label_folder, device="cpu")
    with torch.inference_mode():
        found = model.predict(prepared)
        jacobian = model.jacobian(prepared)
    np.testing.assert_array_equal(
        found.error_flux, expected.predict(prepared).error_flux
    )
    np.testing.assert_array_equal(jacobian, expected.jacobian(prepared))


def test_long_spectra_are_differentiated_one_by_one_and_few_are_in_memory(
    label_model, make_prepared, monkeypatch
):
    from astro_latent.models import inference

    label_model.members[0].slopes_pay = False
    prepared = make_prepared(label_model, 20)
    expected = label_model.predict(prepared)
    monkeypatch.setattr(inference, "LONG_SPECTRUM", 320)
    copied, convolved = [], []
    tensor = label_model.runner.tensor
    monkeypatch.setattr(
        label_model.runner,
        "tensor",
        lambda array: copied.append(len(array)) or tensor(array),
    )
    label_model.members[0].convolutions[0].register_forward_hook(
        lambda layer, inputs, output: convolved.append(len(output))
    )
    found = label_model.predict(prepared)
    assert max(copied) == 1
    assert convolved == [1] * 40  # for the labels, and for their derivatives
    np.testing.assert_allclose(found.error_flux, expected.error_flux, rtol=1e-5)
