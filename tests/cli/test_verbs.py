# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The verbs that show things and bring things: all but ``encode`` and ``predict``."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from astro_latent import __version__, list_surveys, read_table
from astro_latent.cli.main import VERBS


def test_help_names_every_verb(run):
    code, out, _ = run("--help")
    assert code == 0
    assert all(verb in out for verb in VERBS)
    assert "Exit codes" in out


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_explains_itself(run, verb):
    code, out, _ = run(verb, "--help")
    assert code == 0
    assert f"astro-latent {verb}" in out


def test_version(run):
    assert run("--version") == (0, f"astro-latent {__version__}\n", "")


def test_surveys_are_listed_whole(run):
    code, out, _ = run("surveys")
    assert code == 0
    for row in list_surveys():
        (line,) = [text for text in out.splitlines() if str(row["title"]) in text]
        assert str(row["name"]) in line
        assert str(row["citation"]) in line


def test_models_are_listed(run):
    code, out, _ = run("models")
    assert code == 0
    assert "apogee_starnet_v1" in out
    assert "teff, logg, fe_h" in out


def test_card_of_one_model(run):
    code, out, _ = run("models", "apogee_starnet", "--full")
    assert code == 0
    assert out.startswith("apogee_starnet_v1\n=====")
    assert "Limitations\n-----------" in out


def test_one_model_on_a_screen(run):
    code, out, _ = run("models", "apogee_starnet")
    assert code == 0
    lines = out.splitlines()
    words = [line.split()[0] for line in lines[1:-2] if not line.startswith(" ")]
    assert words == ["takes", "gives", "for", "not", "real", "fails", "weights"]
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80


def test_lists_on_a_terminal_are_paragraphs(run, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    for verb, name, word in (
        ("models", "apogee_starnet_v1", "teff, logg"),
        ("surveys", "apogee", "apogee_starnet_abundances_v1"),
    ):
        code, out, _ = run(verb)
        assert code == 0
        lines = out.splitlines()
        assert max(map(len, lines)) <= 80
        assert word in lines[lines.index(name) + 1]


def test_quiet_and_verbose_are_options_of_every_verb(run, apogee, tmp_path, caplog):
    code, _, err = run("predict", apogee[0], "-q")
    assert (code, err) == (0, "")
    assert not caplog.messages
    run("predict", apogee[0], "-v", "--no-progress")
    assert "apogee_starnet_v1 1 is loaded, on cpu" in caplog.messages
    _, _, err = run("predict", apogee[0], "-o", tmp_path / "no" / "out.vot")
    assert "Traceback" not in err
    _, _, err = run("predict", apogee[0], "-v", "-o", tmp_path / "no" / "out.vot")
    assert "Traceback" in err
    code, _, err = run(
        "fetch", "sample", "--object", "Sample giant A", "-q", "-d", tmp_path / "here"
    )
    assert (code, err) == (0, "")


def test_card_of_no_model(run):
    code, out, err = run("models", "apogee_starnett")
    assert (code, out) == (2, "")
    assert "Did you mean 'apogee_starnet_v1'" in err


def test_fetch_prints_paths_that_other_verbs_take(run, tmp_path, monkeypatch):
    import io

    code, out, err = run("fetch", "sample", "--object", "Sample giant A")
    assert code == 0
    assert "1 of 1 fetched" in err
    monkeypatch.setattr("sys.stdin", io.StringIO(out))
    code, out, _ = run("predict", "-", "--no-progress")
    assert code == 0
    assert "apStar-sample-A" in out


def test_fetch_by_position_copies_and_tells(run, tmp_path):
    listed = tmp_path / "fetched.ecsv"
    code, out, err = run(
        "fetch", "sample", "--coordinates", "10 -5", "--radius", "5",
        "-d", tmp_path / "here", "-o", listed,
    )  # fmt: skip
    assert code == 0, err
    (path,) = out.split()
    assert path.startswith(str(tmp_path / "here"))
    assert fits.getheader(path)["OBJID"] == "Sample giant B"
    assert list(Table.read(listed)["fetch_status"]) == ["copied"]


def test_fetch_of_nothing_says_so(run):
    code, out, err = run("fetch", "sample", "--object", "Nobody")
    assert (code, out) == (0, "")
    assert "the query found nothing" in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["smaple", "--object", "x"], 2, "Did you mean 'sample'"),
        (["sample"], 2, "one of the arguments --object --coordinates --adql"),
        (["sample", "--object", "x", "--adql", "y"], 2, "not allowed with"),
        (["sample", "--coordinates", "north"], 1, "error: "),
        (["sample", "--adql", "SELECT 1"], 1, "answers no query language"),
    ],
)
def test_fetch_refuses(run, arguments, code, message):
    given, out, err = run("fetch", *arguments)
    assert (given, out) == (code, "")
    assert message in err


