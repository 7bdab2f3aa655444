# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The Gaussian process beside a network, against scikit-learn's and closed forms."""

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern

from astro_latent import load_model, train_model
from astro_latent.models.architectures import ResidualMLP
from astro_latent.models.layers.process import ProcessMean, compare, covariance
from astro_latent.preparation import prepare_spectra
from astro_latent.training.arrays import as_block
from astro_latent.training.batches import FitData
from astro_latent.training.prepared_file import record_type
from astro_latent.training.process import Process, fit_process

from .conftest import FAST, SMALL, make_stars

LABELS = ["teff", "logg"]
NUMBERS = torch.tensor([0.3, 0.7, -0.2, -1.1, -0.9, -1.6], dtype=torch.float64)


def by_scikit_learn(part, view):
    """The kernel of one view, with the hyper-parameters above."""
    length, amplitude, linear = (float(NUMBERS[k].exp()) for k in (view, 2, 3 + view))
    return length, amplitude, DotProduct(sigma_0=0.0)(part) * linear**2


def test_the_covariance_is_that_of_scikit_learn(rng):
    one, two = rng.normal(size=(9, 4)), rng.normal(size=(9, 2))
    inputs = torch.from_numpy(np.concatenate([one, two], axis=1))
    found = covariance(*compare(inputs, inputs, [4, 2]), NUMBERS)
    parts = [by_scikit_learn(part, view) for view, part in enumerate((one, two))]
    scaled = np.concatenate([one / parts[0][0], two / parts[1][0]], axis=1)
    expected = Matern(nu=2.5)(scaled) * parts[0][1] ** 2
    expected += parts[0][2] + parts[1][2] + ConstantKernel(1.0)(scaled)
    assert found.numpy() == pytest.approx(expected, abs=1e-6)


def test_the_mean_is_that_of_scikit_learn(rng):
    inputs, labels = rng.normal(size=(30, 3)), rng.normal(size=30)
    numbers = torch.tensor([0.4, 0.1, -0.8, -0.7], dtype=torch.float64)
    weight = torch.ones(30, dtype=torch.float64)
    process = Process(torch.from_numpy(inputs), [3])
    dual = process.solve(torch.from_numpy(labels), numbers, weight)
    part = ProcessMean(30, [3], 1)
    part.centres.copy_(torch.from_numpy(inputs))
    part.dual.copy_(dual)
    part.numbers.copy_(numbers)
    length, amplitude, slope, noise = numbers.exp().tolist()
    kernel = (
        ConstantKernel(amplitude**2) * Matern(length, nu=2.5)
        + ConstantKernel(slope**2) * DotProduct(1.0 / slope)  # 1 + slope^2 x.y
    )
    known = GaussianProcessRegressor(kernel, alpha=noise**2, optimizer=None)
    asked = rng.normal(size=(5, 3))
    expected = known.fit(inputs, labels).predict(asked)
    found = part(torch.from_numpy(asked).float())[:, 0].numpy()
    assert found == pytest.approx(expected, abs=1e-4)


def test_the_noise_of_labels_is_found_and_outliers_count_less(rng):
    inputs = torch.from_numpy(rng.normal(size=(150, 2)))
    clean = torch.sin(inputs[:, 0]) + 0.3 * inputs[:, 1]
    labels = clean + torch.from_numpy(rng.normal(0.0, 0.1, 150))
    wrong = torch.zeros(150, dtype=torch.bool)
    wrong[::15] = True
    labels[wrong] += 2.0
    process = Process(inputs, [2])
    numbers, _ = process.fit(clean + 0.1 * torch.from_numpy(rng.normal(size=150)))
    assert float(numbers[-1].exp()) == pytest.approx(0.1, rel=0.4)
    numbers, weight = process.fit(labels)
    assert weight[wrong].median() < 0.6 < weight[~wrong].median()
    found = process.covariance(numbers) @ process.solve(labels, numbers, weight)
    assert float((found - clean).abs().median()) < 0.12


def test_labels_with_large_errors_of_their_own_count_less(rng):
    inputs = torch.from_numpy(rng.normal(size=(60, 1)))
    labels = torch.sin(inputs[:, 0])
    variance = torch.zeros(60, dtype=torch.float64)
    variance[:20] = 4.0
    labels[:20] += 1.0
    process = Process(inputs, [1])
    weight = torch.ones(60, dtype=torch.float64)
    dual = process.solve(labels, NUMBERS[[0, 2, 3, 5]], weight, variance)
    found = process.covariance(NUMBERS[[0, 2, 3, 5]]) @ dual
    assert float((found - torch.sin(inputs[:, 0]))[20:].abs().max()) < 0.2


@pytest.mark.parametrize("posterior", ["covariance", "flow"])
def test_an_empty_process_costs_nothing(posterior):
    calls = []
    network = ResidualMLP(
        n_pixels=40, n_labels=2, n_hidden=8, n_blocks=1, n_centres=5,
        posterior=posterior,
    )  # fmt: skip
    features = network.features(torch.rand(3, 40))
    for part in (network.process, network.posterior):
        part.register_forward_hook(lambda part, *_: calls.append(part))
    network.log_prob(features, torch.zeros(3, 2))
    # the density of a Gaussian needs its mean, that of a flow not
    assert calls == ([network.posterior] if posterior == "covariance" else [])
    network.process.share.fill_(0.5)
    network.log_prob(features, torch.zeros(3, 2))
    assert network.process in calls


