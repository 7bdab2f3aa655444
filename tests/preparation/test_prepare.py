# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The whole way: flags, independence of the batch, and masks that do not leak."""

from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from astro_latent.exceptions import UnknownNameError
from astro_latent.preparation import (
    APOGEE_CHEBYSHEV_RECIPE,
    APOGEE_RECIPE,
    HARPS_RECIPE,
    Recipe,
    iter_prepared,
    prepare_spectra,
)
from astro_latent.spectra import decode_flags
from astro_latent.spectra.observation import Observation, SpectrumArrays

SIGMA_CLIP = Recipe.from_dict(
    {
        "steps": [
            {"step": "resample"},
            {"step": "continuum", "method": "asymmetric_sigma_clip"},
        ]
    }
)
RECIPES = [APOGEE_RECIPE, APOGEE_CHEBYSHEV_RECIPE, SIGMA_CLIP]
ARRAYS = ("flux", "variance", "valid", "scale", "radial_velocity", "flags")


def flags_of(prepared, row=0):
    return set(decode_flags(prepared.flags[row]))


def several(make_star):
    """Different stars: shared grids, other grids, other facts, and a bad one."""
    good = [make_star(seed=k) for k in range(3)]
    moved = make_star(seed=4, frame="barycentric", radial_velocity=33.0)
    sharper = make_star(seed=5, resolving_power=60_000.0)
    empty = np.zeros(0)
    bad = SpectrumArrays(
        wavelength=empty,
        flux=empty,
        mask=empty.astype(bool),
        observation=Observation(obs_id="broken", flags=1, message="no such file"),
    )
    return [*good, moved, bad, sharper, make_star(seed=6)]


@pytest.mark.parametrize("recipe", RECIPES)
def test_one_at_a_time_equals_the_batch(make_star, recipe):
    stars = several(make_star)
    batch = prepare_spectra(stars, "apogee_7214", recipe)
    for k, star in enumerate(stars):
        alone = prepare_spectra([star], "apogee_7214", recipe)
        for name in ARRAYS:
            np.testing.assert_array_equal(
                getattr(alone, name)[0], getattr(batch, name)[k], err_msg=f"{name} {k}"
            )


@pytest.mark.parametrize("chunk_size", [1, 3, 100])
def test_chunks_do_not_matter(make_star, chunk_size):
    stars = several(make_star)
    whole = prepare_spectra(stars, "apogee_7214", APOGEE_RECIPE)
    parts = list(
        iter_prepared(stars, "apogee_7214", APOGEE_RECIPE, chunk_size=chunk_size)
    )
    assert len(parts[0]) == min(chunk_size, len(stars))
    for name in ARRAYS:
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole, name))


def test_shape_and_type_of_the_result(make_star):
    prepared = prepare_spectra(several(make_star), "apogee_7214", APOGEE_RECIPE)
    assert prepared.flux.dtype == prepared.variance.dtype == np.float32
    assert prepared.flux.flags.c_contiguous
    assert prepared.flux.shape == (7, 7214)
    assert prepared.flags.dtype == np.int64
    assert not prepared.flux[~prepared.valid].any()
    assert np.all(prepared.variance[prepared.valid] > 0)
    assert np.isnan(prepared.variance[~prepared.valid]).all()


PLAIN = Recipe.from_dict({"steps": [{"step": "resample"}]})


@pytest.mark.parametrize(
    ("factor", "sigma"), [(1e44, 5.0), (-1e44, 5.0), (1.0, 1e-40), (1.0, 1e30)]
)
def test_what_single_precision_cannot_hold_does_not_count(make_star, factor, sigma):
    """Such pixels would be infinite, or have errors of zero and weigh without limit."""
    whole = prepare_spectra([make_star()], "apogee_8575", PLAIN)
    star = make_star()
    star.flux[6000:] *= factor
    star.sigma[6000:] = sigma
    found = prepare_spectra([star], "apogee_8575", PLAIN)
    assert not found.valid[0, 6000:].any()
    far = slice(5900)  # neighbours of absurd pixels are left out as well
    np.testing.assert_array_equal(found.valid[0, far], whole.valid[0, far])
    assert np.isfinite(found.flux).all()
    assert np.isfinite(1 / found.variance[found.valid]).all()


