"""Rows come out one for each spectrum, in order and described."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable, Table
from astropy.time import Time

from astro_latent import get_survey
from astro_latent.pipeline import encode_spectra, iter_results, predict_parameters
from astro_latent.utils.quality import QualityFlag


def test_encode_gives_one_row_per_spectrum_in_order(spectra, encoder):
    result = encode_spectra(spectra, model=encoder)
    assert isinstance(result, QTable)
    assert list(result["obs_id"]) == ["star0", "star1", "star2", "elsewhere"]
    assert result["latent"].shape == (4, 4)
    assert result["latent"].dtype == np.float32
    expected = np.outer([1, 2, 3], [1, 2, 3, 4])
    np.testing.assert_allclose(result["latent"][:3], expected, rtol=1e-6)
    np.testing.assert_allclose(result["latent_error"][:3], expected / 10, rtol=1e-6)


def test_unusable_spectrum_is_nan_and_flagged(spectra, predictor):
    result = predict_parameters(spectra, model=predictor)
    assert result["flags"][3] & QualityFlag.NO_OVERLAP
    for name in ("teff", "teff_error", "logg", "label_covariance", "domain_score"):
        assert np.all(np.isnan(result[name][3])), name
        assert np.all(np.isfinite(result[name][:3])), name
    assert result["message"][3]


def test_predict_columns_units_and_values(spectra, predictor):
    result = predict_parameters(spectra, model=predictor)
    np.testing.assert_allclose(result["teff"][:3].to_value("K"), [1000, 2000, 3000])
    assert result["teff_error_flux"].unit == u.K
    assert result["logg"].unit == u.dex
    assert result["ra"].unit == u.deg
    np.testing.assert_array_equal(result["ra"][:3].value, [0, 10, 20])
    np.testing.assert_array_equal(result["obs_time"][:3].value, [55000, 55001, 55002])
    assert result["label_covariance"].shape == (4, 4)
    cov = np.array(result["label_covariance"][0]).reshape(2, 2)
    np.testing.assert_allclose(np.sqrt(np.diag(cov)), [10, 0.01], rtol=1e-5)
    assert result.meta["labels"] == ["teff", "logg"]


def test_time_is_that_of_the_calendar(spectra, predictor, tmp_path):
    """MJD 55000 is 2009 June 18, by the origin that the table itself states."""
    result = predict_parameters(spectra, model=predictor)
    system = result["obs_time"].info.meta["timesys"]
    days = np.asarray(result["obs_time"][:2].to_value("d"))
    scale = system["timescale"].lower()
    when = Time(system["timeorigin"], days, format="jd", scale=scale)
    assert list(when.utc.isot) == ["2009-06-18T00:00:00.000", "2009-06-19T00:00:00.000"]


def test_flags_of_model_and_preparation_are_joined(spectra, predictor):
    result = predict_parameters(spectra, model=predictor)
    assert np.all(result["flags"] & QualityFlag.UNLIKE_TRAINING)
    assert result["flags"].info.meta["bits"]["LOW_SNR"][0] == 512


def test_exactly_one_main_identifier_and_position(spectra, encoder, predictor):
    for result in (
        encode_spectra(spectra, model=encoder),
        predict_parameters(spectra, model=predictor),
    ):
        ucds = [column.info.meta["ucd"] for column in result.itercols()]
        for ucd in ("meta.id;meta.main", "pos.eq.ra;meta.main", "pos.eq.dec;meta.main"):
            assert ucds.count(ucd) == 1
        assert all(ucds)
        assert all(column.info.description for column in result.itercols())


def test_error_columns_name_what_they_are_the_error_of(spectra, predictor):
    result = predict_parameters(spectra, model=predictor)
    assert (
        result["teff_error_model"].info.meta["ucd"]
        == "stat.error;phys.temperature.effective"
    )
    assert "from the model" in result["teff_error_model"].info.description
    assert "calibrated" in result["teff_error"].info.description
    within = result["teff_error_statistical"]
    assert within.unit == u.K
    assert "without the systematic part" in within.info.description
    np.testing.assert_allclose(within[:3], 0.8 * result["teff_error"][:3], rtol=1e-6)
    assert np.isnan(within[3])


def test_provenance(spectra, encoder):
    meta = encode_spectra(spectra, model=encoder).meta
    assert meta["model"] == "mean_v1"
    assert meta["model_sha256"] == "ab" * 32
    assert meta["recipe"] == encoder.recipe.to_dict()
    assert meta["citation"] == "Nobody (2026)"
    assert meta["software"].startswith("astro_latent ")
    assert meta["date"].startswith("20")


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_batch_size_changes_nothing(spectra, predictor, size):
    whole = predict_parameters(spectra, model=predictor)
    parts = predict_parameters(spectra, model=predictor, batch_size=size)
    for name in whole.colnames:
        np.testing.assert_array_equal(whole[name], parts[name])


def test_one_spectrum_is_a_table_of_one_row(spectra, encoder):
    assert len(encode_spectra(spectra[0], model=encoder)) == 1


def test_no_spectra_give_an_empty_table_with_all_columns(spectra, predictor):
    full = predict_parameters(spectra, model=predictor)
    empty = predict_parameters([], model=predictor)
    assert len(empty) == 0
    assert empty.colnames == full.colnames
    assert empty["label_covariance"].shape == (0, 4)


def test_iter_results_yields_the_same_rows(spectra, encoder):
    parts = list(iter_results(spectra, model=encoder, task="encode", batch_size=3))
    assert [len(part) for part in parts] == [3, 1]
    whole = encode_spectra(spectra, model=encoder)
    np.testing.assert_array_equal(
        np.concatenate([part["latent"] for part in parts]), whole["latent"]
    )


def test_wrong_task_names_what_the_model_can(spectra, encoder):
    with pytest.raises(TypeError, match="'mean_v1' can encode, not predict"):
        predict_parameters(spectra, model=encoder)


def test_device_for_a_loaded_model_is_refused(spectra, encoder):
    with pytest.raises(ValueError, match="loaded already"):
        encode_spectra(spectra, model=encoder, device="cpu")


def test_query_of_an_observation_table_is_kept(monkeypatch, spectra, encoder):
    from astro_latent.preparation import chunks

    monkeypatch.setattr(chunks, "iter_arrays", lambda source, **_: iter(spectra))
    source = Table({"path": ["a", "b", "c", "d"]}, meta={"query": "SELECT 1"})
    assert encode_spectra(source, model=encoder).meta["query"] == "SELECT 1"


def test_without_flux_errors_labels_stay_and_what_is_unknown_is_nan():
    paths = list(get_survey("sample").table()["path"][:4])
    full = predict_parameters(paths, model="apogee_starnet_v1")
    quick = predict_parameters(paths, model="apogee_starnet_v1", flux_errors=False)
    assert quick.colnames == full.colnames
    for label in quick.meta["labels"]:
        np.testing.assert_array_equal(quick[label], full[label])
        total, most = (np.asarray(t[f"{label}_error"]) for t in (quick, full))
        assert np.all(total > 0), label
        # a floor is left out, and correlations, which count where giants are moved
        assert np.all(total <= most * 1.04), label
        for part in ("error_flux", "error_model"):
            assert np.all(np.isnan(quick[f"{label}_{part}"])), (label, part)
            assert np.all(np.isfinite(full[f"{label}_{part}"])), (label, part)
    assert not np.any(quick["flags"] & ~full["flags"])
    np.testing.assert_array_equal(quick["domain_score"], full["domain_score"])
