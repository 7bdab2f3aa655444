# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What pictures of spectra show: lines, bands, masks, limits, names of axes."""

import numpy as np
import pytest
from astropy import units as u
from astropy.nddata import StdDevUncertainty
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from astro_latent.exceptions import SpectrumReadError
from astro_latent.pipeline import reconstruct_spectra
from astro_latent.plotting import HARPS_WINDOWS, plot_reconstruction, plot_spectrum
from astro_latent.preparation import APOGEE_RECIPE, get_grid, prepare_spectra
from astro_latent.spectra import Observation, SpectrumArrays, iter_arrays
from astro_latent.surveys import get_survey

WAVELENGTH = np.linspace(5000.0, 5100.0, 501)


@pytest.fixture
def spectrum():
    flux = 100 * (1 - 0.5 * np.exp(-(((WAVELENGTH - 5040) / 2) ** 2)))
    mask = (WAVELENGTH > 5070) & (WAVELENGTH < 5075)
    return SpectrumArrays(
        wavelength=WAVELENGTH,
        flux=np.where(mask, 1e6, flux),
        mask=mask,
        sigma=0.02 * flux,
        flux_unit=u.Jy,
        observation=Observation(medium="air", frame="rest", target_name="HD 1"),
    )


def test_spectrum_names_its_axes_and_star(spectrum, drawn):
    ax = drawn(plot_spectrum(spectrum))
    assert ax.get_xlabel() == "Wavelength [Å, air, rest frame]"
    assert ax.get_ylabel() == r"Flux [$\mathrm{Jy}$]"
    assert ax.get_title() == "HD 1"
    assert ax.get_xlim() == (5000.0, 5100.0)


def test_masked_pixels_are_shaded_and_set_no_limit(spectrum):
    ax = plot_spectrum(spectrum)
    (line,) = ax.lines
    shown = line.get_ydata()
    assert np.isnan(shown[spectrum.mask]).all()
    np.testing.assert_array_equal(shown[~spectrum.mask], spectrum.flux[~spectrum.mask])
    low, high = ax.get_ylim()
    assert low < 50 < 100 < high < 120
    band, shade = ax.collections
    extents = shade.get_paths()[0].get_extents()
    assert 5069.5 < extents.x0 < extents.x1 < 5075.5
    assert (band.get_label(), shade.get_label()) == (r"$\pm1\sigma$", "masked")


def test_band_is_one_standard_deviation(spectrum):
    band = plot_spectrum(spectrum).collections[0]
    corners = band.get_paths()[0].vertices
    edge = corners[np.isclose(corners[:, 0], 5000.0)][:, 1]
    assert edge.min() == pytest.approx(98, abs=0.01)
    assert edge.max() == pytest.approx(102, abs=0.01)


def test_window_cuts(spectrum):
    ax = plot_spectrum(spectrum, window=(5035, 5045))
    assert ax.get_xlim() == pytest.approx((5035, 5045))
    with pytest.raises(ValueError, match=r"no pixel within \(6000, 6100\)"):
        plot_spectrum(spectrum, window=(6000, 6100))


def test_unknown_facts_are_not_invented():
    arrays = SpectrumArrays(
        wavelength=WAVELENGTH, flux=np.ones(501), mask=np.zeros(501, bool)
    )
    ax = plot_spectrum(arrays)
    assert ax.get_xlabel() == "Wavelength [Å]"
    assert ax.get_ylabel() == "Flux"
    assert not ax.collections  # no error, no mask
    assert ax.get_legend() is None


def test_gap_between_detectors_is_not_bridged():
    both = np.concatenate([np.arange(5000, 5010, 0.1), np.arange(5030, 5040, 0.1)])
    arrays = SpectrumArrays(
        wavelength=both, flux=np.ones(len(both)), mask=np.zeros(len(both), bool)
    )
    (line,) = plot_spectrum(arrays).lines
    assert np.flatnonzero(np.isnan(line.get_ydata())).tolist() == [100]


def test_specutils_object_is_drawn_into_given_axes(drawn):
    from matplotlib import pyplot as plt
    from specutils import Spectrum

    spectrum = Spectrum(
        spectral_axis=WAVELENGTH / 10 * u.nm,
        flux=np.full(501, 3.0) * u.Jy,
        uncertainty=StdDevUncertainty(np.full(501, 0.1)),
    )
    _, ax = plt.subplots()
    assert drawn(plot_spectrum(spectrum, ax=ax, label="mine")) is ax
    assert ax.lines[0].get_label() == "mine"
    assert ax.get_xlim() == pytest.approx((5000, 5100))
    assert len(plt.get_fignums()) == 1


