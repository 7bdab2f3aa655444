# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Derivatives by joined pixels are those of backward passes to the flux."""

import numpy as np
import pytest
import torch

from astro_latent.models import labels
from astro_latent.models.architectures import AlignedParameters
from astro_latent.models.inference import Runner, iter_jacobians

N_PIXELS = 327_680


@pytest.fixture(scope="module")
def network():
    """Random lines as template, and components that are orthonormal in the blue."""
    torch.manual_seed(5)
    made = AlignedParameters(n_labels=2, encoder={"step": 15.0, "n_components": 4})
    star = made.encoder.star
    lines = -torch.rand(made.encoder.grid.n) * (torch.rand(made.encoder.grid.n) < 0.1)
    star.template.copy_(lines)
    star.mean.copy_(lines)
    star.basis[:, made.encoder.grid.blue] = torch.linalg.qr(
        torch.randn(made.encoder.grid.n_blue, 4)
    )[0].T
    return made.double().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def inputs(network):
    """Spectra with lines, one whole, one with gaps."""
    grid = network.encoder.grid
    rest = 1.0 + network.encoder.star.template
    flux = grid.to_grid(rest.repeat_interleave(2)[None].expand(2, -1)).clone()
    generator = torch.Generator().manual_seed(6)
    flux += 0.05 * torch.randn(2, N_PIXELS, generator=generator)
    valid = grid.valid.repeat(2, 1)
    valid[1] &= torch.rand(N_PIXELS, generator=generator) < 0.9
    valid[1, 90_000:100_000] = False
    variance = torch.rand(2, N_PIXELS, generator=generator, dtype=flux.dtype)
    flux[~valid] = torch.nan
    return flux, valid, variance


@pytest.fixture(scope="module")
def known(network, inputs):
    return Runner(torch.device("cpu")).slopes(network, *inputs[:2])


def differentiate(network, inputs, slopes):
    runner = Runner(torch.device("cpu"))
    blocks = iter_jacobians(runner, [network], *inputs, slopes=[slopes])
    return torch.cat([jacobian for _, jacobian in blocks])


def test_jacobians_agree_with_backward_passes(network, inputs, known):
    found = differentiate(network, inputs, known)
    expected = differentiate(network, inputs, None)
    assert expected.abs().amax(2).min() > 0
    assert not found.transpose(0, 1)[:, ~inputs[1]].any()
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-9 * expected.max())


def test_covariances_agree_with_those_by_every_pixel(network, inputs, known):
    jacobian = differentiate(network, inputs, None)
    seen = torch.where(inputs[1], inputs[2], 0.0)
    expected = (jacobian * seen[:, None]) @ jacobian.mT
    found = torch.stack(
        [slope.covariance(row) for slope, row in zip(known, inputs[2], strict=True)]
    )
    scale = expected.diagonal(dim1=1, dim2=2).sqrt()
    difference = (found - expected).abs() / (scale[:, :, None] * scale[:, None])
    assert difference.max() < 1e-6


def test_features_are_those_of_the_network(network, inputs, known):
    for row, slope in enumerate(known):
        alone = [tensor[row : row + 1] for tensor in inputs[:2]]
        assert torch.equal(slope.features, network.features(*alone)[0])


def test_neighbouring_integrals_share_one_pixel(network):
    grid = network.encoder.grid
    generator = torch.Generator().manual_seed(7)
    variance = torch.rand(1, N_PIXELS, generator=generator, dtype=torch.double)
    own, shared = grid.join_variance(variance)
    for pixel in (0, 1, 777, grid.n // 2):
        unit = torch.zeros(3, grid.n, dtype=torch.double)
        unit[range(3), range(pixel, pixel + 3)] = 1.0
        parts = grid.separate(unit)
        expected = (parts * variance) @ parts.T
        assert float(own[0, pixel]) == pytest.approx(float(expected[0, 0]))
        assert float(shared[0, pixel]) == pytest.approx(float(expected[0, 1]), abs=1e-7)
        assert expected[0, 2] == 0


def test_prediction_differentiates_one_spectrum_at_a_time_and_by_no_pixel(monkeypatch):
    from astro_latent import get_survey, load_model, prepare_spectra

    model = load_model("harps_parameters_v1", device="cpu")
    table = get_survey("sample").table()
    paths = [str(row["path"]) for row in table if row["survey"] == "harps"]
    prepared = prepare_spectra(paths, model.grid, model.recipe)
    copied, sizes = [], []
    tensor, grad = model.runner.tensor, torch.autograd.grad

    def counted(outputs, inputs, *args, **options):
        found = grad(outputs, inputs, *args, **options)
        sizes.extend(part.shape[-1] for part in found)
        return found

    monkeypatch.setattr(
        model.runner, "tensor", lambda a: copied.append(len(a)) or tensor(a)
    )
    monkeypatch.setattr(
        "astro_latent.models.architectures.aligned_parameters.grad", counted
    )
    monkeypatch.setattr(torch.autograd, "grad", None)  # the way of backward passes
    with_errors = model.predict(prepared)
    assert copied == [1, 1, 1] * len(prepared)
    assert max(sizes) == model.members[0].encoder.grid.n < N_PIXELS / 2
    monkeypatch.setattr(labels, "iter_jacobians", None)
    without = model.predict(prepared, flux_errors=False)
    np.testing.assert_array_equal(with_errors.values, without.values)
    assert np.isfinite(with_errors.error_flux).all()
