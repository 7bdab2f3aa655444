# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Widgets are driven in code, without a front end."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def widgets():
    pytest.importorskip("ipywidgets")
    return pytest.importorskip("ipympl")
