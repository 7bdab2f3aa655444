# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The verbs that run a model: ``encode`` and ``predict``."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import QTable, Table

from astro_latent import predict_parameters, read_table
from astro_latent.cli import show
from astro_latent.spectra import QualityFlag, decode_flags, write_example


def stems(paths):
    return [path.rpartition("/")[2].removesuffix(".fits.gz") for path in paths]


def test_predict_prints_one_row_for_each_spectrum(run, apogee):
    code, out, err = run("predict", *apogee, "--no-progress")
    assert code == 0
    header, _, *rows = out.splitlines()
    words = ["obs_id", "target_name", "teff", "[K]", "logg", "[dex]", "fe_h", "[dex]"]
    assert header.split() == [*words, "flags"]
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
    assert "2 of 5 spectra can be used" in err
    assert err.count("the file could not be read as a spectrum") == 3
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
    assert code == 1
    assert len(read_table(tmp_path / "o.vot")) == 3
    assert "0 of 3 spectra can be used" in err


def test_names_come_from_standard_input(run, apogee, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join([*apogee[:2], "", ""])))
    code, out, err = run("predict", "-", "--no-progress")
    assert code == 0, err
    assert [row.split()[0] for row in out.splitlines()[2:]] == stems(apogee[:2])


def test_empty_standard_input_is_an_error(run, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    code, out, err = run("predict", "-")
    assert (code, out) == (1, "")
    assert "standard input named no spectra" in err


def test_glob_that_the_shell_left_alone(run, apogee):
    pattern = f"{apogee[0].rpartition('/')[0]}/apStar-sample-[AB].fits.gz"
    code, out, err = run("predict", pattern, "--no-progress")
    assert code == 0, err
    assert [row.split()[0] for row in out.splitlines()[2:]] == stems(apogee[:2])


def test_table_of_observations_brings_its_identifiers(run, apogee, tmp_path):
    path = tmp_path / "list.ecsv"
    Table({"obs_id": ["first", "second"], "path": apogee[:2]}).write(path)
    code, out, err = run("predict", path, "--no-progress")
    assert code == 0, err
    assert [row.split()[0] for row in out.splitlines()[2:]] == ["first", "second"]


def test_two_tables_at_once_are_refused(run, apogee, tmp_path):
    for name in ("a.ecsv", "b.ecsv"):
        Table({"path": apogee[:1]}).write(tmp_path / name)
    code, _, err = run("predict", tmp_path / "a.ecsv", tmp_path / "b.ecsv")
    assert code == 1
    assert "a table of observations: give it alone, not among 2 inputs" in err


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


def test_spectra_of_two_surveys_find_their_models(run, apogee, harps):
    code, out, err = run("predict", apogee[0], harps[0])
    assert code == 0, err
    models = ["apogee_starnet_v1", "harps_parameters_v2"]
    assert [row.split()[-1] for row in out.splitlines()[2:]] == models


def test_spectra_of_no_model_hear_which_is_nearest(run, tmp_path):
    wavelength = np.linspace(4000.0, 4100.0, 500)
    path = write_example("wcs1d", tmp_path / "blue.fits", wavelength, np.ones(500))
    code, _, err = run("predict", path)
    assert code == 1
    assert "0 of 1 spectra can be used" in err
    assert max(map(len, err.splitlines())) <= 80
    told = " ".join(err.split())
    assert "no model suits a spectrum of unknown survey; nearest:" in told


def test_strict_lets_notices_pass(run, harps, tmp_path):
    output = ("-o", tmp_path / "out.ecsv", "--no-progress")
    code, _, err = run("encode", harps[0], "--strict", *output)
    assert "1 of 1 spectra can be used" in err
    assert code == 0
    flags = read_table(tmp_path / "out.ecsv")["flags"]
    assert decode_flags(flags[0]) == ["NOISE_ESTIMATED"]


def test_a_file_that_is_not_there_is_named(run):
    code, _, err = run("predict", "no_such_star.fits")
    assert code == 1
    assert "no_such_star.fits: cannot be opened" in err
    assert "error: no_such_star.fits: there is no such file" in err


def test_an_address_in_place_of_a_path_gets_a_remedy(run):
    code, _, err = run("predict", "https://example.org/star.fits")
    assert code == 1
    assert "an address is no path: fetch its file" in " ".join(err.split())


def test_a_file_of_another_kind_gets_a_remedy(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fits.PrimaryHDU(np.ones((20, 20))).writeto("image.fits")
    code, _, err = run("predict", "image.fits")
    assert code == 1
    said = " ".join(err.split())
    assert "no spectrum found" in said
    assert "--spectrum-columns" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("crossmatch", "none.vot", "none.vot"), "error: none.vot: No such file"),
        (("train", "none.toml", "-o", "v1"), "error: none.toml: No such file"),
        (("train", "none.csv", "-l", "teff", "-o", "v1"), "there is nothing there"),
        (("train", ".", "-l", "teff", "-o", "v1"), "the folder holds no spectra"),
        (("train", "words.txt", "-l", "teff", "-o", "v1"), "the table has no rows"),
    ],
)
def test_what_is_not_there_or_empty_is_told(
    run, tmp_path, monkeypatch, arguments, said
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.txt").write_text("hello this is no table\n")
    code, _, err = run(*arguments)
    assert code == 1
    assert said in " ".join(err.split())
    assert "Traceback" not in err
    assert "Errno" not in err


def test_one_missing_file_fails_but_the_others_are_done(run, apogee):
    code, out, err = run("predict", apogee[0], "no_such_*.fits")
    assert code == 1
    assert "error: no_such_*.fits: there is no such file, folder or match" in err
    assert "1 of 2 spectra can be used" in err
    assert stems(apogee[:1])[0] in out


def test_a_terminal_of_80_columns_shows_the_parameters(monkeypatch, capsys):
    labels = {"teff": 4502.63 * u.K, "logg": 1.99 * u.dex, "fe_h": -0.288 * u.dex}
    errors = {"teff_error": 120.4 * u.K, "logg_error": 0.13 * u.dex}
    table = QTable({name: [value] for name, value in (labels | errors).items()})
    table["fe_h_error"] = [0.085] * u.dex
    table["vmacro"] = [4.87] * u.km / u.s
    table["obs_id"] = ["apStar-dr17-2M17335483-2753043"]
    table["flags"] = [(1 << 20) + (1 << 19)]
    table.meta["labels"] = [*labels, "vmacro"]
    monkeypatch.setattr(show, "terminal_width", lambda: 80)
    show.show_results(table)
    head, _, row, _ = capsys.readouterr().out.splitlines()
    assert max(len(head), len(row)) <= 80
    assert head.split() == [
        "obs_id", "teff", "[K]", "logg", "[dex]", "fe_h", "[dex]", "flags",
    ]  # fmt: skip
    assert "4503 ± 120" in row
    assert "1.99 ± 0.13" in row
    assert "-0.288 ± 0.085" in row
    assert "LABEL_OUT" in row


def test_wide_tables_say_what_they_leave_out(monkeypatch, capsys):
    labels = {f"x{i}_h": np.array([0.1234]) for i in range(9)}
    errors = {f"{name}_error": np.array([0.02]) for name in labels}
    table = Table({"obs_id": ["a"], **labels, **errors, "flags": [512 + 256]})
    table.meta["labels"] = list(labels)
    monkeypatch.setattr(show, "terminal_width", lambda: 60)
    show.show_results(table)
    printed = capsys.readouterr().out
    head, _, row, *said = printed.splitlines()
    assert max(map(len, printed.splitlines())) <= 60
    rest = " ".join(said)
    assert "0.123 ± 0.020" in row
    assert "LOW_SNR" in row
    assert rest.startswith("(no room for x")
    for name in labels:
        assert (name in head) != (name in rest)


def test_long_names_that_begin_alike_keep_what_tells_them_apart(monkeypatch, capsys):
    nights = [f"HARPS.2012-0{n}-24T08_37_45.581_s1d_A" for n in (3, 4)]
    table = QTable({"obs_id": nights, "teff": [5285.0, 5287.0] * u.K})
    table["teff_error"] = [88.0, 88.0] * u.K
    table["logg"] = [4.4, 4.4] * u.dex
    table["flags"] = [1 << 8, 1 << 8]
    table.meta["labels"] = ["teff", "logg"]
    monkeypatch.setattr(show, "terminal_width", lambda: 60)
    show.show_results(table)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 60
    assert [line.split()[0] for line in lines[2:]] == ["...3...", "...4..."]


def test_columns_json_and_standard_output(run, apogee):
    code, out, _ = run("predict", apogee[0], "--columns", "obs_id, teff")
    assert code == 0
    assert out.splitlines()[0].split() == ["obs_id", "teff", "[K]"]
    code, _, err = run("predict", apogee[0], "--columns", "tef")
    assert (code, "no column tef; there are obs_id" in err) == (1, True)
    code, out, _ = run("predict", *apogee[:2], "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["obs_id"] for row in rows] == stems(apogee[:2])
    assert rows[0]["flags"] == []
    assert rows[0]["usable"] is True
    assert rows[0]["teff"] == pytest.approx(4800, abs=1)


@pytest.mark.parametrize("form", ["votable", "csv", "ecsv", "fits", "parquet"])
def test_a_pipe_takes_any_format(apogee, form, tmp_path):
    arguments = ["predict", apogee[0], "-o", "-", "--format", form, "-q"]
    code = "import sys; from astro_latent.cli.main import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, check=True
    )
    assert done.stderr == b""
    endings = {"votable": "vot"}
    path = tmp_path / f"out.{endings.get(form, form)}"
    path.write_bytes(done.stdout)
    table = Table.read(path, format="ascii.csv") if form == "csv" else read_table(path)
    assert len(table) == 1
    assert np.isfinite(np.asarray(table["teff"])[0])


def test_quiet_says_nothing(run, apogee):
    code, _, err = run("predict", apogee[0], "-q")
    assert (code, err) == (0, "")


def test_errors_of_the_flux_can_be_left_out(run, apogee):
    full, quick = (
        json.loads(run("predict", apogee[0], "--json", *more)[1])
        for more in ((), ("--no-flux-errors",))
    )
    assert quick["teff"] == full["teff"]
    assert full["teff_error_flux"] is not None
    assert quick["teff_error_flux"] is None


@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_a_batch_size_must_be_a_number_above_zero(run, apogee, number):
    code, _, err = run("predict", apogee[0], "--batch-size", number)
    assert code == 2
    assert f"{number!r} must be a whole number above zero" in err


def test_facts_that_files_lack_can_be_stated(run, tmp_path):
    wavelength = 15100.0 + 0.2375 * np.arange(8000)
    path = tmp_path / "h.fits"
    write_example("wcs1d", path, wavelength, np.ones(8000), CTYPE1="LINEAR")
    _, out, _ = run("predict", path, "--json")
    assert "MEDIUM_UNKNOWN" in json.loads(out)["flags"]
    stated = ("--medium", "vacuum", "--frame", "rest", "--resolving-power", "22500")
    _, out, _ = run("predict", path, "--json", *stated)
    flags = json.loads(out)["flags"]
    assert not {"MEDIUM_UNKNOWN", "FRAME_UNKNOWN", "RESOLUTION_UNKNOWN"} & set(flags)
