"""Files of every kind through the whole road, with a model that needs no torch."""

import shutil
import subprocess

import numpy as np

from astro_latent.pipeline import encode_spectra, predict_parameters
from astro_latent.preparation import APOGEE_RECIPE, HARPS_RECIPE, get_grid
from astro_latent.tables import check_table, read_table
from astro_latent.utils.quality import QualityFlag


def votlint(path):
    """Words of the VOTable checker, which exits with 0 even when it finds errors."""
    if shutil.which("stilts") is None:
        return ""
    done = subprocess.run(
        ["stilts", "votlint", str(path)], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() + done.stderr.strip()


def test_thousand_rows_with_three_bad_ones_stay_in_order(tmp_path, spectra, predictor):
    (tmp_path / "empty.fits").write_bytes(b"")
    (tmp_path / "text.fits").write_text("not a spectrum")
    source = [spectra[i % 3] for i in range(1000)]
    source[10] = tmp_path / "empty.fits"
    source[500] = tmp_path / "text.fits"
    source[999] = tmp_path / "missing.fits"
    table = predict_parameters(source, model=predictor)
    assert len(table) == 1000
    bad = (table["flags"] & QualityFlag.UNREADABLE) != 0
    assert np.flatnonzero(bad).tolist() == [10, 500, 999]
    np.testing.assert_array_equal(np.isnan(table["teff"].value), bad)
    assert table["obs_id"][10] == "empty"
    assert table["obs_id"][11] == "star2"
    assert all(table["message"][bad])


def test_apogee_files_become_rows(real_data, tmp_path, predictor):
    predictor.grid, predictor.recipe = get_grid("apogee_7214"), APOGEE_RECIPE
    paths = sorted((real_data / "apogee" / "spectra").glob("*.fits"))
    table = predict_parameters(paths, model=predictor)
    assert len(table) == len(paths)
    assert set(table["survey"]) == {"apogee"}
    assert np.all(np.isfinite(table["teff"].value))
    assert np.all(np.isfinite(table["ra"].value))
    assert check_table(table) == []
    table.write(tmp_path / "a.vot")
    assert votlint(tmp_path / "a.vot") == ""
    assert list(read_table(tmp_path / "a.vot")["obs_id"]) == list(table["obs_id"])


def test_harps_folder_becomes_rows_and_the_broken_file_is_flagged(real_data, encoder):
    encoder.grid, encoder.recipe = get_grid("harps_327680"), HARPS_RECIPE
    table = encode_spectra(real_data / "harps" / "s1d", model=encoder)
    broken = [str(name).startswith("Gl273") for name in table["obs_id"]]
    assert sum(broken) == 1
    assert table["flags"][np.argmax(broken)] & QualityFlag.CORRUPT_FLUX
    assert np.all(np.isfinite(table["latent"]))
