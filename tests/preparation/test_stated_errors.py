# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Errors that contradict the scatter of the flux are flagged, and no others."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from astro_latent.preparation.prepared import Row, check_errors
from astro_latent.spectra import decode_flags, iter_arrays


def suspect(star, noise="file"):
    seen = replace(star.observation, noise=noise)
    row = Row.from_arrays(replace(star, observation=seen))
    check_errors(row)
    return "ERRORS_SUSPECT" in decode_flags(row.flags)


@pytest.mark.parametrize(
    ("factor", "wrong"), [(1.0, False), (2.0, False), (0.5, False), (0.1, True)]
)
def test_errors_of_all_pixels(make_star, factor, wrong):
    star = make_star()
    assert suspect(replace(star, sigma=star.sigma * factor)) is wrong


def test_much_too_large_errors(make_star):
    """Lines count as scatter there: only a spectrum with few of them tells."""
    star = make_star(noise=0.01)
    flat = replace(star, flux=star.flux - star.flux + np.random.default_rng(1).normal(
        500.0, 5.0, len(star.flux)))  # fmt: skip
    assert not suspect(flat)
    assert suspect(replace(flat, sigma=20 * flat.sigma))


@pytest.mark.parametrize("first", [0, 3000, 6000])
def test_noise_or_its_lack_in_a_part(make_star, rng, first):
    star = make_star()
    part = slice(first, first + 900)
    noisy, smooth = star.flux.copy(), star.flux.copy()
    noisy[part] += rng.normal(0.0, 50.0, 900)
    smooth[part] = np.convolve(smooth, np.ones(15) / 15, "same")[part]
    assert suspect(replace(star, flux=noisy))
    assert suspect(replace(star, flux=smooth))


def test_noise_that_neighbours_share_is_no_contradiction(make_star):
    star = make_star()
    shared = np.convolve(star.flux, np.ones(3) / 3, "same")
    assert not suspect(replace(star, flux=shared))


def test_estimated_errors_cannot_be_wrong_as_a_whole(make_star):
    star = make_star()
    assert not suspect(replace(star, sigma=star.sigma / 10), noise="estimated")


def test_models_without_noise_are_not_judged(make_star):
    star = make_star(noise=0.01)
    model = make_star(noise=0.0, sigma=False)
    assert not suspect(replace(model, sigma=star.sigma))


def test_short_spectra_and_none(make_star):
    short = make_star(wavelength=np.linspace(15200.0, 15300.0, 90))
    assert not suspect(short)
    assert not suspect(make_star(sigma=False), noise="none")


def test_real_files_of_other_surveys(real_data):
    """Resampled, crowded, faint and bright ones: none contradicts its errors."""
    paths = [*real_data.glob("lamost/*.fits"), *real_data.glob("real/galah_dr3/*.gz")]
    paths += real_data.glob("real/gaia_rvs/*.gz")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stars = list(iter_arrays([str(path) for path in sorted(paths)]))
    stars = [star for star in stars if star.observation.noise == "file"]
    assert len(stars) >= 30
    assert [s.observation.source for s in stars if suspect(s)] == []
    wrong = [replace(star, sigma=star.sigma / 50) for star in stars]
    assert sum(map(suspect, wrong)) >= 0.9 * len(wrong)
