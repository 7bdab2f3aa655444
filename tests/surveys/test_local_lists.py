# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tables that list files of this machine are read within bounds, and lead nowhere."""

import bz2
import gzip
from pathlib import Path

import pytest
from astropy.table import Table

from astro_latent import conf
from astro_latent.exceptions import ArchiveFormatError, FileLimitError
from astro_latent.spectra.reading import find_files
from astro_latent.surveys import get_survey
from astro_latent.tables import read_table


def test_a_list_whose_rows_lie_elsewhere(tmp_path, stub, say):
    stub.routes["/rows"] = say(b"0" * 8)
    path = tmp_path / "list.vot"
    path.write_text(
        "<VOTABLE version='1.3'><RESOURCE><TABLE><FIELD name='path' datatype='char' "
        f"arraysize='8'/><DATA><BINARY><STREAM href='{stub.url}/rows'/></BINARY></DATA>"
        "</TABLE></RESOURCE></VOTABLE>"
    )
    with pytest.raises(ArchiveFormatError, match=r"list\.vot.*elsewhere"):
        get_survey("local", path=path).table()
    assert stub.seen == []


def test_a_list_that_is_a_bomb(tmp_path):
    path = tmp_path / "list.csv.gz"
    path.write_bytes(gzip.compress(b"path\n" + b"a" * 30_000_000))
    with pytest.raises(FileLimitError, match=r"list\.csv\.gz.*max_unpack_ratio"):
        get_survey("local", path=path).table()


def test_a_list(tmp_path):
    path = tmp_path / "list.csv"
    Table({"path": ["a.fits"]}).write(path)
    table = get_survey("local", path=path).table()
    assert table["path"].tolist() == [str(tmp_path / "a.fits")]


@pytest.mark.parametrize("name", ["l.ecsv", "l.fits", "l.vot", "l.csv.gz", "L.csv.bz2"])
def test_lists_of_all_formats(tmp_path, name):
    plain = name.removesuffix(".gz").removesuffix(".bz2")
    form = {"vot": "votable", "csv": "ascii.csv"}.get(plain[2:])
    Table({"file": ["a.fits", "b.fits"]}).write(tmp_path / plain, format=form)
    if plain != name:
        pack = gzip.compress if name.endswith("gz") else bz2.compress
        (tmp_path / name).write_bytes(pack((tmp_path / plain).read_bytes()))
    table = get_survey("local", path=tmp_path / name).table()
    assert table["obs_id"].tolist() == ["a", "b"]


def test_a_list_of_unknown_format_and_the_remedy(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("path      snr\na.fits   10\nb.fits   20\n")
    with pytest.raises(ArchiveFormatError, match=r"list\.txt: neither.*read_table"):
        get_survey("local", path=path).table()
    table = get_survey("local", path=read_table(path)).table()
    assert table["obs_id"].tolist() == ["a", "b"]


@pytest.mark.parametrize(("name", "item"), [("csv", 8), ("ecsv", 8)])
def test_lists_of_text_have_the_limits_of_text(tmp_path, name, item):
    path = tmp_path / f"list.{name}"
    Table({"path": [f"{i}.fits" for i in range(item)]}).write(path)
    with (
        conf.set_temp("max_pixels", item - 1),
        pytest.raises(FileLimitError, match=r"list.*max_pixels"),
    ):
        get_survey("local", path=path).table()
    with (
        conf.set_temp("max_text_size", 1e-6),
        pytest.raises(FileLimitError, match=r"list.*max_text_size"),
    ):
        get_survey("local", path=path).table()


def test_a_damaged_list(tmp_path):
    path = tmp_path / "list.ecsv"
    path.write_text("# %ECSV 1.0\n# ---\n# datatype: [}\npath\na.fits\n")
    with pytest.raises(ArchiveFormatError, match=r"list\.ecsv.*read_table"):
        get_survey("local", path=path).table()


def test_a_folder_gives_the_files_that_the_readers_take(tmp_path):
    names = [
        f"{letter}{ending}"
        for letter, ending in zip(
            "abcdefgh",
            (".fits", ".FITS", ".fts", ".fit.gz", ".fits.bz2", ".fits.fz", ".vot.gz",
             ".xml"), strict=True,
        )
    ]  # fmt: skip
    for name in (*names, ".hidden.fits", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    listed = get_survey("local", path=tmp_path).table()
    assert [Path(p).name for p in listed["path"]] == names
    assert listed["obs_id"].tolist() == list("abcdefgh")
    assert [path.name for path in find_files(tmp_path)] == names


def test_a_folder_is_searched_below_but_not_where_it_is_hidden(tmp_path):
    for folder in ("night", ".cache"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.fits").write_bytes(b"")
    listed = get_survey("local", path=tmp_path).table()
    assert listed["path"].tolist() == [str(tmp_path / "night" / "a.fits")]