def test_a_row_of_which_nothing_is_left_is_flagged(make_star):
    star = make_star()
    star.sigma[:] = 1e-40
    found = prepare_spectra([star], "apogee_8575", PLAIN)
    assert not found.usable[0]
    assert "NO_SIGNAL" in flags_of(found)


def test_a_bad_spectrum_keeps_its_row(make_star):
    prepared = prepare_spectra(several(make_star), "apogee_7214", APOGEE_RECIPE)
    assert prepared.usable.tolist() == [True] * 4 + [False] + [True] * 2
    assert prepared.observations[4].obs_id == "broken"
    assert prepared.observations[4].message == "no such file"
    assert not prepared.valid[4].any()


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    seed=st.integers(0, 100),
    value=st.sampled_from([0.0, -1e30, 1e30, np.inf, np.nan]),
    recipe=st.sampled_from(RECIPES),
    shifted=st.booleans(),
)
def test_masked_pixels_never_matter(make_star, seed, value, recipe, shifted):
    rng = np.random.default_rng(seed)
    mask = rng.random(8575) < 0.1
    facts = {"resolving_power": 30_000.0}
    if shifted:
        facts |= {"frame": "barycentric", "radial_velocity": 12.3}
    star = make_star(seed=seed, mask=mask, **facts)
    worse = replace(
        star,
        flux=np.where(mask, value, star.flux),
        sigma=np.where(mask, value, star.sigma),
    )
    first, second = (prepare_spectra([s], "apogee_7214", recipe) for s in (star, worse))
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_the_input_is_left_alone(make_star):
    star = make_star(frame="barycentric", radial_velocity=5.0)
    copies = [np.copy(a) for a in (star.wavelength, star.flux, star.sigma, star.mask)]
    prepare_spectra([star], "apogee_7214", APOGEE_RECIPE)
    now = (star.wavelength, star.flux, star.sigma, star.mask)
    for before, after in zip(copies, now, strict=True):
        np.testing.assert_array_equal(before, after)


def test_signal_to_noise_survives(make_star):
    prepared = prepare_spectra([make_star(noise=0.02)], "apogee_7214", APOGEE_RECIPE)
    # 1 % of 500 in the file; the median of the flux is a little below 500.
    expected = (500 * 0.02 / prepared.scale[0, 0]) ** 2
    np.testing.assert_allclose(prepared.variance[0, :2920], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("keep", "flag"),
    [
        (slice(0, 800), "NO_OVERLAP"),
        (slice(0, 6000), "SEGMENT_MISSING"),
        (slice(0, 7800), "PARTIAL_COVERAGE"),
    ],
)
def test_coverage(make_star, keep, flag):
    star = make_star()
    cut = replace(
        star,
        wavelength=star.wavelength[keep],
        flux=star.flux[keep],
        sigma=star.sigma[keep],
        mask=star.mask[keep],
    )
    prepared = prepare_spectra([cut], "apogee_7214", APOGEE_RECIPE)
    assert flag in flags_of(prepared)
    assert prepared.usable[0] == (flag != "NO_OVERLAP")


def test_limits_belong_to_the_recipe(make_star):
    star = make_star()
    star = replace(star, mask=np.arange(8575) % 4 == 0)
    strict = Recipe(APOGEE_RECIPE.steps, {"max_bad": 0.2})
    loose = Recipe(APOGEE_RECIPE.steps, {"max_bad": 0.3})
    flagged = prepare_spectra([star], "apogee_7214", strict)
    assert "MANY_BAD_PIXELS" in flags_of(flagged)
    assert "MANY_BAD_PIXELS" not in flags_of(
        prepare_spectra([star], "apogee_7214", loose)
    )


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        ({"flux": np.zeros(8575)}, "NO_SIGNAL"),
        ({"flux": np.full(8575, np.nan)}, "NO_SIGNAL"),
        ({"flux": np.full(8575, -3.0)}, "NO_SIGNAL"),
        ({"mask": np.ones(8575, dtype=bool)}, "NO_SIGNAL"),
        ({"sigma": None}, "NO_UNCERTAINTY"),
        ({"sigma": np.full(8575, np.nan)}, "NO_UNCERTAINTY"),
        ({"sigma": np.zeros(8575)}, "NO_UNCERTAINTY"),
        ({"wavelength": np.ones(8575)}, "UNREADABLE"),
    ],
)
def test_bad_arrays_are_flagged(make_star, change, flag):
    star = replace(make_star(), **change)
    prepared = prepare_spectra([star, make_star()], "apogee_7214", APOGEE_RECIPE)
    assert flag in flags_of(prepared)
    assert prepared.usable.tolist() == [flag == "NO_UNCERTAINTY", True]
    assert np.isnan(prepared.variance[0]).all()