def test_half_of_each_label_is_the_process_and_gradients_know_it():
    torch.manual_seed(0)
    network = ResidualMLP(
        n_pixels=40, n_labels=2, n_hidden=8, n_blocks=1, n_centres=5, n_noise=2,
        views=[{"kind": "flux", "n_components": 4}],
    ).eval()  # fmt: skip
    flux = torch.rand(3, 40, requires_grad=True)
    without = network(flux)[0]
    features = network.features(flux)
    assert network.components(features).shape == (3, 4)
    with torch.no_grad():
        for name, tensor in network.process.named_buffers():
            tensor.copy_(0.5 if name == "share" else 0.3 * torch.randn(tensor.shape))
    mean, _ = network(flux)
    of_process = network.process(network.components(features))
    torch.testing.assert_close(mean, 0.5 * (without + of_process))
    # the density has its centre where the mean is
    labels = mean.detach().clone().requires_grad_()
    density = network.log_prob(features.detach(), labels)
    assert torch.autograd.grad(density.sum(), labels)[0].abs().max() < 1e-4
    drawn = network.sample(features, 4000, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(drawn.mean(1), mean, rtol=0.0, atol=0.1)
    exact = torch.autograd.grad(mean[0, 0], flux)[0][0, 7]
    with torch.no_grad():
        moved = flux.clone()
        moved[0, 7] += 1e-2
        up = network(moved)[0][0, 0]
        moved[0, 7] -= 2e-2
        slope = (up - network(moved)[0][0, 0]) / 2e-2
    assert float(slope) == pytest.approx(float(exact), rel=0.02, abs=1e-3)


def test_a_star_at_a_centre_has_finite_gradients():
    part = ProcessMean(2, [3], 1)
    part.dual.fill_(1.0)
    at = torch.zeros(1, 3, requires_grad=True)
    part(at).sum().backward()
    assert torch.isfinite(at.grad).all()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Weights that learned from 105 stars, one of which lacks a label."""
    place = tmp_path_factory.mktemp("process") / "toy_v1"
    stars = make_stars(150)
    stars["teff"][3] = np.nan
    torch.set_num_threads(1)
    train_model(
        stars, LABELS, output=place, arguments={**SMALL, "n_centres": 90},
        members=2, dtype="float16", held_out=0.3, validation=0.0, **FAST,
    )  # fmt: skip
    return place


def scatter(model, stars):
    prepared = prepare_spectra(list(as_block(stars)), model.grid, model.recipe)
    truth = np.stack([stars[label] for label in LABELS], axis=1)
    return np.median(np.abs(model.predict(prepared).values - truth), axis=0)


def test_a_trained_model_remembers_stars_and_is_better_for_it(folder):
    model, new = load_model(folder, device="cpu"), make_stars(200, seed=5)
    with_process = scatter(model, new)
    for member in model.members:
        assert float(member.process.share) == 0.5
        assert member.process.centres.abs().max(1).values.all()
    for member in model.members:
        member.process.share.fill_(0.0)
    assert (with_process < 0.9 * scatter(model, new)).all()


def test_fine_tuning_keeps_what_is_remembered_but_not_for_other_labels(folder):
    model, new = load_model(folder, device="cpu"), make_stars(450, seed=6)
    before = model.members[0].process.state_dict()
    short = {**FAST, "epochs": 1}
    kept = train_model(new, LABELS, from_weights=model, **short)
    after = kept.members[0].process.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    other = train_model(new, ["logg"], from_weights=model, **short)
    part = other.members[0].process
    assert float(part.share) == 0.5
    assert not torch.equal(part.centres, before["centres"])


def test_what_is_remembered_is_what_predictions_see(rng):
    """Gaps of the spectra, too, which a network in training mode fills in haste."""
    flux = 1.0 + 0.1 * rng.normal(size=(30, 1)) + 0.01 * rng.normal(size=(30, 50))
    valid = rng.random(flux.shape) > 0.3
    records = np.zeros(30, record_type(50))
    records["flux"], records["valid"], records["variance"] = flux, valid, 1e-4
    data = FitData(
        records=records, targets=rng.normal(size=(30, 1)).astype(np.float32),
        target_variance=np.zeros((30, 1), np.float32), train=np.arange(30),
        validation=np.arange(0),
    )  # fmt: skip
    views = [{"kind": "flux", "n_components": 4, "fill": "solve"}]
    sizes = SMALL | {"views": views}
    network = ResidualMLP(n_pixels=50, n_labels=1, n_centres=30, **sizes)
    seen = [torch.from_numpy(records[name]) for name in ("flux", "valid", "variance")]
    network.adapt(*seen)
    fit_process(network, data, seed=0)
    with torch.inference_mode():
        found = network.components(network.eval().features(*seen))
    torch.testing.assert_close(network.process.centres, found, rtol=1e-3, atol=1e-3)
