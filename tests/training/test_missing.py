# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Scores against missing pixels, of a model whose every answer is known.

The toy model tells a label by the mean of the pixels that are left: its scatter grows
as one over the root of their number, and it knows that.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import Table

from astro_latent.models.error_shape import error_factor
from astro_latent.models.results import Parameters
from astro_latent.preparation import Recipe, SpectralGrid, prepare_spectra
from astro_latent.training import (
    as_block,
    drop_pixels,
    evaluate_missing,
    train_model,
)
from astro_latent.training.error_fit import ErrorFit
from astro_latent.training.missing import thin_pixels
from astro_latent.training.missing_term import add_missing_term
from astro_latent.utils.quality import QualityFlag

from .conftest import FAST, SMALL
from .conftest import make_stars as draw_lines

N_PIXELS, N_STARS, SIGMA = 80, 900, 0.1
GRID = SpectralGrid(
    name="toy_80", spacing="linear", start=5000.0, step=1.0, n_pixels=N_PIXELS,
    medium="vacuum", frame="unknown", segments=((0, 40), (40, N_PIXELS)),
    resolving_power=1000.0,
)  # fmt: skip


def make_stars(n_stars=N_STARS, seed=1):
    rng = np.random.default_rng(seed)
    level = rng.uniform(1.0, 2.0, n_stars)
    flux = level[:, None] + SIGMA * rng.normal(size=(n_stars, N_PIXELS))
    return {
        "wavelength_vacuum": 5000.0 + np.arange(N_PIXELS),
        "flux": flux,
        "error": np.full(flux.shape, SIGMA),
        "teff": level,
    }


class MeanModel:
    """Says the mean flux, and how well it knows it."""

    name, grid, capabilities = "mean", GRID, ("predict",)
    recipe = Recipe.from_dict({"steps": [{"step": "resample"}]})
    outputs = (SimpleNamespace(name="teff", unit=""),)

    def predict(self, prepared, *, flux_errors=True):
        count = prepared.valid.sum(axis=1)
        value = (prepared.flux * prepared.valid).sum(axis=1) / count
        error = (SIGMA / np.sqrt(count))[:, None]
        nothing = np.full(len(count), np.nan)
        return Parameters(
            values=value[:, None], error=error, error_statistical=error,
            error_flux=error, error_model=error, covariance=error[:, None] ** 2,
            domain_score=nothing, flags=prepared.flags,
        )  # fmt: skip


@pytest.fixture(scope="module")
def found():
    return evaluate_missing(
        MeanModel(), make_stars(), fractions=(0.0, 0.15, 0.75), seeds=(1, 2)
    )


def test_each_setting_has_its_rows(found):
    settings = {(r["pattern"], r["fraction"], r["seed"]) for r in found}
    assert settings == {
        ("none", 0.0, 0),
        *((p, f, s) for p in ("pixels", "stretches") for f in (0.15, 0.75)
          for s in (1, 2)),
        ("without 5000 to 5039", 0.5, 0), ("without 5040 to 5079", 0.5, 0),
    }  # fmt: skip


def test_scatter_grows_and_coverage_holds_as_planted(found):
    every = found[found["rows"] == "all"]
    assert set(every["n"]) == {N_STARS}
    for row in every:
        planted = SIGMA / np.sqrt(N_PIXELS * (1 - row["fraction"]))
        assert row["scatter"] == pytest.approx(planted, abs=4 * row["scatter_error"])
        # three standard errors of a share
        assert row["coverage_68"] == pytest.approx(0.683, abs=0.047)
        assert row["coverage_95"] == pytest.approx(0.95, abs=0.022)


def test_flagged_rows_are_apart(found):
    for row in found:
        many = row["fraction"] > 0.2  # as of a file whose pixels are bad
        assert row["flagged"] == (1.0 if many else 0.0)
        assert row["rows"] == "all" or not many


def test_missing_is_what_the_network_lacks(found):
    """A segment that is missing as a whole is not counted as missing pixels in it."""
    for row in found:
        whole = row["pattern"].startswith("without")
        assert row["missing"] == pytest.approx(
            0.0 if whole else row["fraction"], abs=0.01
        )


def test_pixels_are_taken_and_the_rest_is_left():
    prepared = prepare_spectra(
        as_block(make_stars(3)), GRID, MeanModel.recipe, progress=False
    )
    kept = np.ones(prepared.valid.shape, dtype=bool)
    kept[0, :30], kept[1] = False, False
    thinned = drop_pixels(prepared, kept)
    lost = prepared.valid.sum(axis=1) - thinned.valid.sum(axis=1)
    assert lost.tolist() == [30, 0, 0]  # of the second nothing would have been left
    assert (thinned.flux[0, :30] == 0).all()
    assert (thinned.flags & QualityFlag.MANY_BAD_PIXELS > 0).tolist() == [1, 0, 0]
    assert prepared.valid.all()


def test_labels_may_come_in_a_table_of_their_own():
    stars = make_stars(40)
    table = Table({"teff": stars.pop("teff")})
    one = evaluate_missing(MeanModel(), stars, table=table, fractions=(0.0,), arms={})
    assert one["n"].tolist()[:1] == [40]


