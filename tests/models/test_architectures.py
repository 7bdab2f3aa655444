# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The two architectures against the published layer tables."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate

from astro_latent.exceptions import UnknownNameError
from astro_latent.models.architectures.disentangled_autoencoder import (
    DisentangledAutoencoder,
    default_channels,
)
from astro_latent.models.architectures.starnet import StarNet


def count(*layers):
    return sum(p.numel() for layer in layers for p in layer.parameters())


def test_starnet_has_the_parameters_of_fabbro_2018():
    network = StarNet()
    assert [count(layer) for layer in network.convolutions] == [36, 528]
    assert [count(layer) for layer in network.dense] == [7_385_344, 32_896]
    assert count(network.output) == 387
    assert count(network) == 7_419_191


def test_starnet_layer_shapes():
    network = StarNet()
    pooled = network.convolve(torch.ones(2, 7214))
    assert pooled.shape == (2, 1803 * 16)
    assert network.features(torch.ones(2, 7214)).shape == (2, 128)
    assert network(torch.ones(2, 7214)).shape == (2, 3)


def test_starnet_pads_three_left_and_four_right_like_keras(rng):
    network = StarNet(n_pixels=40, n_filters=(1,), pool_length=1, n_hidden=())
    flux = rng.normal(size=40)
    filter_ = network.convolutions[0].weight.detach().numpy()[0, 0].astype(float)
    expected = correlate(np.pad(flux, (3, 4)), filter_, mode="valid")
    found = network.convolve(torch.tensor(flux, dtype=torch.float32)).detach().numpy()
    assert found == pytest.approx(np.maximum(expected, 0), abs=1e-5)


def test_starnet_heteroscedastic_head_starts_with_unit_variance():
    network = StarNet(n_pixels=64, heteroscedastic=True)
    mean, log_variance = network(torch.rand(3, 64))
    assert mean.shape == log_variance.shape == (3, 3)
    assert torch.count_nonzero(log_variance) == 0


def test_starnet_is_initialised_after_he(rng):
    torch.manual_seed(0)
    weight = StarNet().dense[0].weight
    assert weight.std().item() == pytest.approx((2 / 28848) ** 0.5, rel=0.01)


def test_starnet_normalises_with_its_buffers(rng):
    network = StarNet(n_pixels=64)
    flux = torch.rand(2, 64)
    plain = network(flux)
    network.pixel_mean.fill_(0.3)
    network.pixel_scale.fill_(2.0)
    torch.testing.assert_close(network(flux * 2 + 0.3), plain, rtol=1e-4, atol=1e-4)


def test_masked_pixels_carry_nothing_not_even_nan():
    network = StarNet(n_pixels=64)
    flux, valid = torch.rand(2, 64), torch.rand(2, 64) > 0.3
    poisoned = torch.where(valid, flux, torch.nan).requires_grad_()
    result = network(poisoned, valid)
    assert torch.equal(result, network(flux, valid))
    result.sum().backward()
    assert torch.count_nonzero(poisoned.grad[~valid]) == 0
    assert torch.isfinite(poisoned.grad).all()


def test_starnet_works_under_vmap_and_jacrev():
    network = StarNet(n_pixels=64)
    flux = torch.rand(3, 64)
    batched = torch.func.vmap(torch.func.jacrev(network))(flux)
    assert batched.shape == (3, 3, 64)
    single = torch.autograd.functional.jacobian(network, flux[1])
    torch.testing.assert_close(batched[1], single)


def test_starnet_refuses_spectra_shorter_than_the_pool():
    with pytest.raises(ValueError, match="n_pixels=3 is less than pool_length=4"):
        StarNet(n_pixels=3)


def test_autoencoder_has_the_parameters_of_sedaghat_2021():
    network = DisentangledAutoencoder()
    assert count(network.down) == 1_443_904
    assert count(network.mean, network.log_variance) == 2_621_696
    assert count(network.expand) == 1_320_960
    assert count(network.up, network.smooth) == 1_660_437
    assert count(network) == 7_046_997


def test_autoencoder_layer_table():
    network = DisentangledAutoencoder()
    encoder = [
        (layer.in_channels, layer.out_channels, layer.kernel_size[1], layer.stride[1])
        for layer in network.down
    ]
    assert encoder == [
        (1, 16, 7, 2), (16, 16, 5, 2), (16, 16, 5, 2), (16, 32, 3, 2), (32, 32, 3, 2),
        (32, 32, 3, 2), (32, 64, 3, 2), (64, 64, 3, 2), (64, 64, 3, 2), (64, 128, 3, 2),
        (128, 128, 3, 2), (128, 128, 3, 2), (128, 256, 3, 2), (256, 512, 3, 2),
        (512, 512, 3, 1),
    ]  # fmt: skip
    decoder = [(layer.out_channels, layer.kernel_size[1]) for layer in network.up]
    widths = [512, 256, 128, 128, 128, 64, 64, 64, 32, 32, 32, 16, 16, 16, 1]
    assert decoder == [(512, 3)] + [(width, 4) for width in widths[1:]]


@settings(max_examples=10, deadline=None)
@given(base=st.integers(20, 39), depth=st.integers(1, 5), n_latent=st.integers(1, 9))
def test_autoencoder_keeps_any_length(base, depth, n_latent):
    n_pixels = base * 2**depth
    network = DisentangledAutoencoder(n_pixels=n_pixels, n_latent=n_latent).eval()
    flux, mean, log_variance = network(torch.rand(2, n_pixels))
    assert flux.shape == (2, n_pixels)
    assert mean.shape == log_variance.shape == (2, n_latent)


