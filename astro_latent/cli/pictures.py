# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Pictures that verbs write."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..utils.writing import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

__all__ = ["save_picture"]


def save_picture(figure: "Figure | SubFigure", path: Path) -> None:
    """Write a figure and close it, as nothing shows it and pyplot keeps all others.

    Parameters
    ----------
    figure : `~matplotlib.figure.Figure`
        A whole one; the annotations of Matplotlib also allow a part.
    path : Path
        File to write; its suffix is the format.
    """
    from matplotlib import pyplot as plt

    whole = cast("Figure", figure)
    with replacing(path) as part:
        whole.savefig(part, dpi=120, bbox_inches="tight")
    plt.close(whole)
