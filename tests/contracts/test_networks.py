# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What `LabelNetwork` and `LatentNetwork` promise, asked of every architecture."""

import inspect

import numpy as np
import pytest
import torch

from astro_latent.models import (
    ARCHITECTURES,
    LabelNetwork,
    LatentNetwork,
    SpectralModel,
    load_model,
    save_weights,
)
from astro_latent.models.check import reference_input
from astro_latent.models.networks import SplitNetwork, kind_of
from astro_latent.models.protocols import LabelModel, LatentModel, LoadedModel

ALIGNED = {"step": 50.0, "n_components": 4, "n_star": 3, "n_hidden": 8}
#: Arguments that make a network small; an architecture without is asked as it is.
TOYS = {
    "aligned_autoencoder": ALIGNED,
    "aligned_ensemble": {
        "n_labels": 3, "n_hidden": 8, "n_heads": 2, "step": 50.0, "n_components": 4,
    },
    "aligned_parameters": {"n_labels": 2, "n_hidden": 8, "encoder": ALIGNED},
    "corrected": {
        "architecture": "shallow_nn", "n_features": 12, "columns": [1, 0], "n_stars": 5,
        "arguments": {"n_pixels": 320, "n_labels": 2, "n_hidden": [24, 12]},
    },
    "disentangled_autoencoder": {"n_pixels": 320, "n_latent": 5},
    **{
        name: {"n_pixels": 320, "n_labels": 2, "n_hidden": hidden, "posterior": head}
        for name, hidden, head in (
            ("deep_cnn", [24, 12], "covariance"),
            ("deep_nn", [24, 12, 12], "gaussian"),
            ("shallow_cnn", [12], None),
            ("shallow_nn", [24, 12], "mixture"),
        )
    },
    "residual_mlp": {
        "n_pixels": 320, "n_labels": 2, "n_hidden": 16, "n_blocks": 1, "n_centres": 6,
        "views": [{"kind": kind, "n_components": 5, "width": 31}
                  for kind in ("flux", "log", "flat", "shape")],
    },
    "starnet": {
        "n_pixels": 320, "n_labels": 2, "n_hidden": [24, 12], "heteroscedastic": True,
    },
}  # fmt: skip
#: Parts that were trained before, for something else.
FINISHED = {"aligned_parameters": "encoder."}
GRIDS = {
    320: {
        "name": "toy", "spacing": "linear", "start": 5000.0, "step": 1.0,
        "n_pixels": 320, "medium": "air", "frame": "rest", "segments": [[4, 316]],
        "resolving_power": 5000.0,
    },
    7214: {"name": "apogee_7214"},
    327_680: {"name": "harps_327680"},
}  # fmt: skip


def fill(network):
    """Give buffers that are zero until they are fitted something to work with."""
    parameters = dict(network.named_parameters())
    for name, tensor in network.state_dict().items():
        if name not in parameters and not tensor.any():
            tensor.normal_(std=0.05)


@pytest.fixture(scope="module", params=list(ARCHITECTURES))
def architecture(request):
    return request.param


@pytest.fixture(scope="module")
def network(architecture):
    torch.manual_seed(5)
    made = ARCHITECTURES[architecture](**TOYS.get(architecture, {}))
    fill(made)
    return made.eval()


@pytest.fixture(scope="module")
def spectra(network):
    """Flux with lines, and which pixels count, of three spectra."""
    generator = torch.Generator().manual_seed(6)
    shape = (3, network.n_pixels)
    flux = 1.0 + 0.1 * torch.randn(shape, generator=generator)
    return flux, torch.rand(shape, generator=generator) > 0.1


