# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What is done to training spectra is what is said, and no more."""

import numpy as np
import pytest
import torch

from astro_latent.preparation import SpectralGrid
from astro_latent.training.augmentation import Augmentation, Augmenter
from astro_latent.utils.physics import SPEED_OF_LIGHT

N_SPECTRA, N_PIXELS = 400, 200
GRID = SpectralGrid(
    name="toy", spacing="log10", start=3.7, step=1e-4, n_pixels=N_PIXELS,
    medium="vacuum", frame="rest", segments=((0, N_PIXELS),), resolving_power=1000.0,
)  # fmt: skip


@pytest.fixture
def spectra():
    """A line in the middle; errors of one hundredth; every tenth pixel missing."""
    pixel = torch.arange(N_PIXELS)
    line = 1.0 - 0.5 * torch.exp(-0.5 * ((pixel - 100) / 3.0) ** 2)
    flux = line.repeat(N_SPECTRA, 1)
    valid = (pixel % 10 != 0).repeat(N_SPECTRA, 1)
    return torch.where(valid, flux, 0.0), valid, torch.full_like(flux, 1e-4)


def change(spectra, seed=1, **options):
    augmenter = Augmenter(Augmentation(**options), GRID)
    return augmenter(*spectra, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("length", [1, 3])
def test_noise_is_as_large_as_its_variance_says(spectra, length):
    flux, valid, variance = change(spectra, noise=2.0, noise_length=length)
    extra = variance - spectra[2]
    share = (extra[:, 0] > 0).float().mean()
    assert 0.6 < share < 0.8
    ratio = ((flux - spectra[0])[valid] / extra.sqrt()[valid].clamp_min(1e-9)).numpy()
    ratio = ratio[extra[valid].numpy() > 0]
    assert np.std(ratio) == pytest.approx(1.0, abs=0.02)
    assert torch.equal(valid, spectra[1])
    noise = (flux - spectra[0])[:, 101:109]  # between missing pixels
    noise = noise[extra[:, 0] > 0]
    neighbours = np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]
    assert neighbours == pytest.approx((length - 1) / length, abs=0.1)


def test_a_share_of_spectra_loses_a_stretch(spectra):
    _, valid, _ = change(spectra, missing=0.4)
    lost = (spectra[1] & ~valid).sum(1)
    assert 0.3 < (lost > 0).float().mean() < 0.45
    assert lost.max() <= 0.25 * N_PIXELS
    assert not (valid & ~spectra[1]).any()
    gone = torch.where(spectra[1] & ~valid)
    for row in range(20):  # one stretch each
        pixels = gone[1][gone[0] == row]
        if len(pixels):
            between = spectra[1][row, pixels.min() : pixels.max() + 1]
            assert len(pixels) == between.sum()


def test_velocities_move_the_line(spectra):
    flux, valid, _ = change(spectra, velocity=100.0)
    depth = torch.where(valid, 1.0 - flux, 0.0)
    pixel = torch.arange(N_PIXELS, dtype=torch.float32)
    centre = (depth * pixel).sum(1) / depth.sum(1)
    per_pixel = SPEED_OF_LIGHT * np.log(10.0) * 1e-4
    assert centre.std() * per_pixel == pytest.approx(100.0, rel=0.25)
    assert abs(centre.mean() - 100.0) < 0.5


def test_the_continuum_bends_smoothly_with_its_errors(spectra):
    flux, valid, variance = change(spectra, continuum=0.1)
    factor = torch.where(valid, flux / spectra[0].clamp_min(1e-9), 1.0)
    bend = factor[:, 1:].log()[:, ::10]
    assert 0.03 < bend.std() < 0.2
    third = np.diff(bend[:, 2:].numpy(), n=3, axis=1)
    assert np.abs(third).max() < 1e-4  # of second degree
    torch.testing.assert_close(
        (variance / spectra[2])[valid], factor[valid] ** 2, rtol=1e-4, atol=1e-5
    )


def test_a_lower_resolution_makes_lines_shallower_and_no_weaker(spectra):
    flux, valid, _ = change(spectra, resolution=0.5)
    depth = torch.where(valid, 1.0 - flux, 0.0)
    before = torch.where(valid, 1.0 - spectra[0], 0.0)
    assert (depth.max(1).values < before.max(1).values + 1e-6).all()
    assert depth.max(1).values.min() < 0.9 * before.max()
    torch.testing.assert_close(depth.sum(1), before.sum(1), rtol=0.1, atol=0.0)


def test_nothing_asked_is_nothing_done(spectra):
    for found, given in zip(change(spectra), spectra, strict=True):
        assert torch.equal(found, given)


def test_the_same_seed_does_the_same(spectra):
    options = {"noise": 1.0, "missing": 0.5, "velocity": 9.0, "resolution": 0.2}
    first, again = (change(spectra, **options) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(change(spectra, seed=2, **options)[0], first[0])


@pytest.mark.parametrize("options", [{"noise": -1.0}, {"missing": 1.0}])
def test_impossible_options_are_refused(options):
    with pytest.raises(ValueError, match="must not be"):
        Augmentation(**options)
