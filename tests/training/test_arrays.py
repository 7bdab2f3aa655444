# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra as arrays on one axis: what they may hold, and what teaches nothing."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from astro_latent import decode_flags, predict_parameters, train_model
from astro_latent.exceptions import SpectrumReadError, UnknownNameError
from astro_latent.preparation import SpectralGrid, prepare_spectra
from astro_latent.training.arrays import as_block
from astro_latent.training.defaults import find_recipe
from astro_latent.training.targets import read_targets

from .conftest import FAST, SMALL, make_stars

STARS = 60


def train(source, **options):
    return train_model(
        source, ["teff"], arguments=SMALL, **{**FAST, "epochs": 2, **options}
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (5000.0, "'teff' is 5000 for all 60 spectra"),
        (np.nan, "'teff' is missing for all 60 spectra"),
    ],
)
def test_labels_that_teach_nothing_are_refused(values, message):
    stars = make_stars(STARS)
    stars["teff"] = np.full(STARS, values)
    with pytest.raises(ValueError, match=message):
        train_model(stars, ["teff", "logg"])


def test_three_stars_are_too_few():
    with pytest.raises(ValueError, match="3 stars with spectra and labels are too few"):
        train(make_stars(3))


def test_all_spectra_of_zero_flux_are_an_error():
    stars = make_stars(STARS)
    stars["flux"][:] = 0.0
    with pytest.raises(ValueError, match=r"no spectrum can be trained on.*NO_SIGNAL"):
        train(stars)


def test_arrays_of_other_shapes_are_refused():
    stars = make_stars(STARS)
    stars["error"] = stars["error"][:, :-1]
    with pytest.raises(SpectrumReadError, match=r"error has the shape \(60, 59\)"):
        train(stars)
    with pytest.raises(SpectrumReadError, match="rise or fall"):
        train({**make_stars(STARS), "wavelength_vacuum": np.ones(60)})


def test_inverse_variances_are_errors_and_zero_is_no_pixel():
    stars = make_stars(5)
    error = stars.pop("error")
    stars["ivar"] = error**-2.0
    stars["ivar"][:, 7] = 0.0
    block = as_block(stars)
    np.testing.assert_allclose(block.sigma[:, :7], error[:, :7])
    grid = SpectralGrid.from_spectra(list(block))
    prepared = prepare_spectra(list(block), grid, find_recipe(None, known=False))
    assert prepared.valid.sum(0).tolist() == [0 if i == 7 else 5 for i in range(60)]


def test_units_of_errors_are_those_of_the_flux():
    stars = make_stars(5)
    error = stars["error"].copy()
    stars["flux"] = u.Quantity(stars["flux"], "Jy")
    stars["error"] = u.Quantity(error * 1e3, "mJy")
    np.testing.assert_allclose(as_block(stars).sigma, error)
    del stars["error"]
    stars["ivar"] = u.Quantity(error**-2.0 * 1e-6, "mJy-2")
    np.testing.assert_allclose(as_block(stars).sigma, error)


def test_what_is_not_used_or_not_known_is_said(caplog):
    stars = make_stars(STARS)
    stars["sigmas"] = stars["error"]
    stars["teff"][3] = 9e5
    stars["wavelength"] = stars.pop("wavelength_vacuum")
    model = train(stars)
    assert "the arrays sigmas have the shape of the flux and are not" in caplog.text
    assert "labels 'teff' far from all others: 900000;" in caplog.text
    assert "no spectrum says its medium" in caplog.text
    assert (model.grid.medium, model.grid.frame) == ("unknown", "unknown")
    table = predict_parameters(as_block(stars), model=model)
    assert "MEDIUM_UNKNOWN" not in str(decode_flags(table["flags"]))


def test_a_collection_is_trained_on():
    from astropy.nddata import StdDevUncertainty
    from specutils import SpectrumCollection

    stars = make_stars(STARS)
    axis = np.repeat(stars["wavelength_vacuum"][None], STARS, 0)
    spectra = SpectrumCollection(
        flux=u.Quantity(stars["flux"], u.Jy), spectral_axis=u.Quantity(axis, u.AA),
        uncertainty=StdDevUncertainty(stars["error"]),
    )  # fmt: skip
    labels = Table({name: stars[name] for name in ("teff", "source_id")})
    model = train(spectra, table=labels, facts={"medium": "vacuum"})
    assert model.config.training["stars told apart by"] == "column source_id"


def test_an_npz_file_is_trained_on(tmp_path):
    path = tmp_path / "stars.npz"
    np.savez(path, **make_stars(STARS))
    assert train(path).grid.medium == "vacuum"


@pytest.mark.parametrize("value", [1e30, -3e38])
def test_labels_that_no_weights_can_hold_are_refused_before_any_work(value):
    stars = make_stars(STARS)
    stars["teff"][3] = value
    with pytest.raises(ValueError, match=r"'teff' is .* for some spectra: make it NaN"):
        train(stars)


def test_an_infinite_label_is_missing():
    table = Table({"teff": [5000.0, np.inf, -np.inf]})
    assert np.isnan(read_targets(table, ["teff"]).values[:, 0]).tolist() == [0, 1, 1]


def test_arrays_of_another_length_are_named(caplog):
    stars = make_stars(STARS)
    stars["teff"] = stars["teff"][:-7]
    with pytest.raises(UnknownNameError, match="no label column is called 'teff'"):
        train(stars)
    assert "teff are not used: they hold 53 values for 60 spectra" in caplog.text
