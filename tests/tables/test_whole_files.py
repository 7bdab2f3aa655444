# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Files are whole or not there: after full disks, errors, interrupts and kills."""

import contextlib
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable, Table

from astro_latent.tables import ResultTable, TableWriter, read_table, write_table
from astro_latent.utils import writing
from astro_latent.utils.writing import replacing, replacing_folder

resource = pytest.importorskip("resource")  # limits of POSIX
SMALL = QTable({"obs_id": ["old"], "teff": [5772.0] * u.K})
LARGE = QTable({"obs_id": ["new"] * 5_000, "teff": np.arange(5_000.0) * u.K})
LARGE["latent"] = np.random.default_rng(1).random((5_000, 8), np.float32)
FORMATS = {
    "vot": {}, "xml": {"serialization": "tabledata"}, "fits": {}, "fits.gz": {},
    "parquet": {}, "ecsv": {}, "parq": {"format": "parquet.votable"},
}  # fmt: skip


@contextlib.contextmanager
def full_disk(size=50_000):
    """No file of this process may become larger, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write(table, path, overwrite=True):
    options = FORMATS[path.name.partition(".")[2]]
    ResultTable(table).write(path, overwrite=overwrite, **options)


@pytest.mark.parametrize("ending", FORMATS)
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, ending):
    path, other = tmp_path / f"stars.{ending}", tmp_path / f"none.{ending}"
    write(SMALL, path)
    before = path.read_bytes()
    for target in (path, other):
        with full_disk(), pytest.raises(OSError, match=rf"{target.name} cannot be"):
            write(LARGE, target)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", FORMATS)
def test_an_interrupt_leaves_the_old_file_and_nothing_else(
    tmp_path, ending, monkeypatch
):
    path = tmp_path / f"stars.{ending}"
    write(SMALL, path)
    before = path.read_bytes()

    def stop(part, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writing, "commit", stop)
        with pytest.raises(KeyboardInterrupt):
            write(LARGE, path)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", FORMATS)
def test_a_file_is_replaced_only_if_that_was_asked_for(tmp_path, ending):
    path = tmp_path / f"stars.{ending}"
    write(SMALL, path)
    size = path.stat().st_size
    with pytest.raises(OSError, match=r"exists; pass overwrite=True"):
        write(LARGE, path, overwrite=False)
    assert path.stat().st_size == size
    write(LARGE, path)
    assert path.stat().st_size > size


# Astropy leaves the file open that it could not write
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_plain_tables_and_formats_of_astropy_are_written_whole_as_well(tmp_path):
    path = tmp_path / "stars.csv"
    write_table(Table(SMALL), path)
    with full_disk(1000), pytest.raises(OSError, match=r"stars\.csv cannot be written"):
        write_table(Table(LARGE["obs_id", "teff"]), path, overwrite=True)
    assert len(Table.read(path)) == 1


def test_what_is_added_to_is_not_replaced(tmp_path):
    pytest.importorskip("h5py")
    path = tmp_path / "two.hdf5"
    for name in ("a", "b"):
        ResultTable({"x": [1]}).write(
            path, format="hdf5", path=name, append=True, serialize_meta=False
        )
    assert len(Table.read(path, path="a")) == len(Table.read(path, path="b")) == 1
    assert ResultTable.read(path, format="hdf5", path="b")["x"].tolist() == [1]


KILLED = """
import sys
from astro_latent.utils import writing
from astro_latent.tables import read_table
table = read_table(sys.argv[1])
commit = writing.commit
def wait(part, target):
    print("written", flush=True)
    import time; time.sleep(60)
writing.commit = wait
table.write(sys.argv[1], overwrite=True)
"""


def test_a_kill_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "stars.vot"
    write(SMALL, path)
    before = path.read_bytes()
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "written\n"
        process.send_signal(signal.SIGKILL)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".part-")] == [
        path.name
    ]


def write_pieces(path):
    with TableWriter(path, overwrite=True) as writer:
        for _ in range(10):
            writer.write(LARGE)


def test_a_long_file_that_meets_a_full_disk_keeps_the_old_one(tmp_path):
    for ending in ("vot", "parquet"):
        path = tmp_path / f"long.{ending}"
        write(SMALL, path)
        with full_disk(), pytest.raises(OSError):
            write_pieces(path)
        assert read_table(path)["obs_id"].tolist() == ["old"]


def test_links_modes_and_pipes_stay_what_they_are(tmp_path):
    path, link = tmp_path / "stars.vot", tmp_path / "link.vot"
    write(SMALL, path)
    path.chmod(0o640)
    link.symlink_to(path)
    write(LARGE, link)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    with replacing("/dev/null") as part:
        part.write_text("x")
    assert not os.path.isfile("/dev/null")  # noqa: PTH113


def test_names_of_any_length_can_be_written(tmp_path):
    path = tmp_path / ("s" * 251 + ".vot")
    write_table(SMALL, path)
    assert read_table(path)["obs_id"].tolist() == ["old"]


def write_and_fail(folder, error):
    with replacing_folder(folder, overwrite=True) as part:
        (part / "a").write_text("new")
        raise error


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    folder = tmp_path / "weights"
    with replacing_folder(folder) as part:
        part.mkdir()
        (part / "a").write_text("old")
        (part / "own").write_text("kept")
    for error in (OSError(28, "No space left on device"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            write_and_fail(folder, error)
        assert (folder / "a").read_text() == "old"
    with pytest.raises(FileExistsError, match="pass overwrite=True"):
        replacing_folder(folder).__enter__()
    with replacing_folder(folder, overwrite=True) as part:
        (part / "a").write_text("new")
    found = {path.name: path.read_text() for path in folder.iterdir()}
    assert found == {"a": "new", "own": "kept"}
    assert [path.name for path in tmp_path.iterdir()] == ["weights"]


def test_a_missing_folder_is_named_with_the_remedy(tmp_path):
    path = tmp_path / "nowhere" / "stars.vot"
    with pytest.raises(OSError, match=r"stars\.vot cannot be .* its folder must exist"):
        write_table(SMALL, path)
