# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The page of limits lists every item that bounds something, with its default."""

import re
from pathlib import Path

import pytest

import astro_latent
from astro_latent import archives

PAGE = Path(__file__).parents[2] / "docs" / "how_to" / "limits.rst"
#: How items are called that bound something.
BOUND = re.compile(r"max_\w+|\w+_timeout|allow_\w+|give_up_after")
LISTED = re.compile(r"^   \* - ``(\w+)``\n     - (.+)$", re.MULTILINE)


@pytest.mark.parametrize("conf", [astro_latent.conf, archives.conf])
def test_items_and_defaults(conf):
    listed = dict(LISTED.findall(PAGE.read_text(encoding="utf-8")))
    items = {
        name: str(item.defaultvalue)
        for name, item in conf.items()
        if BOUND.fullmatch(name)
    }
    assert items
    assert {name: listed.get(name) for name in items} == items