def test_pixels_without_an_error_are_not_used(make_star):
    star = make_star()
    sigma = star.sigma.copy()
    sigma[1000:1010] = 0.0
    prepared = prepare_spectra([replace(star, sigma=sigma)], "apogee_7214", SIGMA_CLIP)
    assert np.flatnonzero(~prepared.valid[0]).tolist() == list(range(678, 688))


@pytest.mark.parametrize(
    ("power", "flag"),
    [(2000.0, "RESOLUTION_TOO_LOW"), (np.nan, "RESOLUTION_UNKNOWN")],
)
def test_resolution_is_flagged_and_nothing_convolved(make_star, power, flag):
    star = make_star()
    plain = prepare_spectra([star], "apogee_7214", APOGEE_RECIPE)
    other = prepare_spectra(
        [make_star(resolving_power=power)], "apogee_7214", APOGEE_RECIPE
    )
    assert flag in flags_of(other)
    np.testing.assert_array_equal(other.flux, plain.flux)


def test_normalised_input_where_shape_is_wanted(make_star):
    recipe = Recipe(APOGEE_RECIPE.steps, {"normalisation": "none"})
    star = make_star(normalisation="continuum")
    prepared = prepare_spectra([star], "apogee_7214", recipe)
    assert flags_of(prepared) == {"WRONG_NORMALISATION"}


def test_velocities_of_the_caller(make_star):
    stars = [make_star(frame="barycentric") for _ in range(3)]
    options = {"radial_velocity": np.array([10.0, 20.0, 30.0]) * u.km / u.s}
    prepared = prepare_spectra(stars, "apogee_7214", APOGEE_RECIPE, **options)
    assert prepared.radial_velocity.tolist() == [10.0, 20.0, 30.0]
    assert prepared.radial_velocity_source == ["caller"] * 3
    for wrong in ([1.0, 2.0], [1.0, 2.0, 3.0, 4.0]):
        with pytest.raises(ValueError, match=f"{len(wrong)} radial velocities"):
            prepare_spectra(stars, "apogee_7214", APOGEE_RECIPE, radial_velocity=wrong)


def test_nothing_gives_an_empty_batch():
    prepared = prepare_spectra([], "apogee_7214", APOGEE_RECIPE)
    assert prepared.flux.shape == (0, 7214)
    assert len(prepared) == 0


def test_unknown_grid_and_chunk_size(make_star):
    with pytest.raises(UnknownNameError, match="apogee_7215"):
        prepare_spectra([make_star()], "apogee_7215", APOGEE_RECIPE)
    with pytest.raises(ValueError, match="not 0"):
        next(iter_prepared([], "apogee_7214", APOGEE_RECIPE, chunk_size=0))


def test_harps_product(make_star):
    wavelength = 3781.73 + 0.01 * np.arange(313_131)
    star = make_star(
        wavelength=wavelength,
        sigma=False,
        medium="air",
        frame="barycentric",
        resolving_power=115_000.0,
    )
    prepared = prepare_spectra([star], "harps_327680", HARPS_RECIPE)
    assert flags_of(prepared) == {"NO_UNCERTAINTY"}
    valid = prepared.grid.valid
    np.testing.assert_array_equal(prepared.valid[0], valid)
    cut = star.flux[327 : 327 + 312_501][valid[7589:320_090]]
    assert prepared.scale[0, 0] == np.median(cut)
    np.testing.assert_array_equal(
        prepared.flux[0, valid], (cut / np.median(cut)).astype(np.float32)
    )


def test_object_door_and_bulk_door_agree(make_star):
    from astro_latent.spectra import to_spectrum

    stars = [make_star(seed=k) for k in range(2)]
    bulk = prepare_spectra(stars, "apogee_7214", APOGEE_RECIPE)
    objects = prepare_spectra(
        [to_spectrum(star) for star in stars], "apogee_7214", APOGEE_RECIPE
    )
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(bulk, name), getattr(objects, name))
