"""Tables written in pieces equal tables written whole, and need little memory."""

import gc
import tracemalloc

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable

from astro_latent.tables import TableWriter, read_table, to_wide


@pytest.mark.parametrize("suffix", [".vot", ".parquet", ".ecsv"])
def test_pieces_equal_the_whole(tmp_path, table, suffix):
    table.write(tmp_path / f"whole{suffix}")
    with TableWriter(tmp_path / f"parts{suffix}") as writer:
        for start in (0, 1, 4):
            writer.write(table[start : {0: 1, 1: 4, 4: 5}[start]])
    assert writer.n_rows == 5
    whole, parts = (read_table(tmp_path / f"{n}{suffix}") for n in ("whole", "parts"))
    assert whole.colnames == parts.colnames
    for name in whole.colnames:
        columns = [getattr(t[name], "value", t[name]) for t in (whole, parts)]
        np.testing.assert_array_equal(*columns, err_msg=name)
    assert dict(whole.meta) == dict(parts.meta)


def test_text_files_in_pieces_are_those_that_astropy_writes_whole(tmp_path, table):
    table["note"] = ["plain", "# a comment, perhaps", "two\nlines", '"quoted"', ""]
    flat = to_wide(table)
    flat.remove_column("matrix")
    for name, content in (("a.ecsv", table), ("a.csv", flat)):
        content.write(tmp_path / name)
        with TableWriter(tmp_path / f"pieces-{name}") as writer:
            for row in range(len(content)):
                writer.write(content[row : row + 1])
        whole = (tmp_path / name).read_bytes()
        assert (tmp_path / f"pieces-{name}").read_bytes() == whole


def test_text_that_grows_and_leaves_ascii_is_kept(tmp_path):
    with TableWriter(tmp_path / "a.vot") as writer:
        writer.write(QTable({"name": ["a"]}))
        writer.write(QTable({"name": ["β Pictoris, a longer name"]}))
    assert list(read_table(tmp_path / "a.vot")["name"]) == [
        "a",
        "β Pictoris, a longer name",
    ]


def latents(n_rows):
    names = [f"spectrum-{i:06d}" for i in range(n_rows)]
    return QTable({"obs_id": names, "latent": np.ones((n_rows, 128), "f4")})


def test_memory_stays_bounded(tmp_path):
    chunk = latents(2000)
    tracemalloc.start()
    with TableWriter(tmp_path / "a.vot") as writer:
        for _ in range(3):
            writer.write(chunk)
        _, first = tracemalloc.get_traced_memory()
        for _ in range(30):
            writer.write(chunk)
        _, last = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert last < first * 1.05
    assert (tmp_path / "a.vot").stat().st_size > 33 * 2000 * 128 * 4


def test_text_files_keep_no_rows_in_memory(tmp_path):
    chunk, held = latents(100), []
    tracemalloc.start()
    with TableWriter(tmp_path / "a.ecsv") as writer:
        for _ in range(2):
            for _ in range(5):
                writer.write(chunk)
            gc.collect()  # Astropy's writers leave circles
            held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert held[1] - held[0] < 0.1 * 5 * chunk["latent"].nbytes


def test_small_pieces_become_few_groups_of_a_parquet_file(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    with TableWriter(path) as writer:
        for start in range(0, 20_000, 100):
            writer.write(QTable({"number": np.arange(start, start + 100)}))
    assert parquet.ParquetFile(path).num_row_groups == 3
    np.testing.assert_array_equal(read_table(path)["number"], np.arange(20_000))


def test_file_appears_only_when_complete(tmp_path):
    path = tmp_path / "a.vot"

    def fail():
        with TableWriter(path) as writer:
            writer.write(QTable({"a": [1]}))
            writer.write(QTable({"b": [1]}))

    with pytest.raises(ValueError, match="the first chunk has columns"):
        fail()
    assert list(tmp_path.iterdir()) == []  # nothing could go on behind a rest
    path.write_text("an old file")
    with pytest.raises(FileExistsError, match=r"a\.vot exists"):
        TableWriter(path)
    writer = TableWriter(path, overwrite=True)
    writer.write(QTable({"a": [1]}))
    writer.close(complete=False)
    assert [p.read_text() for p in tmp_path.iterdir()] == ["an old file"]


def test_a_writer_that_cannot_begin_leaves_nothing(tmp_path):
    with pytest.raises(TypeError, match="no file format holds"):
        TableWriter(tmp_path / "a.vot").write(QTable({"a": np.ones(2, "c8")}))
    with pytest.raises(OSError), TableWriter(tmp_path / "no" / "a.ecsv") as writer:
        writer.write(QTable({"a": [1]}))
    assert list(tmp_path.iterdir()) == []


def test_other_columns_types_and_units(tmp_path):
    with TableWriter(tmp_path / "a.vot") as writer:
        writer.write(QTable({"a": np.array([1.0], "f4") * u.m}))
        writer.write(QTable({"a": np.array([1.0]) * u.km}))
        with pytest.raises(ValueError, match="the first chunk has columns"):
            writer.write(QTable({"b": [1.0]}))
        with pytest.raises(ValueError, match="is in m first, then in None"):
            writer.write(QTable({"a": [1.0]}))
        with pytest.raises(ValueError, match=r"is f4\[\] in the first chunk"):
            writer.write(QTable({"a": np.ones((1, 2)) * u.m}))
    assert read_table(tmp_path / "a.vot")["a"].to_value("m").tolist() == [1, 1000]


def test_nothing_written_and_unknown_format(tmp_path):
    with pytest.raises(ValueError, match="nothing was written"):
        TableWriter(tmp_path / "a.vot").close()
    with pytest.raises(
        ValueError, match="of this name cannot be written in pieces, only VOTable"
    ):
        TableWriter(tmp_path / "a.fits")
    with pytest.raises(ValueError, match="cannot be written in pieces"):
        TableWriter(tmp_path / "a.vot.gz")


def test_wide_form(table):
    wide = to_wide(table)
    assert [n for n in wide.colnames if n.startswith("z")] == [
        f"z00{i}" for i in range(8)
    ]
    np.testing.assert_array_equal(wide["z003"], table["latent"][:, 3])
    assert "matrix" in wide.colnames
    assert wide.meta == table.meta
    with pytest.raises(ValueError, match="'matrix' has cells of shape"):
        to_wide(table, columns=["matrix"])
