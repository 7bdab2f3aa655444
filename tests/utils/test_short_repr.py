# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What notebooks show of results: one line, whatever the size."""

import numpy as np
import pytest

import astro_latent as al
from astro_latent.latent import measure_dispersion, measure_saliency
from astro_latent.preparation import prepare_spectra


@pytest.fixture(scope="module")
def sample():
    return al.get_survey("sample").table()


def test_results_of_models_are_short(sample):
    harps = sample[sample["survey"] == "harps"]
    encoder = al.load_model("harps_dae_fast_v1")
    prepared = prepare_spectra(harps, encoder.grid, encoder.recipe)
    assert repr(prepared) == (
        f"<PreparedSpectra: {len(harps)} of {len(harps)} usable, on harps_327680, "
        "327680 pixels>"
    )
    found = encoder.reconstruct(prepared)
    assert repr(found.latents).startswith(
        f"Latents(mean=float32 ({len(harps)}, 48), sigma=float32"
    )
    for result in (found, found.latents, measure_dispersion(found.latents.mean)):
        assert len(repr(result)) < 400
        assert "\n" not in repr(result)


def test_saliency_is_short(sample):
    model = al.load_model("apogee_starnet_v1")
    apogee = sample[sample["survey"] == "apogee"][:1]
    prepared = prepare_spectra(apogee, model.grid, model.recipe)
    text = repr(measure_saliency(model, prepared))
    assert "mean=float64 (5, 7214)" in text
    assert len(text) < 400


def test_rows_of_a_batch_are_batches(sample):
    model = al.load_model("apogee_starnet_v1")
    apogee = sample[sample["survey"] == "apogee"]
    prepared = prepare_spectra(apogee, model.grid, model.recipe)
    last = prepared[-1]
    assert len(last) == 1
    np.testing.assert_array_equal(last.flux[0], prepared.flux[-1])
    assert last.observations == prepared.observations[-1:]
    with pytest.raises(IndexError):
        prepared[len(prepared)]


def test_configuration_shows_its_values():
    assert "row_limit=" in repr(al.conf)
    assert "ConfigItem" not in repr(al.conf)
