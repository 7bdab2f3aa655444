# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Every picture of the package, made when the documentation is built, with its code.

``gallery/*.txt`` holds the code: ``setup.txt`` reads the data, each other file makes
one picture, which its last statement leaves in ``picture``.
"""

from pathlib import Path
from typing import Any

__all__ = ["read_recipes", "write_gallery"]

HERE = Path(__file__).parent
RECIPES = HERE / "gallery"
SETUP = "setup.txt"


def read_recipes() -> dict[str, str]:
    """Return the code of each picture by name, without that of the data."""
    paths = sorted(RECIPES.glob("*.txt"))
    return {p.stem: p.read_text("utf-8") for p in paths if p.name != SETUP}


def write_gallery(folder: Path) -> None:
    """Make the pictures, and what the page of the gallery includes."""
    from matplotlib import pyplot as plt

    folder.mkdir(exist_ok=True)
    names: dict[str, Any] = {}
    exec(compile((RECIPES / SETUP).read_text("utf-8"), SETUP, "exec"), names)
    parts = []
    for name, code in read_recipes().items():
        found = dict(names)
        exec(compile(code, f"{name}.txt", "exec"), found)
        picture = found["picture"]
        figure = getattr(picture, "figure", None) or picture
        figure.savefig(folder / f"gallery_{name}.png", dpi=72)
        plt.close("all")
        parts.append(
            f"{name}\n{'-' * len(name)}\n\n"
            f".. image:: ../generated/gallery_{name}.png\n   :alt: {name}\n\n"
            f".. literalinclude:: ../gallery/{name}.txt\n   :language: python\n"
        )
    (folder / "gallery.inc").write_text("\n".join(parts), encoding="utf-8")