def test_a_share_of_one_is_refused():
    with pytest.raises(ValueError, match=r"from 0 to below 1, not 1\.0"):
        evaluate_missing(MeanModel(), make_stars(20), fractions=(1.0,))


def make_short(growth, usual, n_spectra=8000):
    """Residuals whose errors grow as the exponential of the share beyond the usual."""
    rng = np.random.default_rng(5)
    missing = usual + rng.uniform(0.0, 0.5, n_spectra)
    inputs = np.zeros((n_spectra, 2, 9))
    inputs[:, :, 0], inputs[:, :, 1] = 1.0, missing[:, None]
    error = rng.uniform(0.5, 2.0, (n_spectra, 2))
    given = np.full_like(error, 0.3)
    true = error * np.exp(np.outer(missing - usual, growth))
    residual = np.hypot(true, given) * rng.normal(size=error.shape)
    return residual, error, inputs, given


def no_shape(n_whole):
    """Make errors of whole spectra that are right as they are."""
    ones = np.ones((n_whole, 2))
    return ErrorFit(
        shape_68=np.zeros((2, 9)), shape_95=np.zeros((2, 9)), error=ones,
        interval_95=ones,
    )  # fmt: skip


@pytest.mark.parametrize("usual", [0.1, 0.3])
def test_growth_with_missing_pixels_is_found(usual):
    """Errors that grow as exp(1.5 m), in units of what fits whole spectra already."""
    residual, error, inputs, given = make_short([1.5, 0.0], usual)
    whole = np.zeros((5, 2, 9))
    whole[:, :, 0] = 1.0
    fit = no_shape(n_whole=3)
    fit.shape_95[0, 1] = 1.0  # what natural gaps gave: it is not believed twice
    fit.shape_95[0, 0] = -usual
    few = np.zeros((3, 2, 9))  # whole spectra with fewer gaps than usual, as many, more
    few[:, :, 0], few[:, 0, 1] = 1.0, usual + np.array([-0.1, 0.0, 0.2])
    few[:, 1, 1] = few[:, 0, 1]
    found = add_missing_term(
        fit, residual, error, inputs, given=given, whole=few, usual=usual
    )
    for shape in (found.shape_68, found.shape_95):
        assert shape[:, 1] == pytest.approx([1.5, 0.0], abs=0.2)
        # the errors of whole spectra stay what they are
        assert error_factor(whole, shape) == pytest.approx(1.0, abs=1e-6)
    assert fit.shape_68.max() == 0.0
    expected = np.exp(np.outer([0.0, 0.0, 0.2], [1.5, 0.0]))
    assert found.error == pytest.approx(expected, rel=0.05)
    natural = np.exp(np.outer([-0.1, 0.0, 0.2], [1.0, 0.0]))
    assert found.interval_95 * natural == pytest.approx(expected, rel=0.05)


def test_errors_do_not_shrink_with_fewer_gaps_than_usual():
    """Four stars in five lack the first fifth of the pixels, where no line is."""

    def draw(n_stars, seed):
        stars = draw_lines(n_stars, seed=seed)
        lost = np.random.default_rng(seed).random(n_stars) < 0.8
        stars["flux"][lost, :12] = stars["error"][lost, :12] = np.nan
        return stars, lost

    model = train_model(
        draw(600, 1)[0], ["teff", "logg"], arguments=SMALL, **{**FAST, "epochs": 12}
    )
    assert model.config.calibration["usual_missing"] == [0.2, 0.2]
    stars, lost = draw(2000, 2)
    found = model.predict(
        prepare_spectra(list(as_block(stars)), model.grid, model.recipe)
    )
    truth = np.stack([stars["teff"], stars["logg"]], axis=1)
    within = np.abs(found.values - truth) < found.error
    usual, better = (within[part].mean(axis=0) for part in (lost, ~lost))
    assert usual == pytest.approx([0.6827] * 2, abs=0.16)  # of 120 stars
    assert (better > 0.8 * usual).all()  # 0.5 where errors shrink


def test_few_thinned_spectra_say_nothing():
    residual, error, inputs, given = make_short([3.0, 3.0], 0.0, n_spectra=30)
    fit = no_shape(n_whole=1)
    found = add_missing_term(
        fit, residual, error, inputs, given=given, whole=inputs[:1], usual=0.0
    )
    assert found.shape_68.max() == found.shape_95.max() == 0.0
    assert (found.error == fit.error).all()


def test_thinned_spectra_lack_up_to_two_fifths():
    whole = prepare_spectra(as_block(make_stars()), GRID, MeanModel.recipe)
    thinned = thin_pixels(whole, seed=3)
    lost = 1.0 - thinned.valid.sum(1) / whole.valid.sum(1)
    assert 0.15 < lost.mean() < 0.25
    assert lost.max() < 0.6
    many = (thinned.flags & QualityFlag.MANY_BAD_PIXELS) != 0
    assert (many == (lost > 0.2)).mean() > 0.95
