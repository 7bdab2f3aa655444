# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Damaged files of every format: a flagged row that names the file, and nothing else.

``benchmarks/fuzz_readers.py`` does the same with any number of them.
"""

from pathlib import Path

import astropy
import pytest

from tests.fixtures.mutants import find_faults, make_mutant, read_seeds, write_seeds

COUNT = 400


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    return write_seeds(tmp_path_factory.mktemp("seeds"))


def strangers():
    """Files that others wrote: what Astropy tests itself with, as far as installed."""
    root = Path(astropy.__file__).parent / "io"
    found = {}
    for folder in ("fits/tests/data", "votable/tests/data"):
        found |= read_seeds(root / folder, largest=40_000)
    endings = (".fits", ".xml", ".vot", ".gz")
    return {Path(name).name: found[name] for name in found if name.endswith(endings)}


@pytest.mark.filterwarnings("ignore")
def test_whole_examples_are_read(seeds, tmp_path):
    for name, content in seeds.items():
        (tmp_path / name).write_bytes(content)
        faults, found = find_faults(tmp_path / name)
        assert faults == []
        assert len(found[0].flux) >= 50, name


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("part", range(4))
def test_damaged_files_are_flagged_rows_that_name_them(seeds, tmp_path, part):
    for number in range(part * COUNT // 4, (part + 1) * COUNT // 4):
        name, content = make_mutant(seeds, 1307, number)
        path = tmp_path / f"{number}-{name}"
        path.write_bytes(content)
        faults, _ = find_faults(path)
        assert faults == [], path


@pytest.mark.filterwarnings("ignore")
def test_damaged_files_of_others_are_flagged_rows_that_name_them(tmp_path):
    files = strangers()
    if not files:
        pytest.skip("Astropy was installed without its test data")
    for number in range(50):
        name, content = make_mutant(files, 1307, number)
        path = tmp_path / f"{number}-{name}"
        path.write_bytes(content)
        faults, _ = find_faults(path)
        assert faults == [], path
