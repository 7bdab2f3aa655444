# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Equations of gaps: the same solution by every way, and as little work as need be."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from astro_latent.models.layers import gaps
from astro_latent.models.layers.gaps import GapEquations, Overlaps
from astro_latent.models.layers.views import View

N_PIXELS, N_COMPONENTS = 700, 130


@pytest.fixture
def basis():
    generator = torch.Generator().manual_seed(3)
    return torch.linalg.qr(torch.randn(N_PIXELS, N_COMPONENTS, generator=generator))[0]


def choose(n_lost, seed=0):
    drawn = torch.randperm(N_PIXELS, generator=torch.Generator().manual_seed(seed))
    return drawn[:n_lost].sort().values


@pytest.mark.parametrize(
    ("n_lost", "n_factors"), [(1, 1), (60, 1), (150, 1), (259, 1), (260, 0), (650, 0)]
)
def test_any_number_of_gaps_is_solved(n_lost, n_factors, basis, monkeypatch):
    """By products, by overlaps that are kept, and by the equations of components."""
    factors, factor = [], torch.linalg.cholesky_ex
    monkeypatch.setattr(
        torch.linalg, "cholesky_ex", lambda matrix: factors.append(1) or factor(matrix)
    )
    own = 1.0 + torch.linspace(0.1, 1.0, N_COMPONENTS, dtype=torch.float64)
    lost = choose(n_lost)
    right = torch.randn(N_COMPONENTS, generator=torch.Generator().manual_seed(4))
    found = GapEquations(basis, own).factorise(lost)(right)
    rows = basis[lost].double().numpy()
    expected = np.linalg.solve(np.diag(own.numpy()) - rows.T @ rows, right.numpy())
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert len(factors) == n_factors


@pytest.mark.parametrize("length", [1.0, 1.0 - 1e-6, 1.0 + 1e-3])
def test_what_is_hardly_positive_is_solved_in_double_precision(length):
    """All that a component stands on is lost: what is left is its prior, or less."""
    basis = torch.eye(N_PIXELS, N_COMPONENTS) * length
    own = torch.full((N_COMPONENTS,), 1.0 + 1e-4, dtype=torch.float64)
    lost, right = torch.arange(0, N_COMPONENTS, 2), torch.ones(N_COMPONENTS)
    found = GapEquations(basis, own).factorise(lost)(right)
    squares = basis.diagonal().double() ** 2
    squares[1::2] = 0.0
    torch.testing.assert_close(found.double(), 1.0 / (own - squares), rtol=1e-6, atol=0)


def test_overlaps_are_products_whatever_was_asked_for_before(basis):
    fresh, used = Overlaps(basis), Overlaps(basis)
    for seed in range(3):
        used.below(choose(200, seed))
    lost = choose(300, 7)
    found = fresh.below(lost).tril()
    torch.testing.assert_close(found, (basis[lost] @ basis[lost].T).tril())
    torch.testing.assert_close(used.below(lost).tril(), found, rtol=0, atol=0)


def test_each_tile_is_computed_once_and_only_where_pixels_are_lost(basis, monkeypatch):
    products = []
    monkeypatch.setattr(gaps, "_TILE", 50)
    overlaps = Overlaps(basis)
    product = torch.Tensor.__matmul__
    monkeypatch.setattr(
        torch.Tensor, "__matmul__", lambda a, b: products.append(1) or product(a, b)
    )
    first = torch.cat(
        [torch.arange(0, 100), torch.arange(600, 650)]
    )  # of tiles 0, 1, 12
    overlaps.below(first)
    assert len(products) == 6
    overlaps.below(first)
    assert len(products) == 6
    overlaps.below(torch.arange(0, 150))  # of tiles 0, 1, 2
    assert len(products) == 6 + 3


def test_threads_may_share_what_is_kept(basis):
    overlaps, chosen = Overlaps(basis), [choose(200, seed) for seed in range(24)]
    with ThreadPoolExecutor(8) as pool:
        for lost, found in zip(chosen, pool.map(overlaps.below, chosen), strict=True):
            expected = Overlaps(basis).below(lost)
            torch.testing.assert_close(found.tril(), expected.tril(), rtol=0, atol=0)


