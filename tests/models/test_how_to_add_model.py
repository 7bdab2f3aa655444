# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What ``docs/how_to/add_model.rst`` tells works, word for word."""

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

from astro_latent.models import ARCHITECTURES, LabelNetwork
from astro_latent.models.check import check_folder

PAGE = Path(__file__).parents[2] / "docs" / "how_to" / "add_model.rst"
BLOCK = re.compile(r"^\.\. code-block:: python\n\n((?:(?:    .*)?\n)+)", re.MULTILINE)


@pytest.fixture
def registry(monkeypatch):
    """Take names that are registered away again."""
    monkeypatch.setattr(ARCHITECTURES, "_table", {**ARCHITECTURES._targets()})


def test_a_model_is_added_as_the_page_says(registry, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = [textwrap.dedent(text) for text in BLOCK.findall(PAGE.read_text("utf-8"))]
    assert len(blocks) == 4
    names = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert "teff_error" in capsys.readouterr().out
    assert isinstance(names["network"], LabelNetwork)
    assert "is complete" in check_folder(tmp_path / "apogee_one_layer_v1")
    table = names["table"]
    assert len(table) == len(names["stars"]) > 0
    usable = np.isfinite(table["teff"])
    assert usable.any()
    assert (table["teff_error"][usable] > 0).all()
    assert set(table["model"][usable]) == {"apogee_one_layer_v1"}
