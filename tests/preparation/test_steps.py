# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Resolution, medians, continua and clipping against analytic cases."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.polynomial import Chebyshev

from astro_latent.exceptions import UnknownNameError
from astro_latent.preparation import Recipe, get_grid, prepare_spectra
from astro_latent.preparation.normalise import (
    chebyshev_continuum,
    sigma_clip_continuum,
)
from astro_latent.preparation.resample import smooth
from astro_latent.spectra import decode_flags


def recipe(*steps):
    return Recipe.from_dict({"steps": [{"step": "resample"}, *steps]})


@pytest.mark.parametrize("spacing", ["linear", "log"])
def test_widths_add_in_quadrature(spacing):
    wavelength = np.linspace(6000.0, 6040.0, 4001)
    if spacing == "log":
        wavelength = np.geomspace(6000.0, 6040.0, 4001)
    x = np.log(wavelength / 6020.0)
    before, kernel = 3e-5, 4e-5
    flux = np.exp(-0.5 * (x / before) ** 2)
    after, _, _ = smooth(wavelength, flux, sigma=kernel)
    width = np.hypot(before, kernel)
    expected = before / width * np.exp(-0.5 * (x / width) ** 2)
    np.testing.assert_allclose(after, expected, atol=3e-4)


def test_smoothing_keeps_a_constant_around_bad_pixels(rng):
    wavelength = np.linspace(6000.0, 6010.0, 500)
    good = rng.random(500) > 0.3
    flux = np.where(good, 7.0, np.nan)
    after, variance, fraction = smooth(wavelength, flux, np.ones(500), good, sigma=2e-5)
    np.testing.assert_allclose(after, 7.0, rtol=1e-12)
    assert np.all((fraction > 0) & (fraction < 1 + 1e-12))
    assert np.all((variance > 0) & (variance < 1))


def test_smoothed_variance_by_monte_carlo(rng):
    wavelength = np.linspace(6000.0, 6010.0, 200)
    draws = [
        smooth(wavelength, rng.normal(size=200), sigma=2e-5)[0] for _ in range(3000)
    ]
    variance = smooth(wavelength, np.zeros(200), np.ones(200), sigma=2e-5)[1]
    np.testing.assert_allclose(np.var(draws, axis=0), variance, rtol=0.15)


def test_no_width_no_smoothing():
    with pytest.raises(ValueError, match="positive number"):
        smooth(np.arange(1.0, 5), np.ones(4), sigma=0.0)


def test_medians_of_chips(make_star):
    star = make_star()
    levels = np.repeat([2.0, 30.0, 400.0], [3400, 2800, 2375])
    star = replace(star, flux=star.flux * levels)
    step = {"step": "divide_by_median", "per": "segment"}
    prepared = prepare_spectra([star], "apogee_7214", recipe(step))
    for k, (a, b) in enumerate([(322, 3242), (3648, 6048), (6412, 8306)]):
        assert prepared.scale[0, k] == np.median(star.flux[a:b])


def test_counting_the_padding_gives_the_47th_percentile(make_star):
    wavelength = get_grid("harps_327680").wavelength
    star = make_star(
        wavelength=wavelength, medium="air", frame="barycentric", sigma=False
    )
    step = {"step": "divide_by_median", "count_padding": True}
    prepared = prepare_spectra([star], "harps_327680", recipe(step))
    valid = star.flux[prepared.grid.valid]
    assert prepared.scale[0, 0] == np.median(star.flux * prepared.grid.valid)
    assert np.mean(valid <= prepared.scale[0, 0]) == pytest.approx(0.4699, abs=1e-4)


def test_median_below_the_minimum_is_no_signal(make_star):
    step = {"step": "divide_by_median", "minimum": 1000.0}
    prepared = prepare_spectra([make_star()], "apogee_7214", recipe(step))
    assert decode_flags(prepared.flags[0]) == ["NO_SIGNAL"]
    assert "not above 1000" in prepared.observations[0].message


def test_chebyshev_as_numpy(rng):
    x = np.linspace(-1, 1, 200)
    flux, sigma = rng.normal(5, 1, (3, 200)), rng.uniform(0.5, 3, (3, 200))
    ours = chebyshev_continuum(x, flux, sigma**-2.0, degree=4)
    for k in range(3):
        theirs = Chebyshev.fit(x, flux[k], 4, w=1 / sigma[k], domain=[-1, 1]).coef
        np.testing.assert_allclose(ours[k], theirs, rtol=1e-9)


