"""Spectra whose parts contradict each other or their wavelengths are flagged."""

import numpy as np
import pytest

from astro_latent.preparation import get_grid, prepare_spectra
from astro_latent.preparation.consistency import compare_parts
from astro_latent.preparation.recipe import APOGEE_CHEBYSHEV_RECIPE
from astro_latent.spectra import decode_flags
from astro_latent.spectra.checks import finish_arrays
from astro_latent.surveys import get_survey

GRID = "apogee_7214"
SIZE = 8575


@pytest.fixture(scope="module")
def star():
    """Return the spectrum of a giant of the sample."""
    from astro_latent.spectra import iter_arrays

    sample = get_survey("sample")
    return next(iter_arrays(sample.fetch(sample.table()[:1])))


def flags(star, change=None, wavelength=None):
    flux = np.array(star.flux, float)
    if change is not None:
        change(flux)
    again = finish_arrays(
        star.wavelength if wavelength is None else wavelength,
        flux,
        sigma=star.sigma,
        mask=star.mask,
        observation=star.observation,
    )
    prepared = prepare_spectra([again], GRID, APOGEE_CHEBYSHEV_RECIPE)
    return set(decode_flags(int(prepared.flags[0])))


def test_a_good_spectrum_has_no_flag(star):
    assert flags(star) == set()


def in_part(first, last, do):
    def change(flux):
        flux[first:last] = do(flux[first:last])

    return change


@pytest.mark.parametrize(
    ("name", "do"),
    [
        ("INCONSISTENT_PARTS", lambda f: np.convolve(f, np.ones(15) / 15, "same")),
        ("INCONSISTENT_PARTS", lambda f: f**2 / np.median(f)),
        ("INCONSISTENT_PARTS", lambda f: 2 * np.median(f) - f),
        ("CORRUPT_FLUX", lambda f: np.resize(f[:500], len(f))),
        ("WAVELENGTHS_SUSPECT", lambda f: np.roll(f, 2)),
        ("WAVELENGTHS_SUSPECT", lambda f: np.roll(f, -5)),
        ("CORRUPT_FLUX", lambda f: np.full_like(f, np.median(f))),
        ("CORRUPT_FLUX", lambda f: np.repeat(f[::4], 4)[: len(f)]),
    ],
)
@pytest.mark.parametrize("part", [(SIZE // 2, SIZE), (2800, 5600)])
def test_a_corrupt_part_is_noticed(star, name, do, part):
    assert name in flags(star, in_part(*part, do))


@pytest.mark.parametrize("factor", [1 + 2.3e-5, 1 - 2.3e-5, 1 + 4e-5])
def test_wavelengths_that_are_off(star, factor):
    found = flags(star, wavelength=star.wavelength * factor)
    assert "WAVELENGTHS_SUSPECT" in found


def test_places_of_lines_are_measured(star):
    moved = finish_arrays(
        star.wavelength * (1 + 3 * 1.38e-5),
        star.flux,
        sigma=star.sigma,
        mask=star.mask,
        observation=star.observation,
    )
    prepared = prepare_spectra([moved], GRID, APOGEE_CHEBYSHEV_RECIPE)
    rows = prepared.flux[0].astype(float), prepared.variance[0], prepared.valid[0]
    found = compare_parts(*rows, get_grid(GRID))
    assert np.median(found.place) == pytest.approx(3, abs=0.1)
    assert np.median(found.depth_error) < 0.1


def test_noise_alone_is_nothing_to_compare(rng):
    grid = get_grid(GRID)
    flux = 1 + 0.05 * rng.standard_normal(grid.n_pixels)
    valid = np.ones(grid.n_pixels, dtype=bool)
    assert compare_parts(flux, np.full(grid.n_pixels, 0.0025), valid, grid) is None