@pytest.fixture(scope="module")
def model(network, architecture, tmp_path_factory):
    """The network as it comes back from a folder of weights."""
    kind = kind_of(network, architecture)
    outputs = [{"name": "latent", "n": network.n_outputs}]
    if kind == "label":
        outputs = [
            {"name": f"label_{i}", "unit": "K", "scale": 10.0, "offset": 5.0}
            for i in range(network.n_outputs)
        ]
    config = {
        "name": "toy_v1", "version": "1", "title": "Toy", "description": "Random.",
        "survey": "none", "architecture": architecture,
        "arguments": TOYS.get(architecture, {}), "grid": GRIDS[network.n_pixels],
        "recipe": {"steps": [{"step": "resample"}]}, "outputs": outputs,
        "licence": "BSD-3-Clause", "citation": "None.",
    }  # fmt: skip
    folder = save_weights(tmp_path_factory.mktemp("toy") / "toy_v1", network, config)
    return load_model(folder, device="cpu")


def results(network, flux, valid):
    """All that a network makes of spectra, as a tuple of tensors."""
    if isinstance(network, LatentNetwork):
        mean, log_variance = network.encode(flux, valid)
        return mean, log_variance, network.decode(mean)
    features = network.features(flux, valid)
    labels = network.head(features)
    return (features, *(labels if isinstance(labels, tuple) else (labels,)))


def members_of(protocol):
    """Names that a protocol asks for."""
    return sorted(
        name
        for base in protocol.__mro__
        for name in {*vars(base), *vars(base).get("__annotations__", {})}
        if not name.startswith("_") and base.__module__ == protocol.__module__
    )


def test_it_is_of_one_kind(network, architecture):
    kinds = [
        kind
        for kind, protocol in (("label", LabelNetwork), ("latent", LatentNetwork))
        if isinstance(network, protocol)
    ]
    assert kinds == [kind_of(network, architecture)]


def test_its_methods_take_what_the_protocol_says(network):
    kind = LatentNetwork if isinstance(network, LatentNetwork) else LabelNetwork
    for name in members_of(kind):
        wanted = getattr(kind, name, None)
        if callable(wanted):
            asked = list(inspect.signature(wanted).parameters)[1:]
            given = list(inspect.signature(getattr(network, name)).parameters)
            assert given[: len(asked)] == asked, name


def test_shapes_and_types(network, spectra):
    flux, valid = spectra
    with torch.no_grad():
        found = results(network, flux, valid)
    n_outputs, n_pixels = network.n_outputs, network.n_pixels
    if isinstance(network, LatentNetwork):
        assert [tuple(f.shape) for f in found] == [
            (3, n_outputs), (3, n_outputs), (3, n_pixels),
        ]  # fmt: skip
    else:
        assert found[0].ndim == 2
        assert tuple(found[1].shape) == (3, n_outputs)
        spreads = {(3, n_outputs), (3, n_outputs, n_outputs)}
        assert all(tuple(f.shape) in spreads for f in found[2:])
    for tensor in found:
        assert tensor.dtype == torch.float32
        assert torch.isfinite(tensor).all()


def test_all_pixels_count_if_none_is_said_not_to(network, spectra):
    flux, valid = spectra
    with torch.no_grad():
        silent = results(network, flux, None)
        spoken = results(network, flux, torch.ones_like(valid))
    for one, other in zip(silent, spoken, strict=True):
        torch.testing.assert_close(one, other)


def test_forward_of_a_label_network_is_head_of_features(network, spectra):
    if not isinstance(network, LabelNetwork):
        pytest.skip("a latent network")
    with torch.no_grad():
        whole = network(*spectra)
        parts = network.head(network.features(*spectra))
        torch.testing.assert_close(whole, parts, rtol=0.0, atol=0.0)
        if isinstance(network, SplitNetwork):
            torch.testing.assert_close(
                network.project(network.convolve(*spectra)), network.features(*spectra)
            )


def test_gradients_reach_every_parameter(network, architecture, spectra):
    network.zero_grad()
    network.requires_grad_(True)
    sum((part + 1).square().sum() for part in results(network, *spectra)).backward()
    finished = FINISHED.get(architecture)
    without = [
        name
        for name, parameter in network.named_parameters()
        if not (finished and name.startswith(finished))
        and (parameter.grad is None or not parameter.grad.any())
    ]
    assert without == []


