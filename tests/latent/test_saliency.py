# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Saliency against a linear model, whose derivatives are its weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from astro_latent.latent import measure_saliency
from astro_latent.models import SpectralModel
from astro_latent.models.check import reference_input
from astro_latent.models.config import ModelConfig
from astro_latent.models.inference import Runner
from astro_latent.models.pretrained import choose_device
from astro_latent.utils.quality import QualityFlag

N_PIXELS = 40
SCALES = np.array([400.0, 0.5])


class Linear(torch.nn.Module):
    """Labels that are sums of weighted valid pixels."""

    def __init__(self, weights):
        super().__init__()
        self.n_pixels, self.n_outputs = N_PIXELS, 2
        self.weights = torch.nn.Parameter(torch.tensor(weights, dtype=torch.float32))

    def features(self, flux, valid):
        return torch.where(valid, flux, 0.0)

    def head(self, features):
        return features @ self.weights.T

    def forward(self, flux, valid):
        return self.head(self.features(flux, valid))


@pytest.fixture
def weights(rng):
    return rng.normal(size=(2, N_PIXELS))


@pytest.fixture
def model(weights):
    config = ModelConfig.from_dict(
        {
            "schema_version": 1, "name": "linear_v1", "version": "1", "title": "Linear",
            "description": "For tests.", "survey": "none", "architecture": "starnet",
            "arguments": {},
            "grid": {
                "name": "short", "spacing": "linear", "start": 5000.0, "step": 1.0,
                "n_pixels": N_PIXELS, "medium": "air", "frame": "rest",
                "segments": [[0, N_PIXELS]], "resolving_power": 5000.0,
            },
            "recipe": {"steps": [{"step": "resample"}]},
            "outputs": [
                {"name": "teff", "unit": "K", "scale": 400.0, "offset": 4800.0},
                {"name": "logg", "unit": "dex", "scale": 0.5, "offset": 2.5},
            ],
            "weights": {"file": "none", "sha256": "0", "size": 0, "dtype": "float32"},
            "licence": "BSD-3-Clause", "citation": "None.",
        }
    )  # fmt: skip
    return SpectralModel(config, [Linear(weights)], runner=Runner(choose_device("cpu")))


def test_saliency_of_a_linear_model_is_its_weights(model, weights):
    prepared = reference_input(model, range(150))  # more than two blocks
    saliency = measure_saliency(model, prepared)
    expected = weights * SCALES[:, None]
    assert saliency.n_spectra.tolist() == prepared.valid.sum(0).tolist()
    np.testing.assert_allclose(saliency.mean, expected, rtol=1e-5)
    np.testing.assert_allclose(saliency.magnitude, np.abs(expected), rtol=1e-5)
    assert saliency.labels == ("teff", "logg")
    assert saliency.units == ("K", "dex")
    np.testing.assert_array_equal(saliency.wavelength, model.grid.wavelength)


def test_pixels_that_are_never_valid_have_no_saliency(model):
    prepared = reference_input(model, range(3))
    prepared.valid[:, 7] = False
    saliency = measure_saliency(model, prepared)
    assert saliency.n_spectra[7] == 0
    assert np.isnan(saliency.mean[:, 7]).all()
    assert np.isnan(saliency.magnitude[:, 7]).all()
    assert np.isfinite(np.delete(saliency.mean, 7, axis=1)).all()


def test_signs_cancel_in_the_mean_and_not_in_the_magnitude(model, weights):
    class Square(Linear):
        def head(self, features):
            return super().head(features) ** 2 / 2.0

    prepared = reference_input(model, range(1))
    prepared.valid[:] = True
    flux = np.concatenate([prepared.flux, -prepared.flux])
    both = reference_input(model, [0, 0])
    both.valid[:] = True
    square = SpectralModel(model.config, [Square(weights)], runner=model.runner)
    saliency = measure_saliency(square, replace(both, flux=flux))
    value = weights @ flux[0].astype(float)
    expected = np.abs(value[:, None] * weights) * SCALES[:, None]
    np.testing.assert_allclose(saliency.mean, 0.0, atol=1e-3)
    np.testing.assert_allclose(saliency.magnitude, expected, rtol=1e-4)


def test_per_sigma_is_in_standard_deviations_of_each_pixel(model, weights, rng):
    prepared = reference_input(model, range(1))
    variance = rng.uniform(1e-5, 1e-3, prepared.variance.shape).astype(np.float32)
    prepared = replace(prepared, variance=variance)
    saliency = measure_saliency(model, prepared, per_sigma=True)
    assert saliency.per_sigma
    # what a sum of weighted pixels inherits from their errors
    error = np.sqrt((weights * SCALES[:, None]) ** 2 @ (variance * prepared.valid)[0])
    np.testing.assert_allclose(
        np.sqrt(np.nansum(saliency.mean**2, axis=1)), error, rtol=1e-4
    )


def test_pixels_without_a_variance_do_not_count_per_sigma(model):
    prepared = reference_input(model, range(2))
    prepared.valid[:] = True
    prepared.variance[0, 3] = np.nan
    prepared.variance[:, 4] = np.nan
    saliency = measure_saliency(model, prepared, per_sigma=True)
    assert saliency.n_spectra[[3, 4, 5]].tolist() == [1, 0, 2]
    assert np.isfinite(saliency.mean[:, 3]).all()
    assert np.isnan(saliency.mean[:, 4]).all()


def test_unusable_spectra_are_left_out(model, weights):
    prepared = reference_input(model, range(4))
    prepared.valid[:] = True
    flags = np.array([0, int(QualityFlag.UNREADABLE), 0, 0])
    prepared = replace(prepared, flags=flags)
    saliency = measure_saliency(model, prepared)
    assert (saliency.n_spectra == 3).all()
    np.testing.assert_allclose(saliency.mean, weights * SCALES[:, None], rtol=1e-5)


def test_nothing_usable_is_an_error(model):
    prepared = reference_input(model, range(2))
    prepared = replace(prepared, flags=prepared.flags | int(QualityFlag.UNREADABLE))
    with pytest.raises(ValueError, match="none of 2 spectra"):
        measure_saliency(model, prepared)


def test_rows_are_found_by_label(model):
    saliency = measure_saliency(model, reference_input(model, range(1)))
    assert saliency.row("logg") == 1
    with pytest.raises(ValueError, match="no label 'mg_h'; there are teff, logg"):
        saliency.row("mg_h")
