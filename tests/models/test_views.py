# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Views of spectra: what they keep, and what they do not care about."""

import numpy as np
import pytest
import torch

from astro_latent.models.architectures import ResidualMLP
from astro_latent.models.layers.views import KINDS, View

N = 120


@pytest.fixture
def spectra():
    generator = torch.Generator().manual_seed(1)
    shapes = torch.stack([torch.sin(torch.arange(N) / k) for k in (3.0, 7.0, 15.0)])
    amounts = torch.randn(300, 3, generator=generator)
    flux = 1.0 + 0.05 * amounts @ shapes
    sigma = torch.full_like(flux, 0.01)
    noisy = flux + sigma * torch.randn(flux.shape, generator=generator)
    return noisy, sigma, torch.ones_like(flux, dtype=torch.bool), amounts


@pytest.mark.parametrize("kind", ["flux", "log"])
def test_coefficients_hold_what_varies(kind, spectra):
    flux, sigma, valid, amounts = spectra
    view = View(N, kind=kind, n_components=3, shrink=0.0)
    view.adapt(flux, sigma, valid)
    found = view(flux, sigma, valid)
    design = torch.cat([found, torch.ones(300, 1)], dim=1)
    fit = design @ torch.linalg.lstsq(design, amounts).solution
    assert (fit - amounts).std() < 0.1
    assert (found.std(0) - 1.0).abs().max() < 0.3


def test_shrinking_leaves_what_stands_out_larger(spectra):
    flux, sigma, valid, _ = spectra
    spreads = []
    for shrink in (0.0, 1.0):
        view = View(N, kind="flux", n_components=6, shrink=shrink)
        view.adapt(flux, sigma, valid)
        spread = view(flux, sigma, valid).std(0)
        spreads.append(spread.max() / spread.min())
    assert spreads[0] < 2.0 < spreads[1]


def test_missing_pixels_are_filled_with_what_the_rest_say(spectra):
    flux, sigma, valid, _ = spectra
    view = View(N, kind="flux", n_components=3, shrink=0.0)
    view.adapt(flux, sigma, valid)
    some = valid.clone()
    some[:, 50:60] = False
    with_gap, whole = view(flux, sigma, some), view(flux, sigma, valid)
    assert (with_gap - whole).abs().mean() < 0.1


@pytest.mark.parametrize("kind", ["flux", "log"])
def test_solving_needs_no_more_than_the_pixels_that_are_there(kind, spectra):
    """Half of the pixels hold the same three coefficients, with twice the variance."""
    flux, sigma, valid, _ = spectra
    views = {
        fill: View(N, kind=kind, n_components=3, fill=fill).eval()
        for fill in ("once", "solve")
    }
    for view in views.values():
        view.adapt(flux, sigma, valid)
    torch.testing.assert_close(
        views["solve"](flux, sigma, valid), views["once"](flux, sigma, valid)
    )
    whole = views["once"](flux, sigma, valid)
    gaps = torch.rand(valid.shape, generator=torch.Generator().manual_seed(2)) < 0.5
    thinned = torch.where(gaps, 0.0, flux)
    off = {
        fill: (view(thinned, sigma, ~gaps) - whole).std() / whole.std()
        for fill, view in views.items()
    }
    # noise of 0.01 in 60 pixels against amplitudes of 0.05: a thirtieth of the spread
    assert off["solve"] < 0.06
    assert off["once"] > 3 * off["solve"]