def test_reconstruction_has_a_column_per_window_and_exact_residuals(rng, drawn):
    grid = get_grid("harps_327680")
    model = 1 + 0.1 * np.sin(grid.wavelength)
    flux = model + 0.01 * rng.normal(size=grid.n_pixels)
    figure = drawn(plot_reconstruction(grid.wavelength, flux, model, valid=grid.valid))
    assert len(figure.axes) == 8
    assert [ax.get_title() for ax in figure.axes[:4]] == list(HARPS_WINDOWS)
    for above, below, (low, high) in zip(
        figure.axes[:4], figure.axes[4:], HARPS_WINDOWS.values(), strict=True
    ):
        inside = (grid.wavelength >= low) & (grid.wavelength <= high)
        np.testing.assert_array_equal(above.lines[0].get_ydata(), flux[inside])
        np.testing.assert_array_equal(above.lines[1].get_ydata(), model[inside])
        residual = below.lines[-1].get_ydata()
        np.testing.assert_array_equal(residual, (flux - model)[inside])
        assert below.get_ylim()[1] < 0.1
    assert figure.axes[0].get_ylabel() == "Flux / median"


def test_reconstruction_leaves_out_windows_and_pixels_without_data():
    flux = np.ones(501)
    valid = WAVELENGTH > 5020
    windows = {"none": (4000, 4100), "gap": (5000, 5010), "here": (5015, 5060)}
    figure = plot_reconstruction(
        WAVELENGTH, flux, flux, windows=windows, valid=valid, sigma=0.1 * flux
    )
    assert [ax.get_title() for ax in figure.axes] == ["here", ""]
    assert np.isnan(figure.axes[0].lines[0].get_ydata()[0])
    bands = [line.get_ydata()[0] for line in figure.axes[1].lines[:2]]
    assert bands == [-0.1, 0.1]
    with pytest.raises(ValueError, match="holds a measured pixel"):
        plot_reconstruction(WAVELENGTH, flux, flux, windows={"none": (1, 2)})


def test_reconstruction_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"\(501,\), \(501,\) and \(3,\)"):
        plot_reconstruction(WAVELENGTH, np.ones(501), np.ones(3))


def test_files_are_drawn_and_refused_by_name(tmp_path, drawn):
    sample = get_survey("sample").table()
    path = sample["path"][0]
    ax = drawn(plot_spectrum(path))
    (arrays,) = iter_arrays(path)
    assert ax.get_title() == arrays.observation.target_name
    shown = ax.lines[0].get_ydata()
    assert np.nanmax(shown) == arrays.flux[~arrays.mask].max()
    (tmp_path / "no.fits").write_text("no spectrum")
    with pytest.raises(SpectrumReadError, match=r"no\.fits"):
        plot_spectrum(tmp_path / "no.fits")


def test_prepared_spectra_are_drawn_as_a_model_sees_them(drawn):
    sample = get_survey("sample").table()[:2]
    prepared = prepare_spectra(sample, "apogee_7214", APOGEE_RECIPE)
    ax = drawn(plot_spectrum(prepared[1]))
    assert ax.get_xlabel() == "Wavelength [Å, vacuum, rest frame]"
    shown = ax.lines[0].get_ydata()
    valid = prepared.valid[1]
    np.testing.assert_array_equal(shown[np.isfinite(shown)], prepared.flux[1][valid])
    with pytest.raises(ValueError, match="2 prepared spectra"):
        plot_spectrum(prepared)


def test_reconstructions_are_spectra_that_can_be_drawn(drawn):
    sample = get_survey("sample").table()
    harps = sample[sample["survey"] == "harps"][:1]
    (rebuilt,) = reconstruct_spectra(harps)
    ax = drawn(plot_spectrum(harps["path"][0], window=(5160, 5190)))
    plot_spectrum(rebuilt, ax=ax, window=(5160, 5190), colour="k", label="model")
    given, model = (line.get_ydata() for line in ax.lines)
    assert np.nanmedian(np.abs(model / given - 1)) < 0.02


def test_a_notebook_shows_each_picture_once(spectrum):
    pytest.importorskip("matplotlib_inline")
    before = plt.get_backend()
    plt.switch_backend("module://matplotlib_inline.backend_inline")
    try:
        flux = spectrum.flux / 100
        windows = {"here": (5010.0, 5060.0)}
        figure = plot_reconstruction(WAVELENGTH, flux, flux, windows=windows)
        assert isinstance(figure, Figure)
        assert plt.get_fignums() == []  # the cell's value is shown, nothing else
        plot_spectrum(spectrum)
        assert len(plt.get_fignums()) == 1  # axes are no picture: pyplot shows it
    finally:
        plt.switch_backend(before)