def test_info_says_what_each_spectrum_is(run, apogee, harps, broken):
    code, out, err = run("info", apogee[0], harps[0], broken[0])
    assert code == 0
    header, _, star, sun, bad = out.splitlines()
    assert header.split()[0] == "obs_id"
    assert {"vacuum", "rest", "22500", "8575"} <= set(star.split())
    assert {"air", "barycentric", "harps"} <= set(sun.split())
    assert bad.split()[0] == "empty"
    assert "UNREADABLE" in bad
    assert "the file is empty (0 bytes)" in err
    assert run("info", broken[0])[0] == 1  # of nothing that was named is anything known


def test_prepare_writes_the_arrays_that_the_model_sees(run, apogee, broken, tmp_path):
    path = tmp_path / "prepared.fits"
    code, out, err = run(
        "prepare", apogee[0], broken[0], "-m", "apogee_starnet_v1", "-o", path
    )
    assert (code, out) == (0, "")
    assert "2 spectra -> " in err
    with fits.open(path) as file:
        names = ["FLUX", "VARIANCE", "MASK", "WAVELENGTH", "SPECTRA"]
        assert [hdu.name for hdu in file[1:]] == names
        assert file["FLUX"].data.shape == (2, 7214)
        assert file[0].header["MEDIUM"] == "vacuum"
        good = file["MASK"].data[0] == 0
        assert np.median(file["FLUX"].data[0][good]) == pytest.approx(1, abs=0.02)
        assert np.all(file["MASK"].data[1] == 1)
        assert list(file["SPECTRA"].data["obs_id"]) == ["apStar-sample-A", "empty"]


def test_prepare_needs_a_model_and_an_output(run, apogee):
    code, _, err = run("prepare", apogee[0])
    assert code == 2
    assert "-m/--model, -o/--output" in err


def test_demo_leaves_tables_and_pictures(run, tmp_path):
    folder = tmp_path / "demo"
    code, out, err = run("demo", "-o", folder)
    assert code == 0, err
    written = sorted(path.name for path in folder.iterdir())
    assert {"latents.vot", "parameters.vot"} <= set(written)
    assert len(read_table(folder / "parameters.vot")) == 7
    assert len(read_table(folder / "latents.vot")) == 3
    assert "true_teff" in out
    assert all(str(folder / name) in out for name in written)
    pytest.importorskip("matplotlib")
    assert written[1::2] == ["parameters.png", "reconstruction.png"]


def test_demo_fits_a_terminal_of_80_columns(run, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = run("demo", "-o", tmp_path / "demo")
    assert code == 0
    tables = out.partition("\nWritten:")[0].splitlines()
    assert max(map(len, tables)) <= 80
    assert "true_teff" in out


def test_info_of_columns_without_names(run, tmp_path):
    rows = [f"{500 + 0.1 * n:.1f} {1 + n}" for n in range(20)]
    (tmp_path / "a.dat").write_text("\n".join(rows))
    name = str(tmp_path / "a.dat")
    code, out, err = run("info", name)
    assert "Say column_mapping=" in err
    code, out, err = run("info", name, "--wavelength-unit", "nm")
    assert (code, err) == (0, "")
    assert "5000.0" in out
    columns = ("--spectrum-columns", "col1,col2", "--wavelength-unit", "um")
    code, out, err = run("info", name, *columns)
    assert "5000000.0" in out
