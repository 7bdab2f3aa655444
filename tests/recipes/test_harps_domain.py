# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Autoencoders see that a spectrum is not of their kind."""

import numpy as np
import pytest

from astro_latent.models import load_model
from astro_latent.preparation import prepare_spectra
from astro_latent.utils.quality import QualityFlag
from recipes.harps.domain import M_DWARFS, SINGLE, DomainTask, describe_foreign

NAMES = ("harps_dae_fast_v1", "harps_dae128_v1")


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


def test_directions_find_what_is_simulated_anew(real_data):
    """Metal-poor stars lie beyond the limit, few others do; noise needs no network."""
    model = load_model("harps_dae_fast_v1", device="cpu")
    task = DomainTask(n_batches=2, n_poor=2, seed=4711)
    mean, directions, domain, report = describe_foreign(model, real_data, task)
    assert directions.shape == (2, model.config.n_outputs)
    shares = report["domain"]["flagged by latents, by lines, by either"]
    assert shares["metal-poor"][0] == 10
    assert shares["metal-poor"][3] >= 0.7
    assert shares["training's kind"][3] <= 0.3
    stored = model.config.domain["unexplained_limit"]
    assert domain["unexplained_limit"] == pytest.approx(stored, rel=1e-3)
    assert np.isfinite(mean).all()
    star = np.flatnonzero(directions.any(axis=0))
    assert star.tolist() == list(range(4, 16))  # neither sky nor instrument
