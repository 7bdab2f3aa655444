# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Public functions and classes say what they take, give and raise, and of what type."""

import inspect
import re
from importlib import import_module

import pytest

ROOMS = ("archives", "spectra", "preparation", "models", "latent", "tables", "plotting")
SECTION = r"^{}\n-+$"


def public():
    """Public functions and classes of all rooms, each once."""
    seen = {}
    for room in ROOMS:
        module = import_module(f"astro_latent.{room}")
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isfunction(thing) or inspect.isclass(thing):
                seen.setdefault(id(thing), (f"{room}.{name}", thing))
    return [pytest.param(thing, id=label) for label, thing in seen.values()]


def functions_of(thing):
    """The function itself, or the public methods that a class defines."""
    if inspect.isfunction(thing):
        return [thing]
    members = [
        member.__func__ if isinstance(member, classmethod | staticmethod) else member
        for name, member in vars(thing).items()
        if not name.startswith("_")
    ]
    return [member for member in members if inspect.isfunction(member)]


def parameters_of(function):
    parameters = inspect.signature(function).parameters.values()
    return [p for p in parameters if p.name not in ("self", "cls")]


def has_section(text, title):
    return re.search(SECTION.format(title), text, re.MULTILINE) is not None


@pytest.mark.parametrize("thing", public())
def test_types_are_stated(thing):
    for function in functions_of(thing):
        bare = [
            p.name for p in parameters_of(function) if p.annotation is inspect._empty
        ]
        assert bare == [], function.__qualname__
        assert "return" in function.__annotations__, function.__qualname__


@pytest.mark.parametrize("thing", public())
def test_summary_is_one_line_that_ends_with_a_full_stop(thing):
    summary = inspect.getdoc(thing).partition("\n\n")[0]
    assert re.fullmatch(r"[^\n]+[.]", summary), summary


@pytest.mark.parametrize("thing", public())
def test_parameters_and_results_have_their_sections(thing):
    for function in functions_of(thing):
        text = inspect.getdoc(function) or ""
        if "; see `" in text and not has_section(text, "Parameters"):
            continue  # a method that keeps the promise of the one it names
        names = [p.name for p in parameters_of(function)]
        undocumented = [
            name
            for name in names
            if not re.search(rf"^\**(\w+, )*{name}\b[^\n]*(:|$)", text, re.MULTILINE)
        ]
        if names:
            assert has_section(text, "Parameters"), function.__qualname__
            assert undocumented == [], function.__qualname__
        if function.__annotations__.get("return") not in (None, "None"):
            given = any(has_section(text, title) for title in ("Returns", "Yields"))
            assert given, function.__qualname__


@pytest.mark.parametrize("thing", public())
def test_after_two_positional_arguments_come_names(thing):
    for function in functions_of(thing):
        positional = [
            p.name
            for p in parameters_of(function)
            if p.kind is p.POSITIONAL_OR_KEYWORD and p.default is not p.empty
        ]
        assert len(positional) <= 2, function.__qualname__
        switches = [
            p.name
            for p in parameters_of(function)
            if p.kind is p.POSITIONAL_OR_KEYWORD and isinstance(p.default, bool)
        ]
        assert switches == [], function.__qualname__
