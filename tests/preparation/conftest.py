# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Simulated spectra for the tests of the preparation."""

import numpy as np
import pytest

from astro_latent.preparation import get_grid
from astro_latent.spectra.observation import Observation, SpectrumArrays

FACTS = {
    "medium": "vacuum",
    "frame": "rest",
    "normalisation": "none",
    "resolving_power": 22500.0,
}


@pytest.fixture
def make_star():
    """Return a maker of spectra with lines, on the apStar grid unless told."""

    def make(*, wavelength=None, noise=0.01, seed=1, sigma=True, mask=None, **facts):
        rng = np.random.default_rng(seed)
        if wavelength is None:
            wavelength = get_grid("apogee_8575").wavelength
        depth = np.zeros(len(wavelength))
        centres = rng.uniform(wavelength[0], wavelength[-1], 60)
        for centre in centres:
            width = centre / 22500 / 2.3548 * 1.5
            depth += 0.3 * np.exp(-0.5 * ((wavelength - centre) / width) ** 2)
        flux = 500.0 * (1 - depth) * (1 + noise * rng.normal(size=len(wavelength)))
        no_mask = np.zeros(len(wavelength), dtype=bool)
        return SpectrumArrays(
            wavelength=wavelength,
            flux=flux,
            sigma=np.full(len(wavelength), 500 * noise) if sigma else None,
            mask=no_mask if mask is None else mask,
            observation=Observation(**{**FACTS, **facts}),
        )

    return make
