# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Pictures are made without a screen and closed after each test."""

import pytest


@pytest.fixture(autouse=True)
def closed_figures():
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    mpl.use("agg")
    yield
    plt.close("all")


@pytest.fixture
def drawn():
    """Draw the figure, so that what only fails when drawn fails here."""

    def draw(picture):
        figure = getattr(picture, "figure", None) or picture
        figure.canvas.draw()
        return picture

    return draw
