# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra in files: found by path or identifier; what cannot be used is listed."""

import errno
import shutil
from collections import namedtuple

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Column, MaskedColumn, Table

from astro_latent import evaluate_model, load_model, train_model
from astro_latent.cli import train as train_verb
from astro_latent.cli.main import main
from astro_latent.exceptions import (
    GridMismatchError,
    SpectrumReadError,
    UnknownNameError,
)
from astro_latent.preparation import SpectralGrid
from astro_latent.spectra import SpectrumArrays, write_example
from astro_latent.training import compare_labels
from astro_latent.training.gather import gather_spectra
from astro_latent.training.like_grid import say_who_differs
from astro_latent.training.stars import group_stars
from astro_latent.training.velocities import find_velocities

from .conftest import FAST, SMALL, make_stars

STARS = 60


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder of files like those of LAMOST, and the table of their labels."""
    folder = tmp_path_factory.mktemp("files")
    stars = make_stars(STARS, seed=7)
    wavelength = 10 ** (3.7 + 1e-4 * np.arange(80))
    for i in range(STARS):
        flux, error = (
            np.interp(wavelength, stars["wavelength_vacuum"], stars[name][i])
            for name in ("flux", "error")
        )
        write_example(
            "lamost_lrs", folder / f"spec-55859-F{i:03d}.fits", wavelength, flux,
            sigma=error, Z=0.0, RA=10.0 + 0.1 * i, DEC=0.0,
        )  # fmt: skip
    table = Table(
        {
            "file": [f"spec-55859-F{i:03d}.fits" for i in range(STARS)],
            "star": [f"F{i:03d}" for i in range(STARS)],
            "teff": stars["teff"],
            "logg": stars["logg"],
        }
    )
    table.write(folder / "labels.ecsv")
    return folder


@pytest.fixture
def table(files):
    return Table.read(files / "labels.ecsv")


def train(source, **options):
    return train_model(
        source, ["teff"], arguments=SMALL, **{**FAST, "epochs": 2, **options}
    )


def test_paths_begin_at_the_folder_of_the_table(files):
    model = train(files / "labels.ecsv")
    assert model.config.training["train"].endswith(" spectra")
    assert model.config.training["left out"] == "nothing"
    grid = model.grid
    assert (grid.medium, grid.frame, grid.spacing) == ("vacuum", "barycentric", "log10")


def test_files_are_found_by_identifier(files, table):
    table["obs_id"] = table["star"]
    table.remove_columns(["file", "star"])
    model = train(table, folder=files)
    assert model.config.training["left out"] == {"no labels for the file": 1}  # ecsv
    table.write(files / "ids.csv")
    model = train(files / "ids.csv")  # not a file without labels itself
    assert model.config.training["left out"] == {"no labels for the file": 1}
    (files / "ids.csv").unlink()


def test_labels_without_files_and_files_without_labels_are_counted(
    files, table, tmp_path
):
    for path in files.glob("*.fits"):
        shutil.copy(path, tmp_path)
    shutil.copy(tmp_path / "spec-55859-F000.fits", tmp_path / "spec-55859-F777.fits")
    (tmp_path / "spec-55859-F003.fits").unlink()
    table["obs_id"] = table["star"]
    table.remove_column("file")
    out = tmp_path / "weights_v1"
    model = train(table, folder=tmp_path, output=out)
    left = model.config.training["left out"]
    assert left["no labels for the file"] == 1
    assert sorted(left.values()) == [1, 1]
    names = Table.read(out / "left_out.ecsv")["name"].tolist()
    assert sorted(names) == ["F003", "spec-55859-F777.fits"]


def test_unreadable_files_and_zero_flux_are_left_out_and_listed(files, table, tmp_path):
    for path in files.glob("*.fits"):
        shutil.copy(path, tmp_path)
    (tmp_path / "spec-55859-F005.fits").write_bytes(b"no spectrum at all")
    with fits.open(tmp_path / "spec-55859-F006.fits", mode="update") as hdus:
        hdus[0].data[0] = 0.0
    out = tmp_path / "weights_v1"
    model = train(table, folder=tmp_path, output=out)
    left = model.config.training["left out"]
    assert left == {
        "spectrum unusable (UNREADABLE)": 1,
        "spectrum unusable (NO_SIGNAL)": 1,
    }
    listed = Table.read(out / "left_out.ecsv")
    assert sorted(name[-4:] for name in listed["name"]) == ["F005", "F006"]
    assert "UNREADABLE" in str(model.card)


def test_a_table_that_leads_to_no_file_is_an_error(table, tmp_path):
    with pytest.raises(SpectrumReadError, match="none of 60 rows, such as F000"):
        train(table, folder=tmp_path)
    table.remove_columns(["file", "star"])
    with pytest.raises(ValueError, match="teff, logg"):
        train(table)


def test_spectra_on_two_grids_are_refused(files, table, tmp_path):
    wavelength = 10 ** (3.7 + 4e-4 * np.arange(80))
    for i in range(20):
        path = write_example(
            "lamost_lrs", tmp_path / f"F{i}.fits", wavelength, np.ones(80)
        )
        table["file"][i] = ""
        table["file"] = table["file"].astype("U200")
        table["file"][i] = str(path)
    with pytest.raises(GridMismatchError, match=r"spectra on two grids.* 20 do not"):
        train(table, folder=files)


@pytest.mark.parametrize("kept", [36, 60, 78])
def test_spectra_that_a_common_grid_suits_badly_are_said(kept, caplog):
    wavelength = 5000.0 + 5.0 * np.arange(80)
    spectra = [
        SpectrumArrays(wavelength=w, flux=np.ones(len(w)), mask=np.zeros(len(w), bool))
        for w in [wavelength] * 40 + [wavelength[:kept]] * 20
    ]
    if kept < 40:  # less than half is another kind
        with pytest.raises(GridMismatchError, match="two grids"):
            SpectralGrid.from_spectra(spectra)
        return
    say_who_differs(SpectralGrid.from_spectra(spectra), spectra)
    said = [r.message for r in caplog.records if "do not cover the grid" in r.message]
    assert len(said) == (kept == 60)


def test_a_full_disk_is_said_before_any_work(monkeypatch, tmp_path):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(9, 9, 0))
    with pytest.raises(OSError, match="60 prepared spectra need") as caught:
        train(make_stars(STARS), work=tmp_path)
    assert caught.value.errno == errno.ENOSPC
    assert not list(tmp_path.glob("*"))


def test_a_disk_that_fills_up_leaves_nothing_half_done(monkeypatch, tmp_path):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="is full; give another folder as work"):
        train(make_stars(STARS), work=tmp_path)
    assert not list(tmp_path.glob("*"))


def test_labels_may_come_apart_from_the_spectra(files, table):
    paths = sorted(files.glob("*.fits"))
    table["obs_id"] = [path.stem for path in paths]
    model = train(paths[5:], table=table[::-1][5:])
    left = model.config.training["left out"]
    assert left == {"no labels for the file": 5, "no spectrum for the label": 5}
    with pytest.raises(ValueError, match="57 spectra and 60 rows of labels"):
        train(paths[3:], table=table["teff", "logg"])


@pytest.mark.parametrize(
    ("ending", "form"),
    [
        ("csv", "csv"), ("txt", "ascii.commented_header"), ("tsv", "ascii.tab"),
        ("fits", "fits"), ("vot", "votable"), ("ipac", "ascii.ipac"),
        ("csv.gz", "csv"),
    ],
)  # fmt: skip
def test_tables_of_any_format_list_spectra(ending, form, files, table):
    path = files / f"any_table.{ending}"
    table.write(path, format=form)
    gathered = gather_spectra(path)
    path.unlink()
    assert len(gathered.source) == STARS
    assert gathered.table["teff"].tolist() == pytest.approx(table["teff"].tolist())


def test_a_file_that_lists_nothing_is_an_error(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("there are no columns, here\nat\nall\n")
    with pytest.raises(ValueError, match=r"words\.txt|nothing says where"):
        train(path)
    with pytest.raises(SpectrumReadError, match=r"nowhere\.csv leads to no file"):
        train(tmp_path / "nowhere.csv")


def test_why_no_spectrum_could_be_read_is_said(tmp_path):
    (tmp_path / "empty.fits").write_bytes(b"")
    with pytest.raises(
        SpectrumReadError, match=r"none of 1 .*empty\.fits.*\(0 bytes\)"
    ):
        train(tmp_path)


def test_labels_of_a_folder_are_matched_by_name_never_by_order(files, table):
    table["obs_id"] = table["star"]
    labels = table["obs_id", "teff"][::-1]
    gathered = gather_spectra(files, table=labels)
    for path, row in zip(gathered.source, gathered.rows, strict=True):
        assert labels["obs_id"][row] in path.name
    labels["obs_id"] = [f"other {i}" for i in range(STARS)]
    with pytest.raises(ValueError, match="no spectrum has an obs_id that is in the"):
        train(files, table=labels)
    with pytest.raises(ValueError, match="whose order is that of the names of files"):
        train(files, table=labels["teff",])


def test_several_files_of_one_row_are_one_star(files, table, tmp_path):
    for path in files.glob("*.fits"):
        for visit in ("a", "b"):
            shutil.copy(path, tmp_path / f"{path.stem}_{visit}.fits")
    table["obs_id"] = table["star"]
    model = train(table["obs_id", "teff"], folder=tmp_path)
    described = model.config.training
    stars, spectra = (
        int(word) for word in described["train"].split() if word.isdigit()
    )
    assert spectra == 2 * stars
    assert described["left out"] == "nothing"


def test_velocities_may_be_a_column(files, table):
    table["z"] = np.linspace(-1e-3, 1e-3, STARS)
    table["file"][3] = ""
    gathered = gather_spectra(table, folder=files)
    found = find_velocities("z", gathered)
    expected = np.delete(table["z"], 3) * 299792.458
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    table["v"] = Column(np.full(STARS, 5e3), unit="m/s")
    gathered = gather_spectra(table, folder=files)
    np.testing.assert_allclose(find_velocities("v", gathered), np.full(59, 5.0))
    with pytest.raises(UnknownNameError, match="rv"):
        find_velocities("rv", gathered)
    assert train(table, folder=files, radial_velocity="z").grid.frame == "rest"


def test_prepared_spectra_are_not_those_of_other_velocities(files, table):
    keys = set()
    for velocity in (0.0, 50.0):
        table["radial_velocity"] = velocity
        keys.add(gather_spectra(table, folder=files).key)
    assert len(keys) == 2


def test_stars_without_a_name_or_a_place_are_not_one_star():
    names = MaskedColumn(["a", "a", "", "x", "x"], mask=[0, 0, 0, 1, 1])
    numbers, how = group_stars(Table({"star": names}))
    assert how == "column star"
    assert len(np.unique(numbers)) == 4
    assert group_stars(Table({"APOGEE_ID": names}))[1] == "column APOGEE_ID"
    places = Table({"ra": [1.0, 1.0, np.nan, np.nan], "dec": [0.0] * 4})
    numbers, how = group_stars(places)
    assert how == "position, 3 arcsec"
    assert (numbers[0] == numbers[1], len(np.unique(numbers))) == (True, 3)


def test_the_command_trains_evaluates_and_draws(files, tmp_path, capsys):
    plt = pytest.importorskip("matplotlib.pyplot")
    before = plt.get_fignums()
    out = tmp_path / "mine_v1"
    code = main(
        ["train", str(files / "labels.ecsv"), "--labels", "teff", "logg", "-o",
         str(out), "--fit", "epochs=3", "batch_size=32", "--augment", "noise=1",
         "--survey", "lamost", "--arguments", "n_hidden=16", "n_blocks=1"]
    )  # fmt: skip
    assert code == 0
    said = capsys.readouterr()
    assert "teff" in said.out
    assert "train:" in said.err
    assert {"teff.png", "logg.png", "config.json"} <= {p.name for p in out.iterdir()}
    assert plt.get_fignums() == before  # as no one would see it, none stays open
    code = main(
        ["evaluate", str(files / "labels.ecsv"), "-m", f"{out}/", "-o",
         str(tmp_path / "scores")]
    )  # fmt: skip
    assert code == 0
    assert "rows are flagged" in capsys.readouterr().err
    rows = Table.read(tmp_path / "scores" / "rows.ecsv")
    assert len(rows) == STARS
    assert "teff_given" in rows.colnames


def test_the_command_without_matplotlib_draws_nothing(tmp_path, capsys, monkeypatch):
    np.savez(tmp_path / "stars.npz", **make_stars(STARS))
    monkeypatch.setattr(train_verb, "find_spec", lambda name: None)
    out = tmp_path / "mine_v1"
    code = main(
        ["train", str(tmp_path / "stars.npz"), "--labels", "teff", "-o", str(out),
         "--fit", "epochs=1", "--about", "licence=CC0", "--radial-velocity", "3",
         "--frame", "barycentric"]
    )  # fmt: skip
    assert code == 0
    assert "no pictures: they need matplotlib" in capsys.readouterr().err
    assert load_model(out).config.licence == "CC0"
    assert load_model(out).grid.frame == "rest"


def test_a_model_is_compared_with_a_catalogue(files):
    model = train(files / "labels.ecsv", epochs=8)
    found = evaluate_model(model, files / "labels.ecsv", ["teff"])
    every = found.scores[found.scores["by"] == "all"][0]
    assert every["n"] == STARS
    assert every["scatter"] < 400
    assert 0.3 < every["coverage_68"] <= 1.0
    assert "Evaluation of 60 rows" in repr(found)


def test_all_labels_that_model_and_table_share_are_compared():
    stars = make_stars(STARS)
    stars["depth"] = stars["teff"] / 1000.0  # a label that no list knows
    model = train_model(stars, ["depth", "logg"], arguments=SMALL, **FAST)
    found = evaluate_model(model, stars)
    assert set(found.scores["label"]) == {"depth", "logg"}


def test_two_catalogues_are_compared_by_identifiers_in_other_types_and_units():
    one = Table({"source_id": [1.0, 2.0, np.nan], "age": [5.0, 7.0, 9.0]})
    two = Table({"source_id": ["2", "1", ""], "age": [7100.0, 5100.0, 1.0]})
    one["age"].unit, two["age"].unit = "Gyr", "Myr"
    found = compare_labels(one, two, ["age"])
    assert found.rows["age_given"].tolist() == pytest.approx([5.1, 7.1])
    assert found.omissions.counts() == {"not in the other table": 1}


def test_two_catalogues_whose_names_differ_are_compared_by_position():
    one = Table({"obs_id": ["a"], "RAJ2000": [10.0], "DEJ2000": [-5.0], "teff": [1.0]})
    two = Table({"obs_id": ["b"], "ra": [10.0], "dec": [-5.0001], "teff": [2.0]})
    assert compare_labels(one, two).rows["teff_given"].tolist() == [2.0]


def test_two_catalogues_are_compared_by_position():
    one = Table({"ra": [1.0, 2.0, 3.0], "dec": [0.0, 0, 0], "teff": [5000.0, 5100, 1]})
    two = Table({"ra": [2.0, 1.0, 9.0], "dec": [0.0, 0, 0], "teff": [5090.0, 5010, 1]})
    found = compare_labels(one, two)
    assert len(found.rows) == 2
    assert found.omissions.counts() == {"not in the other table": 1}
    assert np.isnan(found.scores["coverage_68"]).all()
    with pytest.raises(ValueError, match="share no label"):
        compare_labels(one["ra", "dec"], two)
    with pytest.raises(ValueError, match="neither an identifier nor positions"):
        compare_labels(one["ra", "teff"], two)
