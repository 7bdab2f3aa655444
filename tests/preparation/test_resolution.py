# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The step that matches the resolving power: how wide, and when nothing is done."""

import numpy as np
import pytest

from astro_latent.preparation import Recipe, SpectralGrid, prepare_spectra
from astro_latent.spectra import decode_flags
from astro_latent.spectra.observation import Observation, SpectrumArrays

CENTRE = 6020.0  # Angstrom
FWHM = 2 * np.sqrt(2 * np.log(2))  # of a Gaussian, in standard deviations
GRID = SpectralGrid(
    name="fine",
    spacing="log10",
    start=np.log10(6000.0),
    step=1e-6,
    n_pixels=2900,
    medium="air",
    frame="rest",
    segments=((0, 2900),),
    resolving_power=20_000.0,
)


def line(resolving_power):
    """Return a spectrum of one Gaussian line that the instrument has not resolved."""
    x = np.log(GRID.wavelength / CENTRE)
    flux = 1 - 0.5 * np.exp(-0.5 * (x * FWHM * resolving_power) ** 2)
    facts = Observation(
        medium="air",
        frame="rest",
        normalisation="continuum",
        resolving_power=resolving_power,
    )
    return SpectrumArrays(
        wavelength=GRID.wavelength,
        flux=flux,
        sigma=np.full(len(flux), 0.01),
        mask=np.zeros(len(flux), dtype=bool),
        observation=facts,
    )


def match(spectrum, **parameters):
    steps = [{"step": "match_resolution", **parameters}, {"step": "resample"}]
    return prepare_spectra([spectrum], GRID, Recipe.from_dict({"steps": steps}))


@pytest.mark.parametrize("power", [25_000.0, 30_000.0, 80_000.0])
def test_a_line_is_as_wide_as_the_model_expects(power):
    """Area is kept, and the width is that of the grid, not wider and not narrower."""
    prepared = match(line(power))
    x = np.log(GRID.wavelength / CENTRE)
    depth = 0.5 * GRID.resolving_power / power
    truth = 1 - depth * np.exp(-0.5 * (x * FWHM * GRID.resolving_power) ** 2)
    np.testing.assert_allclose(prepared.flux[0], truth, atol=2e-3 * depth)
    assert decode_flags(prepared.flags[0]) == []


@pytest.mark.parametrize(
    ("parameters", "ratio", "outcome"),
    [
        ({}, 0.94, "flagged"),
        ({}, 0.96, "kept"),
        ({}, 1.04, "kept"),
        ({}, 1.06, "smoothed"),
        ({"tolerance": 0.1}, 0.89, "flagged"),
        ({"tolerance": 0.1}, 0.91, "kept"),
        ({"tolerance": 0.1}, 1.09, "kept"),
        ({"tolerance": 0.1}, 1.11, "smoothed"),
        ({"tolerance": 0.0}, 0.999, "flagged"),
        ({"tolerance": 0.0}, 1.0, "kept"),
        ({"tolerance": 0.0}, 1.001, "smoothed"),
    ],
)
def test_within_the_tolerance_nothing_is_done(parameters, ratio, outcome):
    spectrum = line(ratio * GRID.resolving_power)
    prepared = match(spectrum, **parameters)
    same = np.array_equal(prepared.flux[0], spectrum.flux.astype(np.float32))
    assert same == (outcome != "smoothed")
    assert ("RESOLUTION_TOO_LOW" in decode_flags(prepared.flags[0])) == (
        outcome == "flagged"
    )
