# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Files stay small enough to read, and the package small enough to ship."""

import ast
import zlib
from pathlib import Path

import pytest

import astro_latent

PACKAGE = Path(astro_latent.__file__).parent
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if p.name != "_version.py")
#: The limits that ``CONTRIBUTING.rst`` states.
LONGEST_FILE, LONGEST_BODY = 400, 40
LICENCE = "# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst"


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def total_size(folder, pattern="*"):
    """Count bytes as a wheel holds them; some weights are mostly zeros."""
    files = [path for path in folder.rglob(pattern) if path.is_file()]
    return sum(len(zlib.compress(path.read_bytes(), 1)) for path in files)


def bodies(path):
    """Functions of a file, with the lines from their first statement to the last."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            yield node.name, length


def test_no_module_is_longer_than_the_limit():
    long = {p.relative_to(PACKAGE).as_posix(): len(lines(p)) for p in MODULES}
    long = {name: count for name, count in long.items() if count > LONGEST_FILE}
    assert long == {}


def test_no_body_of_a_function_is_longer_than_the_limit():
    long = {
        f"{path.relative_to(PACKAGE).as_posix()}:{name}": length
        for path in MODULES
        for name, length in bodies(path)
        if length > LONGEST_BODY
    }
    assert long == {}


def test_contributors_are_told_the_same_limits():
    path = PACKAGE.parent / "CONTRIBUTING.rst"
    if not path.is_file():
        pytest.skip("tested without the repository around the package")
    text = " ".join(path.read_text(encoding="utf-8").split())
    said = f"at most {LONGEST_FILE} lines, bodies of functions at most {LONGEST_BODY}"
    assert said in text


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
