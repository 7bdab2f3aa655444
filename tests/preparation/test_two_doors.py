"""Whatever is wrong with pixels, all doors leave the same ones out, to the last bit."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.nddata import InverseVariance, StdDevUncertainty
from hypothesis import given, settings
from hypothesis import strategies as st
from specutils import Spectrum

from astro_latent.preparation import prepare_spectra
from astro_latent.preparation.grid import SpectralGrid
from astro_latent.preparation.recipe import Recipe
from astro_latent.spectra import Observation, SpectrumArrays
from astro_latent.utils.quality import NOTICE_FLAGS, QualityFlag

N = 2000
GRID = SpectralGrid(
    name="short",
    spacing="linear",
    start=5010.0,
    step=0.25,
    n_pixels=720,
    medium="unknown",
    frame="unknown",
    segments=((0, 320), (400, 720)),
    resolving_power=1000.0,
)
RECIPE = Recipe.from_dict(
    {
        "steps": [
            {"step": "resample", "method": "flux_conserving"},
            {"step": "continuum", "method": "chebyshev", "degree": 2, "pixels": None},
        ]
    }
)


def block(*values):
    def spoil(array, at, _):
        array[at : at + 40] = np.resize(values, len(array[at : at + 40]))

    return spoil


def scatter(*values):
    def spoil(array, _, rng):
        where = rng.integers(0, N, 60)
        array[where] = rng.choice(values, 60)

    return spoil


def freeze(array, at, _):
    array[at : at + 150] = array[at]


def repeat(array, _, __):
    array[600:1000] = array[100:500]


DIRT = {
    "zero run": ("flux", block(0.0)),
    "lost pixels": ("flux", scatter(0.0)),
    "no numbers": ("flux", scatter(np.nan, np.inf, -np.inf)),
    "absurd flux": ("flux", block(1e21, -1e21)),
    "absurd pixels": ("flux", scatter(3e9, -1e12)),
    "frozen": ("flux", freeze),
    "repeated": ("flux", repeat),
    "no errors": ("sigma", scatter(0.0, -1.0, np.nan, np.inf)),
    "huge errors": ("sigma", scatter(1e3, 1e10, 3e5)),
    "huge block": ("sigma", block(1e12)),
    "tiny errors": ("sigma", scatter(1e-9, 1e-12)),
}


def make(kinds, seed):
    rng = np.random.default_rng(seed)
    wavelength = 5000.0 + 0.1 * np.arange(N)
    flux = 1 + 0.2 * np.sin(wavelength / 7) + rng.normal(0, 0.02, N)
    arrays = {"flux": flux.astype("f4"), "sigma": np.full(N, 0.02, "f4")}
    for kind in kinds:
        name, spoil = DIRT[kind]
        spoil(arrays[name], int(rng.integers(0, N - 40)), rng)
    return wavelength, arrays["flux"], arrays["sigma"]


def write_table(path, wavelength, flux, sigma):
    columns = [
        fits.Column("WAVE", "D", "Angstrom", array=wavelength),
        fits.Column("FLUX", "E", "Jy", array=flux),
        fits.Column("ERR", "E", "Jy", array=sigma),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(path)
    return path


def prepare(*sources, recipe=RECIPE):
    return prepare_spectra(list(sources), GRID, recipe, progress=False)


def assert_rows_equal(prepared):
    for row in range(1, len(prepared)):
        for name in ("valid", "flux", "variance", "scale", "flags"):
            array = getattr(prepared, name)
            np.testing.assert_array_equal(array[row], array[0], f"{name}, row {row}")


@settings(max_examples=60, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(sorted(DIRT)), max_size=4),
    seed=st.integers(0, 2**32),
)
def test_a_file_and_objects_give_the_same_bits(kinds, seed):
    wavelength, flux, sigma = make(kinds, seed)
    spectrum = Spectrum(
        spectral_axis=wavelength * u.AA,
        flux=flux * u.Jy,
        uncertainty=StdDevUncertainty(sigma),
    )
    arrays = SpectrumArrays(
        wavelength=wavelength,
        flux=flux,
        sigma=sigma,
        mask=np.zeros(N, dtype=bool),
        flux_unit=u.Jy,
        observation=Observation(),
    )
    columns = {"wavelength": wavelength * u.AA, "flux": flux * u.Jy, "error": sigma}
    with TemporaryDirectory() as folder:
        path = write_table(Path(folder, "star.fits"), wavelength, flux, sigma)
        prepared = prepare(path, spectrum, arrays, columns)
    assert_rows_equal(prepared)
    assert prepared.usable.all()


@settings(max_examples=20, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(sorted(DIRT)[:8]), max_size=3),
    seed=st.integers(0, 2**32),
)
def test_an_image_without_errors_and_an_object_give_the_same_bits(kinds, seed):
    _, flux, _ = make(kinds, seed)
    header = {"CRVAL1": 5000.0, "CDELT1": 0.1, "CRPIX1": 1.0, "CUNIT1": "Angstrom"}
    image = fits.PrimaryHDU(flux, fits.Header({"CTYPE1": "WAVE", **header}))
    axis = 5000.0 + 0.1 * np.arange(N)
    spectrum = Spectrum(spectral_axis=axis * u.AA, flux=flux * u.Jy)
    with TemporaryDirectory() as folder:
        path = Path(folder, "star.fits")
        image.writeto(path)
        assert_rows_equal(prepare(path, spectrum))


@pytest.mark.parametrize("kind", sorted(DIRT))
def test_dirt_is_left_out(kind):
    """Nothing of it is left beyond five sigma, and not all goes with it."""
    made = [SpectrumArrays(**as_arrays(*make(kinds, 1))) for kinds in ([], [kind])]
    recipe = Recipe.from_dict({"steps": [{"step": "resample"}]})
    clean, dirty = (prepare(arrays, recipe=recipe) for arrays in made)
    left = dirty.valid[0] & clean.valid[0]
    assert left.sum() > 0.35 * clean.valid[0].sum()
    difference = np.abs(dirty.flux[0] - clean.flux[0])[left]
    assert difference.max() < 5 * np.sqrt(np.max(clean.variance[0][left]))


def as_arrays(wavelength, flux, sigma):
    mask = np.zeros(N, dtype=bool)
    return {"wavelength": wavelength, "flux": flux, "sigma": sigma, "mask": mask}


def test_absurd_errors_are_a_notice_that_counts_them():
    wavelength, flux, sigma = make([], 2)
    sigma[[5, 700, 1500]] = 1e4, 3e6, 1e-9
    prepared = prepare(SpectrumArrays(**as_arrays(wavelength, flux, sigma)))
    assert prepared.flags[0] & QualityFlag.ABSURD_ERRORS
    assert not prepared.flags[0] & QualityFlag.ABSURD_ERRORS & ~NOTICE_FLAGS
    assert "3 pixels with absurd errors" in prepared.observations[0].message


@pytest.mark.parametrize("factor", [15.0, 0.05])
def test_errors_that_vary_as_real_ones_do_stay(factor):
    wavelength, flux, sigma = make([], 3)
    sigma[::50] *= factor  # sky lines; and a spectrum fainter than its noise
    for level in (1.0, 0.01):
        given = as_arrays(wavelength, level * flux, sigma)
        prepared = prepare(SpectrumArrays(**given))
        assert not prepared.flags[0] & QualityFlag.ABSURD_ERRORS
        assert prepared.valid[0].sum() == 640


def test_inverse_variances_are_those_of_files(tmp_path):
    wavelength, flux, sigma = make(["huge errors", "no errors"], 4)
    with np.errstate(divide="ignore"):
        ivar = np.where(np.isfinite(sigma) & (sigma > 0), sigma.astype(float) ** -2, 0)
    columns = [
        fits.Column("WAVE", "D", "Angstrom", array=wavelength),
        fits.Column("FLUX", "E", "Jy", array=flux),
        fits.Column("IVAR", "D", "Jy-2", array=ivar),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "star.fits")
    spectrum = Spectrum(
        spectral_axis=wavelength * u.AA,
        flux=flux * u.Jy,
        uncertainty=InverseVariance(ivar),
    )
    assert_rows_equal(prepare(tmp_path / "star.fits", spectrum))
