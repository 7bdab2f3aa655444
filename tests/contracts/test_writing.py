# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What is written to a file is written under a temporary name, by one helper."""

import ast
from pathlib import Path

import pytest

import astro_latent

PACKAGE = Path(astro_latent.__file__).parent
#: Calls that write files: names of methods and functions.
WRITERS = {
    "write_text", "write_bytes", "writeto", "savefig", "savez", "savez_compressed",
    "save_file", "write_catalog", "copyfile",
}  # fmt: skip
#: What lends a temporary name.
LENDERS = {"replacing", "replacing_folder", "scratch_folder", "TemporaryDirectory"}
#: Functions that are given a temporary name by their caller.
GIVEN = {
    "utils/writing.py:write_bytes", "tables/votable/files.py:_write_tree",
    "archives/transfer.py:save",  # a note beside a partial file
    "surveys/gaia/datalink.py:_keep",  # into a scratch folder, then moved
    "spectra/sources.py:read_content",  # into memory
    "notebook/page.py:_data_url",  # likewise
    "matching/hats.py:add_hats_results",  # LSDB goes on; its properties come last
}  # fmt: skip


def called(node):
    function = node.func
    return getattr(function, "attr", getattr(function, "id", ""))


def unguarded(source):
    """Functions that write a file under its own name at once."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            calls = [n for n in ast.walk(node) if isinstance(n, ast.Call)]
            methods = {n.func.attr for n in calls if isinstance(n.func, ast.Attribute)}
            if methods & WRITERS and not {called(n) for n in calls} & LENDERS:
                yield node.name


def test_every_file_is_written_under_a_temporary_name():
    found = {
        f"{path.relative_to(PACKAGE).as_posix()}:{name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for name in unguarded(path.read_text("utf-8"))
    }
    assert found - GIVEN == set()


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("def f(p):\n    p.write_text('x')", ["f"]),
        ("def f(p):\n    with replacing(p) as q:\n        q.write_text('x')", []),
        ("def f(figure):\n    figure.savefig('a.png')", ["f"]),
    ],
)
def test_the_rule_itself(text, wrong):
    assert list(unguarded(text)) == wrong
