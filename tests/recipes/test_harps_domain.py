# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Autoencoders see that a spectrum is not of their kind."""

from dataclasses import replace

import numpy as np
import pytest

from astro_latent.models import load_model
from astro_latent.preparation import prepare_spectra
from astro_latent.spectra import iter_arrays
from astro_latent.utils.quality import QualityFlag
from recipes.harps.domain import M_DWARFS, SINGLE, DomainTask, describe_foreign

NAMES = ("harps_dae_fast_v1", "harps_dae128_v1")
SUN, FAST = (
    "harps/s1d/sun01_harps_daysky.fits",
    "harps/s1d/HD111998_38Vir_HARPS_2017.fits",
)


def flagged(model, data, patterns):
    files = sorted(path for pattern in patterns for path in data.glob(pattern))
    prepared = prepare_spectra(files, model.grid, model.recipe, progress=False)
    flags = model.reconstruct(prepared, keep_flux=False).latents.flags
    return (flags & QualityFlag.UNLIKE_TRAINING) != 0


@pytest.mark.parametrize("name", NAMES)
def test_real_single_stars_are_inside_and_m_dwarfs_outside(real_data, name):
    model = load_model(name, device="cpu")
    assert not flagged(model, real_data, SINGLE[1:]).any()
    assert flagged(model, real_data, M_DWARFS).all()


def test_the_network_that_was_set_renders_m_dwarfs_badly_and_says_so(real_data):
    model = load_model("harps_dae128_v2", device="cpu")
    files = sorted(path for pattern in M_DWARFS for path in real_data.glob(pattern))
    prepared = prepare_spectra(files, model.grid, model.recipe, progress=False)
    flags = model.reconstruct(prepared, keep_flux=False).flags
    assert ((flags & QualityFlag.POOR_RECONSTRUCTION) != 0).all()
    assert not flagged(model, real_data, SINGLE[1:]).any()


def test_directions_find_what_is_simulated_anew(real_data):
    """Metal-poor stars lie beyond the limit, few others do; noise needs no network."""
    model = load_model("harps_dae_fast_v1", device="cpu")
    task = DomainTask(n_batches=2, n_poor=2, seed=4711)
    mean, directions, domain, report = describe_foreign(model, real_data, task)
    assert directions.shape == (1, model.config.n_outputs)
    shares = report["domain"]["flagged by latents, by lines, as double, by any"]
    assert shares["metal-poor"][0] == 10
    assert shares["metal-poor"][4] >= 0.7
    assert shares["two stars"][3] >= 0.8
    assert shares["training's kind"][3] == 0
    assert shares["training's kind"][4] <= 0.3
    stored = model.config.domain["unexplained_limit"]
    assert domain["unexplained_limit"] == pytest.approx(stored, rel=1e-3)
    assert np.isfinite(mean).all()
    star = np.flatnonzero(directions.any(axis=0))
    assert star.tolist() == list(range(4, 16))  # neither sky nor instrument


def ripple(spectrum, period):
    """A ripple of 5 % of the flux."""
    factor = 1 + 0.05 * np.sin(2 * np.pi * spectrum.wavelength / period)
    return replace(spectrum, flux=spectrum.flux * factor)


def cosmics(spectrum, rng):
    """A pixel in a thousand is several times as bright."""
    flux = spectrum.flux.copy()
    hit = rng.random(len(flux)) < 1e-3
    flux[hit] *= 1 + 3 * rng.exponential(1.0, hit.sum())
    return replace(spectrum, flux=flux)


@pytest.mark.parametrize("name", [*NAMES, "harps_parameters_v2"])
def test_ripples_and_cosmics_do_not_make_a_star_strange(real_data, rng, name):
    model = load_model(name, device="cpu")
    sun, fast = (next(iter(iter_arrays(str(real_data / file)))) for file in (SUN, FAST))
    spectra = [ripple(fast, 10.0), ripple(sun, 400.0), cosmics(fast, rng)]
    prepared = prepare_spectra(spectra, model.grid, model.recipe, progress=False)
    if name in NAMES:
        flags = model.reconstruct(prepared, keep_flux=False).latents.flags
    else:
        flags = model.predict(prepared, flux_errors=False).flags
    strange = int(QualityFlag.UNLIKE_TRAINING | QualityFlag.DOUBLE_LINED)
    assert not np.any(flags & strange)


def test_an_autoencoder_sees_two_real_stars(real_data):
    model = load_model(NAMES[0], device="cpu")
    sun, fast = (next(iter(iter_arrays(str(real_data / file)))) for file in (SUN, FAST))

    def add(one, other, ratio, velocity):
        moved = other.wavelength * (1 + velocity / 299_792.458)
        flux = np.interp(one.wavelength, moved, other.flux)
        both = (one.flux > 0) & (flux > 0)
        parts = [each / np.median(each[both]) for each in (one.flux, flux)]
        return replace(one, flux=np.where(both, parts[0] + ratio * parts[1], 0.0))

    spectra = [
        sun, fast, add(sun, sun, 0.25, 16.0), add(sun, fast, 0.5, -25.0),
        add(fast, sun, 0.25, 45.0),
    ]  # fmt: skip
    prepared = prepare_spectra(spectra, model.grid, model.recipe, progress=False)
    flags = model.reconstruct(prepared, keep_flux=False).flags
    double = (flags & int(QualityFlag.DOUBLE_LINED)) != 0
    assert double.tolist() == [False, False, True, True, True]