def test_autoencoder_equals_one_dimensional_layers():
    """Height-one, channels-last convolutions are the published one-dimensional ones."""
    functional = torch.nn.functional
    network = DisentangledAutoencoder(n_pixels=160, n_latent=4)
    flux = torch.rand(2, 160)
    signal = flux[:, None]
    for layer in network.down:
        signal = functional.conv1d(
            signal, layer.weight[:, :, 0], layer.bias, layer.stride[1], layer.padding[1]
        )
        signal = functional.leaky_relu(signal, 0.1)
    mean = network.mean(signal.flatten(1))
    torch.testing.assert_close(network.encode(flux)[0], mean)
    signal = network.expand(mean).reshape(2, -1, 20)
    for layer in network.up:
        signal = functional.conv_transpose1d(
            signal, layer.weight[:, :, 0], layer.bias, layer.stride[1], layer.padding[1]
        )
        signal = functional.leaky_relu(signal, 0.1)
    smooth = network.smooth
    signal = functional.conv1d(signal, smooth.weight[:, :, 0], smooth.bias, padding=1)
    torch.testing.assert_close(network.decode(mean), signal[:, 0])


@settings(max_examples=8, deadline=None)
@given(ends=st.lists(st.integers(0, 640), min_size=2, max_size=2, unique=True))
def test_autoencoder_decodes_a_part_as_the_whole(ends):
    torch.manual_seed(1)
    network = DisentangledAutoencoder(n_pixels=640, n_latent=4).eval()
    first, last = sorted(ends)
    latent = torch.randn(2, 4)
    with torch.no_grad():
        part, whole = network.decode_part(latent, first, last), network.decode(latent)
    torch.testing.assert_close(part, whole[:, first:last])


def test_autoencoder_signal_neither_dies_nor_explodes():
    torch.manual_seed(0)
    network = DisentangledAutoencoder(n_pixels=20 * 2**8, n_latent=16).eval()
    flux, mean, _ = network(torch.randn(8, 20 * 2**8))
    assert 0.1 < mean.std() < 5
    assert 0.02 < flux.std() < 5


def test_autoencoder_samples_one_draw_per_row_with_half_the_log_variance():
    network = DisentangledAutoencoder(n_pixels=160, n_latent=4)
    mean, log_variance = torch.zeros(20_000, 4), torch.full((20_000, 4), 2.0)
    generator = torch.Generator().manual_seed(1)
    draws = network.sample(mean, log_variance, generator=generator)
    assert draws.std().item() == pytest.approx(np.e, rel=0.02)
    assert len(draws[:, 0].unique()) > 19_000


def test_autoencoder_is_deterministic_in_evaluation_only():
    network = DisentangledAutoencoder(n_pixels=160, n_latent=4)
    flux = torch.rand(2, 160)
    assert not torch.equal(network(flux)[0], network(flux)[0])
    network.eval()
    assert torch.equal(network(flux)[0], network(flux)[0])


def test_autoencoder_ignores_masked_pixels():
    network = DisentangledAutoencoder(n_pixels=160, n_latent=4)
    flux, valid = torch.rand(2, 160), torch.rand(2, 160) > 0.3
    poisoned = torch.where(valid, flux, torch.nan)
    assert torch.equal(
        network.encode(poisoned, valid)[0], network.encode(flux, valid)[0]
    )


def test_default_channels_halve_down_to_twenty_pixels():
    assert len(default_channels(327_680)) == 14
    assert default_channels(40) == (16,)
    assert default_channels(20 * 2**15)[-2:] == (512, 512)
    with pytest.raises(ValueError, match="n_pixels=7213 cannot be halved"):
        default_channels(7213)


def test_autoencoder_refuses_channels_that_do_not_fit():
    with pytest.raises(ValueError, match="n_pixels=100 cannot be halved 3 times"):
        DisentangledAutoencoder(n_pixels=100, channels=(8, 8, 8))


def test_starnet_of_another_activation_is_differentiated_alike():
    """The fast slopes hold for rectifiers only; others must not take them."""
    flux = torch.rand(3, 64)
    for activation, fast in (("relu", True), ("silu", False)):
        torch.manual_seed(1)
        network = StarNet(n_pixels=64, n_hidden=(8, 4), activation=activation).eval()
        assert network.slopes_pay is fast
        hidden = torch.nn.functional.linear(
            network.convolve(flux), network.dense[0].weight, network.dense[0].bias
        )
        for layer in network.dense[1:]:
            hidden = layer(getattr(torch.nn.functional, activation)(hidden))
        known = getattr(torch.nn.functional, activation)(hidden)
        torch.testing.assert_close(network.features(flux), known)


def test_starnet_drops_values_in_training_only():
    network = StarNet(n_pixels=64, n_hidden=(64, 32), dropout=0.5)
    flux = torch.rand(2, 64)
    assert not torch.equal(network.features(flux), network.features(flux))
    network.eval()
    assert torch.equal(network.features(flux), network.features(flux))


@pytest.mark.parametrize(
    ("name", "gain"),
    [("he_normal", 2.0), ("he_uniform", 2.0), ("glorot_normal", 2 * 64 / (64 + 256))],
)
def test_starnet_is_drawn_as_asked(name, gain):
    torch.manual_seed(0)
    network = StarNet(n_pixels=16, n_hidden=(256,), initialisation=name)
    assert network.dense[0].weight.var().item() * 64 == pytest.approx(gain, rel=0.05)


def test_starnet_refuses_names_that_do_not_exist():
    with pytest.raises(UnknownNameError, match="no activation is called 'rely'"):
        StarNet(activation="rely")
    with pytest.raises(UnknownNameError, match="no initialisation"):
        StarNet(initialisation="zeros")
