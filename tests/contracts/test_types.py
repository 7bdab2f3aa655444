# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Parameters have real types: the number of those that take ``Any`` only goes down."""

import ast
from collections import Counter
from pathlib import Path

import pytest

import astro_latent

PACKAGE = Path(astro_latent.__file__).parent
#: Parameters that are ``Any`` today. Lower it when you give one of them a type.
MOST = 14


def is_any(annotation):
    """Tell whether a type is ``Any``, or ``Any`` or something else, quoted or not."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return is_any(ast.parse(annotation.value, mode="eval").body)
    if isinstance(annotation, ast.BinOp):
        return is_any(annotation.left) or is_any(annotation.right)
    return isinstance(annotation, ast.Name) and annotation.id == "Any"


def untyped(source):
    """Names of parameters that are ``Any``; ``*args`` and ``**options`` may be."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = node.args
            for argument in (
                *arguments.posonlyargs,
                *arguments.args,
                *arguments.kwonlyargs,
            ):
                if is_any(argument.annotation):
                    yield f"{node.name}({argument.arg})"


def test_parameters_that_are_any_become_fewer():
    found = {
        path.relative_to(PACKAGE).as_posix(): list(untyped(path.read_text("utf-8")))
        for path in sorted(PACKAGE.rglob("*.py"))
    }
    rooms = Counter()
    for file, names in found.items():
        rooms[file.partition("/")[0]] += len(names)
    assert rooms.total() <= MOST, rooms.most_common()


@pytest.mark.parametrize(
    ("annotation", "wrong"),
    [
        ("Any", True),
        ("'Any'", True),
        ("Any | None", True),
        ("'Any | None'", True),
        ("Table", False),
        ("dict[str, Any]", False),
        ("object", False),
    ],
)
def test_the_rule_itself(annotation, wrong):
    found = list(untyped(f"def f(a: int, *args: Any, b: {annotation}): ..."))
    assert found == (["f(b)"] if wrong else [])
