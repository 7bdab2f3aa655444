# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra whose parts contradict each other or their wavelengths are flagged."""

import numpy as np
import pytest

from astro_latent.preparation import HARPS_RECIPE, get_grid, prepare_spectra
from astro_latent.preparation.consistency import compare_parts
from astro_latent.preparation.recipe import APOGEE_CHEBYSHEV_RECIPE
from astro_latent.spectra import decode_flags, iter_arrays
from astro_latent.spectra.checks import finish_arrays
from astro_latent.surveys import get_survey

GRID = "apogee_7214"
SIZE = 8575
PARTS = [(SIZE // 2, SIZE), (2800, 5600)]
HARPS_PARTS = [(0, 100_000), (60_000, 180_000)]


def of_sample(row):
    sample = get_survey("sample")
    return next(iter_arrays(sample.fetch(sample.table()[row : row + 1])))


@pytest.fixture(scope="module")
def giant():
    """Return the spectrum of a giant of the sample, as of APOGEE."""
    return of_sample(0)


@pytest.fixture(scope="module")
def dwarf():
    """Return the spectrum of a dwarf of the sample, as of HARPS."""
    return of_sample(7)


def again(star, change=None, wavelength=None, sigma=None):
    """Return a spectrum with other arrays, checked as readers do."""
    flux = np.array(star.flux, float)
    if change is not None:
        change(flux)
    return finish_arrays(
        star.wavelength if wavelength is None else wavelength,
        flux,
        sigma=star.sigma if sigma is None else sigma,
        mask=star.mask,
        observation=star.observation,
    )


def flags(*spectra):
    apogee = spectra[0].observation.survey == "apogee"
    way = (GRID, APOGEE_CHEBYSHEV_RECIPE) if apogee else ("harps_327680", HARPS_RECIPE)
    found = decode_flags(prepare_spectra(list(spectra), *way).flags)
    notices = {"NOISE_ESTIMATED", "FRAME_UNKNOWN", "RESOLUTION_UNKNOWN"}
    return [set(names) - notices for names in found]


def in_part(first, last, do):
    def change(flux):
        flux[first:last] = do(flux[first:last])

    return change


def test_good_spectra_have_no_flag(giant, dwarf):
    assert flags(giant) == flags(dwarf) == [set()]


@pytest.mark.parametrize(
    ("name", "do"),
    [
        ("INCONSISTENT_PARTS", lambda f: np.convolve(f, np.ones(15) / 15, "same")),
        ("INCONSISTENT_PARTS", lambda f: f**2 / np.median(f)),
        ("INCONSISTENT_PARTS", lambda f: 2 * np.median(f) - f),
        ("INCONSISTENT_PARTS", lambda f: 0.8 * f),
        ("INCONSISTENT_PARTS", lambda f: f + 0.3 * np.median(f)),
        ("CORRUPT_FLUX", lambda f: np.resize(f[:500], len(f))),
        ("WAVELENGTHS_SUSPECT", lambda f: np.roll(f, 2)),
        ("WAVELENGTHS_SUSPECT", lambda f: np.roll(f, -5)),
        ("CORRUPT_FLUX", lambda f: np.full_like(f, np.median(f))),
        ("CORRUPT_FLUX", lambda f: np.repeat(f[::4], 4)[: len(f)]),
    ],
)
@pytest.mark.parametrize("part", PARTS)
def test_a_corrupt_part_is_noticed(giant, name, do, part):
    assert name in flags(again(giant, in_part(*part, do)))[0]


HARPS_CHANGES = [
    ("INCONSISTENT_PARTS", lambda f: f**2 / np.median(f)),
    ("INCONSISTENT_PARTS", lambda f: f[::-1]),
    ("INCONSISTENT_PARTS", lambda f: f + 0.5 * np.median(f)),
    ("INCONSISTENT_PARTS", lambda f: np.roll(f, 400)),
    ("WAVELENGTHS_SUSPECT", lambda f: np.roll(f, 3)),
    ("WAVELENGTHS_SUSPECT", lambda f: np.roll(f, -8)),
    ("ERRORS_SUSPECT", lambda f: np.convolve(f, np.ones(15) / 15, "same")),
    ("CORRUPT_FLUX", lambda f: np.resize(f[:5000], len(f))),
]


@pytest.mark.parametrize(("name", "do"), HARPS_CHANGES)
@pytest.mark.parametrize("part", HARPS_PARTS)
def test_a_corrupt_part_of_harps(dwarf, name, do, part):
    assert name in flags(again(dwarf, in_part(*part, do)))[0]


@pytest.mark.parametrize("factor", [1 + 2.3e-5, 1 - 2.3e-5, 1 + 4e-5, 1 + 2e-4])
def test_wavelengths_that_are_off(giant, factor):
    moved = again(giant, wavelength=giant.wavelength * factor)
    assert "WAVELENGTHS_SUSPECT" in flags(moved)[0]


def test_wavelengths_of_which_the_step_is_off(dwarf):
    wave = dwarf.wavelength
    moved = again(dwarf, wavelength=wave[0] + (wave - wave[0]) * 0.9999)
    assert "WAVELENGTHS_SUSPECT" in flags(moved)[0]


def test_errors_much_too_large_for_what_templates_leave(giant):
    assert flags(again(giant, sigma=10 * giant.sigma))[0] == {"ERRORS_SUSPECT"}


def test_places_of_lines_are_measured(giant):
    moved = again(giant, wavelength=giant.wavelength * (1 + 3 * 1.38e-5))
    prepared = prepare_spectra([moved], GRID, APOGEE_CHEBYSHEV_RECIPE)
    rows = prepared.flux.astype(float), prepared.variance, prepared.valid
    (found,) = compare_parts(*rows, get_grid(GRID))
    assert np.median(found.place) == pytest.approx(3, abs=0.1)
    assert np.median(found.depth_error) < 0.1


def test_what_templates_leave_is_noise(giant):
    prepared = prepare_spectra([giant], GRID, APOGEE_CHEBYSHEV_RECIPE)
    rows = prepared.flux.astype(float), prepared.variance, prepared.valid
    (found,) = compare_parts(*rows, get_grid(GRID))
    assert np.median(found.residual / found.noise) == pytest.approx(1, abs=0.1)
    assert found.explained > 0.9


def test_masked_pixels_are_not_dark(dwarf, rng):
    mask = rng.random(len(dwarf.flux)) < 0.1
    some = finish_arrays(
        dwarf.wavelength, np.array(dwarf.flux, float), sigma=dwarf.sigma,
        mask=dwarf.mask | mask, observation=dwarf.observation,
    )  # fmt: skip
    spectra = prepare_spectra([dwarf, some], "harps_327680", HARPS_RECIPE)
    rows = spectra.flux.astype(float), spectra.variance, spectra.valid
    whole, found = compare_parts(*rows, get_grid("harps_327680"))
    assert found.explained == pytest.approx(whole.explained, abs=0.01)
    assert np.median(found.residual / whole.residual) < 1.2


def test_noise_alone_is_nothing_to_compare(rng):
    grid = get_grid(GRID)
    flux = 1 + 0.05 * rng.standard_normal((1, grid.n_pixels))
    valid = np.ones(flux.shape, dtype=bool)
    (found,) = compare_parts(flux, np.full(flux.shape, 0.0025), valid, grid)
    assert found is None or found.explained == 0


def test_real_spectra_of_apogee(real_data):
    folder = real_data / "apogee" / "spectra"
    stars = list(iter_arrays(sorted(map(str, folder.glob("ap*.fits")))))
    assert len(stars) >= 3
    checks = {"INCONSISTENT_PARTS", "WAVELENGTHS_SUSPECT", "ERRORS_SUSPECT"}
    for names in flags(*stars):
        assert not names & checks
    star = stars[-1]  # a visit: lines of a real giant, not those of the templates
    half = len(star.flux) // 2
    moved = again(star, in_part(0, half, lambda f: np.roll(f, 6)))
    assert flags(moved)[0] & checks


def test_real_spectra_of_harps(real_data):
    folder = real_data / "harps"
    paths = sorted(folder.glob("alpha_cen_b/*.fits"))[::4]
    paths += [folder / "s1d" / "sun01_harps_daysky.fits"]
    stars = list(iter_arrays(list(map(str, paths))))
    assert flags(*stars) == [set()] * len(stars)
    for name, do in HARPS_CHANGES[:6]:
        assert name in flags(again(stars[0], in_part(60_000, 180_000, do)))[0]
