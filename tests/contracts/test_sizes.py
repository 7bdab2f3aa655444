# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Files stay small enough to read, and the package small enough to ship."""

from pathlib import Path

import pytest

import astro_latent

PACKAGE = Path(astro_latent.__file__).parent
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if p.name != "_version.py")
LICENCE = "# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst"


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def total_size(folder, pattern="*"):
    return sum(path.stat().st_size for path in folder.rglob(pattern) if path.is_file())


def test_no_module_is_longer_than_500_lines():
    long = {str(p.relative_to(PACKAGE)): len(lines(p)) for p in MODULES}
    assert {name: count for name, count in long.items() if count > 500} == {}


def test_no_init_is_longer_than_100_lines():
    inits = [path for path in MODULES if path.name == "__init__.py"]
    assert [str(path) for path in inits if len(lines(path)) > 100] == []


def test_every_module_begins_with_the_licence():
    assert [str(path) for path in MODULES if lines(path)[0] != LICENCE] == []


@pytest.mark.parametrize(
    ("folder", "megabytes"),
    [("models/weights", 95), ("surveys/sample/data", 5), ("preparation/data", 2)],
)
def test_bundled_data_stay_small(folder, megabytes):
    assert total_size(PACKAGE / folder) < megabytes * 1e6


def test_nothing_bundled_can_run_code():
    suffixes = {".pkl", ".pickle", ".pt", ".pth", ".npy", ".joblib", ".h5"}
    assert [str(p) for p in PACKAGE.rglob("*") if p.suffix in suffixes] == []
