# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Every public name stands on a page that explains it; no Sphinx is needed to tell."""

import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

import astro_latent

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = DOCS / "reference"
#: A room without a face of its own is not explained name by name.
ROOMS = [
    found.name
    for found in pkgutil.iter_modules(astro_latent.__path__)
    if found.name == "exceptions"
    or (found.ispkg and found.name not in ("utils", "notebook"))
]
PAGES = {"astro_latent": astro_latent} | {
    name: import_module(f"astro_latent.{name}") for name in ROOMS
}


def explained(text):
    """Return the names that a page lists for `autosummary`, defines, or links to."""
    listed = re.findall(r"^   (\w+)$", text, flags=re.MULTILINE)
    defined = re.findall(r"^\.\. py:(?:data|type):: (\w+)$", text, flags=re.MULTILINE)
    linked = re.findall(r"`(\w+) <astro_latent\.", text)
    return {*listed, *defined, *linked}


@pytest.mark.parametrize("name", PAGES)
def test_every_public_name_is_on_the_page_of_its_room(name):
    text = (REFERENCE / f"{name}.rst").read_text(encoding="utf-8")
    public = set(getattr(PAGES[name], "__all__", ()))
    assert sorted(public - explained(text)) == []


@pytest.mark.parametrize("name", PAGES)
def test_no_page_lists_a_name_that_is_gone(name):
    text = (REFERENCE / f"{name}.rst").read_text(encoding="utf-8")
    listed = re.findall(r"^   (\w+)$", text, flags=re.MULTILINE)
    gone = [item for item in listed if not hasattr(PAGES[name], item)]
    assert gone == []


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_in_the_table_of_contents(name):
    index = (REFERENCE / "index.rst").read_text(encoding="utf-8")
    assert re.search(rf"^   {name}$", index, flags=re.MULTILINE)


def test_public_text_does_not_number_the_rooms():
    texts = [*DOCS.rglob("*.rst"), *Path(astro_latent.__file__).parent.rglob("*.py")]
    numbered = re.compile(r"\broom \d", flags=re.IGNORECASE)
    found = [str(p) for p in texts if numbered.search(p.read_text(encoding="utf-8"))]
    assert found == []


def test_no_page_holds_the_marks_of_a_merge():
    marks = re.compile(r"^(<{7}|>{7}) ", flags=re.MULTILINE)
    texts = [*DOCS.rglob("*.rst"), *DOCS.rglob("*.md"), *DOCS.parent.glob("*.rst")]
    assert marks.search("<" * 7 + " HEAD")
    found = [str(p) for p in texts if marks.search(p.read_text(encoding="utf-8"))]
    assert found == []