def test_chebyshev_with_too_few_pixels():
    weight = np.zeros((1, 10))
    weight[0, :3] = 1.0
    fit = chebyshev_continuum(
        np.linspace(-1, 1, 10), np.ones((1, 10)), weight, degree=4
    )
    assert np.isnan(fit).all()


@pytest.mark.parametrize(
    "method",
    [
        {"method": "chebyshev", "pixels": "apogee_cannon"},
        {"method": "chebyshev", "pixels": None},
        {"method": "asymmetric_sigma_clip"},
    ],
)
def test_a_smooth_continuum_is_divided_out(make_star, method):
    star = make_star(noise=1e-6)
    wavelength = star.wavelength
    shape = 1 + 0.3 * np.sin((wavelength - 15_000) / 1000) + (wavelength - 16_000) / 9e3
    star = replace(star, flux=400.0 * shape)
    prepared = prepare_spectra(
        [star], "apogee_7214", recipe({"step": "continuum", **method})
    )
    np.testing.assert_allclose(prepared.flux[prepared.valid], 1.0, atol=3e-3)


def test_lines_do_not_pull_the_clipped_continuum(make_star):
    star = make_star(noise=0.002)
    level = sigma_clip_continuum(star.wavelength, star.flux, ~star.mask)
    assert np.median(level) == pytest.approx(500.0, rel=5e-3)


def test_a_chip_without_continuum_pixels_is_dropped(make_star):
    star = make_star(mask=np.arange(8575) > 6200)
    step = {"step": "continuum", "pixels": "apogee_cannon"}
    prepared = prepare_spectra([star], "apogee_7214", recipe(step))
    assert "SEGMENT_MISSING" in decode_flags(prepared.flags[0])
    assert prepared.valid[0, :5320].all()
    assert not prepared.valid[0, 5320:].any()


def test_a_chip_without_good_pixels_is_told_by_any_recipe(make_star):
    """Also where no step works chip by chip and would stumble over it."""
    last_chip = np.arange(8575) > 6200
    dead = make_star(mask=last_chip)
    barely = make_star(mask=last_chip & (np.arange(8575) != 7000))
    prepared = prepare_spectra([make_star(), dead, barely], "apogee_7214", recipe())
    told = ["SEGMENT_MISSING" in decode_flags(flags) for flags in prepared.flags]
    assert told == [False, True, False]


def test_unknown_list_of_pixels(make_star):
    step = {"step": "continuum", "pixels": "apogee_canon"}
    with pytest.raises(UnknownNameError, match="apogee_cannon"):
        prepare_spectra([make_star()], "apogee_7214", recipe(step))


def test_continuum_pixels_are_the_published_number():
    from astro_latent.preparation.normalise import _chosen

    chosen = _chosen(get_grid("apogee_7214"), "apogee_cannon")
    assert chosen.sum() == 529
    assert _chosen(get_grid("apogee_8575"), "apogee_cannon").sum() == 529


@pytest.mark.parametrize("action", ["clip", "mask"])
def test_clipping(make_star, action):
    star = make_star()
    flux = star.flux.copy()
    flux[1000] = 5000.0
    steps = [
        {"step": "divide_by_median"},
        {"step": "clip", "upper": 2.0, "action": action},
    ]
    prepared = prepare_spectra(
        [replace(star, flux=flux)], "apogee_7214", recipe(*steps)
    )
    pixel = 1000 - 322
    assert prepared.valid[0, pixel] == (action == "clip")
    assert prepared.flux[0, pixel] == (2.0 if action == "clip" else 0.0)


def test_impossible_limits(make_star):
    step = {"step": "clip", "lower": 2.0, "upper": 1.0}
    with pytest.raises(ValueError, match="above upper"):
        prepare_spectra([make_star()], "apogee_7214", recipe(step))


def test_masked_ranges_never_count(make_star):
    grid = get_grid("apogee_7214")
    star = make_star()
    chosen = recipe({"step": "mask_pixels", "ranges": [[100, 120], [7000, 7214]]})
    prepared = prepare_spectra([star], grid, chosen)
    inside = np.zeros(grid.n_pixels, dtype=bool)
    inside[100:120] = inside[7000:] = True
    assert not prepared.valid[0, inside].any()
    assert prepared.valid[0, ~inside].all()
    assert not prepared.flux[0, inside].any()


@pytest.mark.parametrize("span", [[5, 5], [-1, 3], [7000, 7215]])
def test_ranges_lie_on_the_grid(make_star, span):
    chosen = recipe({"step": "mask_pixels", "ranges": [span]})
    with pytest.raises(ValueError, match=r"range .* is not within 0\.\.7214"):
        prepare_spectra([make_star()], "apogee_7214", chosen)