@pytest.mark.parametrize("limit", [("_LONG", 100), ("_FEW", 1000)])
def test_nothing_is_kept_of_long_spectra_or_of_few_pixels(limit, basis, monkeypatch):
    monkeypatch.setattr(gaps, *limit)
    overlaps = Overlaps(basis)
    lost = choose(300)
    torch.testing.assert_close(
        overlaps.below(lost), basis[lost] @ basis[lost].T, rtol=0, atol=0
    )
    assert overlaps._tiles is None


@pytest.fixture
def view():
    generator = torch.Generator().manual_seed(1)
    made = View(N_PIXELS, n_components=N_COMPONENTS, fill="solve").eval()
    flux = 1.0 + 0.1 * torch.randn(300, N_PIXELS, generator=generator)
    sigma = torch.full_like(flux, 0.01)
    made.adapt(flux, sigma, torch.ones_like(flux, dtype=torch.bool))
    return made


@pytest.fixture
def spectra():
    generator = torch.Generator().manual_seed(2)
    flux = 1.0 + 0.1 * torch.randn(3, N_PIXELS, generator=generator)
    kept = torch.rand(flux.shape, generator=generator) > 0.25
    return flux, torch.full_like(flux, 0.01), kept


def test_equations_are_made_once_and_anew_when_components_change(view, spectra):
    first = view(*spectra)
    equations = view._equations()
    view(*spectra)
    assert view._equations() is equations
    other = copy.deepcopy(view)
    with torch.no_grad():
        other.basis.copy_(other.basis.flip(1))
    state = copy.deepcopy(view.state_dict())
    view.load_state_dict(other.state_dict())
    torch.testing.assert_close(view(*spectra), other(*spectra), rtol=0, atol=0)
    view.load_state_dict(state)
    torch.testing.assert_close(view(*spectra), first, rtol=0, atol=0)


def test_components_of_inference_mode_may_change_as_well(view, spectra):
    """Whether a tensor of that mode was written is not counted by PyTorch."""
    with torch.inference_mode():
        made = View(N_PIXELS, n_components=N_COMPONENTS, fill="solve").eval()
        made.load_state_dict(view.state_dict())
        first = made(*spectra)
        made.basis.copy_(made.basis.flip(1))
        changed = made(*spectra)
    torch.testing.assert_close(first, view(*spectra), rtol=0, atol=0)
    torch.testing.assert_close(changed, copy.deepcopy(made)(*spectra), rtol=0, atol=0)
    assert not torch.equal(changed, first)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float64])
def test_equations_are_solved_in_any_precision(kind, view, spectra):
    expected = view(*spectra)
    flux, sigma, kept = spectra
    found = copy.deepcopy(view).to(kind)(flux.to(kind), sigma.to(kind), kept)
    assert found.dtype == kind
    away = (found.double() - expected).abs().max() / expected.abs().max()
    assert away < (0.1 if kind == torch.bfloat16 else 1e-4)


def test_what_can_be_computed_anew_is_not_stored(view, spectra):
    names = set(view.state_dict())
    size = len(pickle.dumps(view))
    first = view(*spectra)
    assert set(view.state_dict()) == names
    assert len(pickle.dumps(view)) == size
    again = pickle.loads(pickle.dumps(view))
    torch.testing.assert_close(again(*spectra), first, rtol=0, atol=0)


def test_inference_mode_leaves_nothing_that_others_cannot_use(view, spectra):
    with torch.inference_mode():
        inside = view(*spectra)
    flux, sigma, _ = spectra
    others = torch.rand(flux.shape, generator=torch.Generator().manual_seed(6)) > 0.3
    leaf = flux.clone().requires_grad_()
    view(leaf, sigma, others).sum().backward()
    assert leaf.grad.abs().max() > 0
    torch.testing.assert_close(view(*spectra), inside, rtol=0, atol=0)


def test_mixed_precision_does_not_reach_the_equations(view, spectra):
    flux, sigma, kept = spectra
    values, _, valid = view.look(flux, sigma, kept)
    found = view._scale(values, valid) @ view.basis
    lost = (~valid[0]).nonzero()[:, 0]
    with torch.autocast("cpu", torch.bfloat16):
        solvers = [view._equations().factorise(lost)]
        solved = gaps.Solved.apply(found[:1], solvers)
    expected = gaps.Solved.apply(found[:1], [view._equations().factorise(lost)])
    torch.testing.assert_close(solved, expected, rtol=0, atol=0)