def test_the_same_input_gives_the_same_in_evaluation_mode(network, spectra):
    with torch.no_grad():
        first, second = results(network, *spectra), results(network, *spectra)
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one, other)


def test_a_spectrum_does_not_depend_on_its_batch(network, spectra):
    flux, valid = spectra
    with torch.no_grad():
        together = results(network, flux, valid)
        alone = results(network, flux[1:2], valid[1:2])
    for all_rows, row in zip(together, alone, strict=True):
        torch.testing.assert_close(row[0], all_rows[1], rtol=1e-3, atol=1e-4)


def test_what_is_not_valid_may_be_anything(network, spectra):
    flux, valid = spectra
    with torch.no_grad():
        expected = results(network, flux, valid)
        found = results(network, torch.where(valid, flux, torch.nan), valid)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


def test_jacobian_is_that_of_finite_differences(network, architecture, spectra):
    if not isinstance(network, LabelNetwork):
        pytest.skip("a latent network")
    precise = type(network)(**TOYS.get(architecture, {})).double().eval()
    precise.load_state_dict({k: v.double() for k, v in network.state_dict().items()})
    flux, valid = spectra[0][:1].double(), spectra[1][:1]
    direction = torch.randn(flux.shape, generator=torch.Generator().manual_seed(7))
    flux.requires_grad_()

    def labels(at):
        found = precise(at, valid)
        return (found[0] if isinstance(found, tuple) else found)[0]

    slopes = [
        (torch.autograd.grad(label, flux, retain_graph=True)[0] * direction).sum()
        for label in labels(flux)
    ]
    step = 1e-6
    with torch.no_grad():
        change = labels(flux + step * direction) - labels(flux - step * direction)
    torch.testing.assert_close(
        torch.stack(slopes), change / (2 * step), rtol=1e-3, atol=1e-6
    )


def test_weights_make_the_round_trip(network, model):
    (loaded,) = model.members
    assert type(loaded) is type(network)
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


def test_a_loaded_model_has_what_its_protocol_asks_for(model):
    wanted = LatentModel if model.kind == "latent" else LabelModel
    for name in {*members_of(LoadedModel), *members_of(wanted)}:
        assert hasattr(model, name), name
    own = {*members_of(wanted)} - {*members_of(LoadedModel)}
    assert set(model.capabilities) == own
    assert isinstance(model, SpectralModel)
    for name in own:
        asked = inspect.signature(getattr(wanted, name))
        given = inspect.signature(getattr(SpectralModel, name))
        assert asked == given, name


def test_a_loaded_model_gives_arrays_of_the_promised_shape(model):
    prepared = reference_input(model, range(2))
    n_outputs, n_pixels = model.config.n_outputs, model.grid.n_pixels
    if model.kind == "label":
        jacobian = model.jacobian(prepared)
        assert jacobian.shape == (2, n_outputs, n_pixels)
        assert jacobian.dtype == np.float32
        assert not jacobian.transpose(1, 0, 2)[:, ~prepared.valid].any()
        assert model.predict(prepared).values.shape == (2, n_outputs)
        return
    latents = model.encode(prepared)
    assert latents.mean.shape == latents.sigma.shape == (2, n_outputs)
    again = model.reconstruct(prepared)
    np.testing.assert_array_equal(again.latents.mean, latents.mean)
    decoded = model.decode(latents.mean)
    assert decoded.shape == (2, n_pixels)
    np.testing.assert_allclose(again.flux, decoded, rtol=1e-6, atol=1e-6)


def test_what_is_no_network_of_either_kind_is_told_what_it_lacks():
    from astro_latent.exceptions import WeightsError

    class Half(torch.nn.Module):
        n_pixels = 8

        def features(self, flux, valid=None):
            return flux

    with pytest.raises(
        WeightsError, match=r"'half' .* lacks n_outputs, head, nor .* n_outputs, encode"
    ):
        kind_of(Half(), "half")