@pytest.mark.parametrize("share", [0.02, 0.05, 0.5])
def test_solving_is_ridge_regression_on_the_pixels_that_are_there(share, spectra):
    flux, sigma, valid, _ = spectra
    view = View(N, kind="flux", n_components=3, fill="solve").eval()
    view.adapt(flux, sigma, valid)
    kept = torch.rand(valid.shape, generator=torch.Generator().manual_seed(4)) > share
    found = view(flux, sigma, kept) / view.scale
    whole = view(flux, sigma, valid) / view.scale
    spread = 1.4826 * (whole - whole.median(0).values).abs().median(0).values
    scaled = ((flux - view.mean) / view.sigma).numpy()
    basis = view.basis.numpy()
    for row in range(20):
        there = kept[row].numpy()
        ridge = np.diag(1.0 / spread.numpy())
        design = np.concatenate([basis[there], ridge])
        right = np.concatenate([scaled[row, there], np.zeros(3)])
        # the basis is orthonormal, and a whole spectrum is projected without a prior
        expected = np.linalg.lstsq(design, right, rcond=None)[0]
        if not there.all():
            np.testing.assert_allclose(found[row], expected, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("share", [0.01, 0.5])
def test_the_gradient_of_what_is_solved_is_its_slope(share, spectra):
    """What is solved is linear in the flux, so that a finite difference is exact."""
    flux, sigma, valid, _ = spectra
    view = View(N, kind="flux", n_components=3, fill="solve").eval()
    view.adapt(flux, sigma, valid)
    generator = torch.Generator().manual_seed(5)
    kept = torch.rand((4, N), generator=generator) > share
    kept[:, 5] = False
    leaf = flux[:4].clone().requires_grad_()
    view(leaf, sigma[:4], kept)[:, 1].sum().backward()
    step = 0.01 * torch.randn((4, N), generator=generator)
    change = view(flux[:4] + step, sigma[:4], kept) - view(flux[:4], sigma[:4], kept)
    torch.testing.assert_close(
        (leaf.grad * step).sum(1), change[:, 1], rtol=1e-3, atol=1e-5
    )
    assert not leaf.grad[~kept].any()


def test_nothing_left_gives_the_mean_spectrum(spectra):
    flux, sigma, valid, _ = spectra
    view = View(N, kind="flux", n_components=3, fill="solve").eval()
    view.adapt(flux, sigma, valid)
    found = view(flux[:2], sigma[:2], torch.zeros_like(valid[:2]))
    torch.testing.assert_close(found, torch.zeros_like(found))


def test_a_spectrum_with_gaps_is_the_same_alone(spectra):
    flux, sigma, valid, _ = spectra
    view = View(N, kind="flux", n_components=3, fill="solve").eval()
    view.adapt(flux, sigma, valid)
    gaps = torch.rand(valid.shape, generator=torch.Generator().manual_seed(2)) < 0.2
    some = view(flux[:8], sigma[:8], ~gaps[:8])
    swapped = view(flux[:8].flip(0), sigma[:8].flip(0), ~gaps[:8].flip(0)).flip(0)
    torch.testing.assert_close(some, swapped, rtol=0, atol=0)


def test_training_fills_gaps_once(spectra):
    flux, sigma, valid, _ = spectra
    views = [View(N, kind="flux", n_components=3, fill=f) for f in ("once", "solve")]
    for view in views:
        view.adapt(flux, sigma, valid)
    gaps = torch.rand(valid.shape, generator=torch.Generator().manual_seed(2)) < 0.2
    once, solved = (view(flux, sigma, ~gaps) for view in views)
    torch.testing.assert_close(solved, once, rtol=0, atol=0)
    assert not torch.allclose(views[1].eval()(flux, sigma, ~gaps), once, atol=1e-3)


@pytest.mark.parametrize(("fill", "shrink"), [("twice", 0.5), ("solve", 1.0)])
def test_fills_that_cannot_be_are_refused(fill, shrink):
    with pytest.raises(ValueError, match="fill is once, or solve"):
        View(N, fill=fill, shrink=shrink)


def test_a_flat_view_hardly_sees_the_continuum(spectra):
    flux, sigma, valid, _ = spectra
    tilt = torch.linspace(0.5, 1.5, N)
    change = {}
    for kind in ("flat", "flux"):
        view = View(N, kind=kind, n_components=3, width=9)
        view.adapt(flux, sigma, valid)
        before, after = (view(f, sigma, valid) for f in (flux, flux * tilt))
        change[kind] = (before - after).abs().mean() / before.std()
    assert change["flat"] < 0.7 * change["flux"]


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="a view is one of flux, log, flat, shape"):
        View(N, kind="raw")
    assert KINDS == ("flux", "log", "flat", "shape")


def test_unknown_variances_are_those_of_the_training_set(spectra):
    flux, sigma, valid, _ = spectra
    torch.manual_seed(0)
    network = ResidualMLP(n_pixels=N, n_labels=2, n_hidden=8, n_blocks=1).eval()
    network.adapt(flux, valid, sigma**2)
    unknown = torch.full_like(flux, torch.nan)
    with torch.no_grad():
        said, silent = network(flux, valid, sigma**2), network(flux, valid, unknown)
        left_out = network(flux, valid)
    torch.testing.assert_close(said, silent, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(left_out, silent)
    no_errors = ResidualMLP(n_pixels=N, n_labels=2, n_hidden=8, n_blocks=1)
    no_errors.adapt(flux, valid, unknown)
    assert torch.isfinite(no_errors(flux, valid, unknown)[0]).all()
