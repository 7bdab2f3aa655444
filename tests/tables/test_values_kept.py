"""What is written is what is read: null, large integers, text of several lines."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Column, MaskedColumn, QTable, Table

from astro_latent.tables import read_table, write_table

FORMATS = [".vot", ".fits", ".ecsv", ".parquet"]
LARGE = 2**63 + 5


def write(tmp_path, suffix, table):
    write_table(table, tmp_path / f"a{suffix}")
    return read_table(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("suffix", FORMATS)
def test_unknown_booleans_stay_unknown(tmp_path, suffix):
    table = QTable({"x": [1.0, 2.0, 3.0]})
    table["b"] = MaskedColumn([True, False, True], mask=[True, False, False])
    found = write(tmp_path, suffix, table)["b"]
    assert np.ma.getmaskarray(found).tolist() == [True, False, False]
    assert np.ma.getdata(found)[1:].tolist() == [False, True]


def test_unknown_booleans_in_the_words_of_fits(tmp_path):
    table = QTable({"b": MaskedColumn([True, False, True], mask=[1, 0, 0])})
    table["many"] = MaskedColumn(np.ones((3, 2), bool), mask=[[0, 1], [0, 0], [1, 0]])
    found = write(tmp_path, ".fits", table)
    with fits.open(tmp_path / "a.fits") as hdus:
        stored = hdus[1].data.view(np.ndarray)
        assert stored["b"].tobytes() == b"\0FT"
        assert stored["many"].tobytes() == b"T\0TT\0T"
    masks = np.ma.getmaskarray(found["many"]).tolist()
    assert masks == [[False, True], [False, False], [True, False]]


@pytest.mark.parametrize("suffix", FORMATS)
def test_unsigned_integers(tmp_path, suffix):
    table = QTable({"id": np.array([1, LARGE], np.uint64), "x": [1.0, 2.0]})
    table["null"] = MaskedColumn(np.array([LARGE, 7], np.uint64), mask=[False, True])
    found = write(tmp_path, suffix, table)
    assert [str(value) for value in found["id"]] == ["1", str(LARGE)]
    assert str(found["null"][0]) == str(LARGE)


def test_large_integers_for_others(tmp_path):
    write_table(QTable({"id": np.array([LARGE], np.uint64)}), tmp_path / "a.vot")
    assert Table.read(tmp_path / "a.vot", format="votable")["id"][0] == str(LARGE)


def test_arrays_of_large_integers_are_refused(tmp_path):
    table = QTable({"id": np.array([[1, LARGE]], np.uint64)})
    with pytest.raises(ValueError, match=r"'id': 9223372036854775813 exceeds"):
        write_table(table, tmp_path / "a.vot")
    assert not (tmp_path / "a.vot").exists()


@pytest.mark.parametrize("suffix", FORMATS)
def test_text_of_several_lines_in_metadata(tmp_path, suffix):
    table = QTable({"x": [1.0]}, meta={"note": "first\r\nsecond\tthird\x01"})
    assert write(tmp_path, suffix, table).meta["note"] == table.meta["note"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_text_that_is_missing(tmp_path, suffix):
    table = QTable({"x": [1.0, 2.0]})
    table["o"] = Column(["a", None], dtype=object)
    found = write(tmp_path, suffix, table)["o"].tolist()
    assert [value or "" for value in found] == ["a", ""]


@pytest.mark.parametrize("suffix", ["vot", "fits", "ecsv"])
def test_a_table_without_rows_or_of_empty_text_is_written(tmp_path, suffix):
    for count in (0, 2):
        path = tmp_path / f"{count}.{suffix}"
        write_table(Table({"name": np.full(count, "", dtype="U5")}), path)
        assert read_table(path)["name"].tolist() == [""] * count


@pytest.mark.parametrize("suffix", [*FORMATS, ".csv"])
def test_characters_that_files_do_not_hold_are_spelled_out(tmp_path, suffix):
    table = QTable({"x": [1.0, 2.0, 3.0], "s": ["a\rb", "a\0b", "a\x01b"]})
    found = write(tmp_path, suffix, table)
    assert found["s"].tolist() == ["a\\x0db", "a\\x00b", "a\\x01b"]
