"""Fixtures for the spectra tests: one true-to-format file of each kind."""

import numpy as np
import pytest

from astro_latent.spectra import EXAMPLE_FORMATS, FORMATS, write_example

LOG_GRID = 10 ** (4.179 + 6e-6 * np.arange(8575))


def _grid(name):
    if name in ("apstar", "aspcapstar"):
        return LOG_GRID
    if name in ("lamost_lrs", "sdss_spec"):
        return 10 ** (3.5682 + 1e-4 * np.arange(3904))
    if name == "gaia":
        return 8460 + 0.1 * np.arange(2401)
    if name == "apvisit":
        chips = ((15142, 15810, 4096), (15857, 16435, 4096), (16472, 16955, 4096))
        return np.concatenate([np.linspace(*chip) for chip in chips])
    return 5000 + 0.01 * np.arange(6000)


def file_name(name):
    """Return a name for a file of a format."""
    return f"{name}.{'vot' if FORMATS[name].container == 'votable' else 'fits'}"


@pytest.fixture
def grid():
    """Return the wavelengths that suit a format."""
    return _grid


@pytest.fixture
def example(tmp_path, rng):
    """Return a function that writes an example and returns path, grid and flux."""

    def write(name, **kwargs):
        wavelength = kwargs.pop("wavelength", None)
        wavelength = _grid(name) if wavelength is None else wavelength
        flux = kwargs.pop("flux", None)
        if flux is None:
            flux = rng.normal(100, 1, wavelength.size).astype(np.float32)
        target = tmp_path / kwargs.pop("name", file_name(name))
        return write_example(name, target, wavelength, flux, **kwargs), wavelength, flux

    return write


@pytest.fixture(scope="session")
def samples(tmp_path_factory):
    """One file of each format, by name."""
    folder = tmp_path_factory.mktemp("samples")
    rng = np.random.default_rng(5)
    return {
        name: write_example(
            name,
            folder / file_name(name),
            _grid(name),
            rng.normal(100, 1, _grid(name).size).astype(np.float32),
        )
        for name in EXAMPLE_FORMATS
    }
