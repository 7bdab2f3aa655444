# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The verbs that run a model: ``encode`` and ``predict``."""

import io

import numpy as np
import pytest
from astropy.table import Table

from astro_latent import predict_parameters, read_table
from astro_latent.spectra import QualityFlag


def stems(paths):
    return [path.rpartition("/")[2].removesuffix(".fits.gz") for path in paths]


def test_predict_prints_one_row_for_each_spectrum(run, apogee):
    code, out, err = run("predict", *apogee, "--no-progress")
    assert code == 0
    header, units, _, *rows = out.splitlines()
    assert header.split()[:3] == ["obs_id", "target_name", "snr"]
    assert units.split() == ["K", "K", "dex", "dex", "dex", "dex"]
    assert [row.split()[0] for row in rows] == stems(apogee)
    assert "..." not in out  # nothing is cut where no terminal reads it
    assert f"{len(apogee)} spectra" in err


@pytest.mark.parametrize("ending", ["vot", "fits", "ecsv", "parquet"])
def test_predict_writes_what_the_python_function_returns(run, apogee, tmp_path, ending):
    path = tmp_path / f"out.{ending}"
    code, out, err = run("predict", *apogee[:2], "-o", path, "--no-progress")
    assert (code, out) == (0, "")
    assert str(path) in err
    table = read_table(path)
    expected = predict_parameters(apogee[:2])
    assert table["teff"].unit == "K"
    for name in ("teff", "teff_error", "logg", "flags"):
        np.testing.assert_array_equal(
            np.asarray(table[name]), np.asarray(expected[name])
        )


def test_encode_writes_latents(run, harps, tmp_path):
    path = tmp_path / "latents.vot"
    code, _, err = run("encode", *harps, "-o", path, "--no-progress")
    assert code == 0, err
    table = read_table(path)
    assert list(table["obs_id"]) == stems(harps)
    assert table["latent"].shape == (3, 3)
    assert np.all(np.isfinite(table["latent"]))


def test_broken_files_among_good_ones_keep_their_rows(run, apogee, broken, tmp_path):
    mixed = [apogee[0], broken[0], apogee[1], broken[1], broken[2]]
    code, _, err = run("predict", *mixed, "-o", tmp_path / "out.vot", "--no-progress")
    assert code == 0
    assert "5 spectra" in err
    assert "3 unusable" in err
    assert "3 UNREADABLE: the file could not be read as a spectrum" in err
    table = read_table(tmp_path / "out.vot")
    bad = (np.asarray(table["flags"]) & QualityFlag.UNREADABLE) != 0
    assert bad.tolist() == [False, True, False, True, True]
    assert np.isnan(np.asarray(table["teff"])).tolist() == bad.tolist()


def test_strict_makes_flagged_rows_a_failure(run, apogee, broken, tmp_path):
    output = ("-o", tmp_path / "out.ecsv", "--no-progress")
    code, _, _ = run("predict", apogee[0], broken[0], "--strict", *output)
    assert code == 1
    assert len(Table.read(tmp_path / "out.ecsv")) == 2  # written all the same


def test_no_readable_file_at_all(run, broken, tmp_path):
    code, _, err = run("encode", *broken, "-o", tmp_path / "o.vot", "--no-progress")
    assert code == 0
    assert len(read_table(tmp_path / "o.vot")) == 3
    assert "3 unusable" in err


def test_names_come_from_standard_input(run, apogee, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join([*apogee[:2], "", ""])))
    code, out, err = run("predict", "-", "--no-progress")
    assert code == 0, err
    assert [row.split()[0] for row in out.splitlines()[3:]] == stems(apogee[:2])


def test_empty_standard_input_is_an_error(run, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    code, out, err = run("predict", "-")
    assert (code, out) == (1, "")
    assert "standard input named no spectra" in err


def test_glob_that_the_shell_left_alone(run, apogee):
    pattern = f"{apogee[0].rpartition('/')[0]}/apStar-sample-[AB].fits.gz"
    code, out, err = run("predict", pattern, "--no-progress")
    assert code == 0, err
    assert [row.split()[0] for row in out.splitlines()[3:]] == stems(apogee[:2])


def test_table_of_observations_brings_its_identifiers(run, apogee, tmp_path):
    path = tmp_path / "list.ecsv"
    Table({"obs_id": ["first", "second"], "path": apogee[:2]}).write(path)
    code, out, err = run("predict", path, "--no-progress")
    assert code == 0, err
    assert [row.split()[0] for row in out.splitlines()[3:]] == ["first", "second"]


def test_two_tables_at_once_are_refused(run, tmp_path):
    code, _, err = run("predict", tmp_path / "a.ecsv", tmp_path / "b.ecsv")
    assert code == 1
    assert "give one table of observations alone, not 2 inputs" in err


def test_existing_output_is_kept_unless_told(run, apogee, tmp_path):
    path = tmp_path / "out.vot"
    path.write_text("precious")
    arguments = ("predict", apogee[0], "-o", path, "--no-progress")
    code, _, err = run(*arguments)
    assert code == 1
    assert "out.vot exists; --overwrite replaces it" in err
    assert path.read_text() == "precious"
    code, _, _ = run(*arguments, "--overwrite")
    assert code == 0
    assert len(read_table(path)) == 1


def test_unknown_ending_is_named(run, apogee, tmp_path):
    code, out, err = run("predict", apogee[0], "-o", tmp_path / "out.xyz")
    assert (code, out) == (2, "")
    assert "out.xyz' must end in one of .vot" in err


def test_missing_folder_is_found_out_before_the_work(run, tmp_path):
    code, _, err = run("predict", "no.fits", "-o", tmp_path / "no" / "out.vot")
    assert code == 1
    assert "there is no folder" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict"], "the following arguments are required: FILE"),
        (["predict", "a.fits", "--radial-velocity", "fast"], "invalid float value"),
        (["predict", "a.fits", "--model", "starnt"], "no model is called 'starnt'"),
        (["nonsense"], "invalid choice: 'nonsense'"),
        ([], "required: VERB"),
    ],
)
def test_wrong_usage_exits_with_two(run, arguments, message):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_a_model_that_cannot_do_it_is_an_error(run, apogee):
    code, _, err = run("predict", apogee[0], "--model", "harps_dae_fast_v1")
    assert code == 1
    assert "'harps_dae_fast_v1' can encode, decode, reconstruct, not predict" in err


def test_spectra_of_no_model_ask_for_one(run, harps):
    code, _, err = run("predict", harps[0])
    assert code == 1
    assert "no model belongs to survey 'harps'; pass" in err


def test_strict_lets_notices_pass(run, harps, tmp_path):
    output = ("-o", tmp_path / "out.ecsv", "--no-progress")
    code, _, err = run("encode", harps[0], "--strict", *output)
    assert "NOISE_ESTIMATED" in err
    assert code == 0


def test_a_file_that_is_not_there_is_named_where_it_should_tell_the_model(run):
    code, _, err = run("predict", "no_such_star.fits")
    assert code == 1
    assert "no_such_star.fits: cannot be opened" in err
    assert "pass model= (-m), such as apogee_starnet_v1" in err
