# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The gallery of the documentation shows every picture of the package."""

from pathlib import Path

from astro_latent import plotting

GALLERY = Path(__file__).parents[2] / "docs" / "gallery"


def test_every_picture_has_its_code_in_the_gallery():
    recipes = {path.stem: path.read_text("utf-8") for path in GALLERY.glob("*.txt")}
    del recipes["setup"]
    drawn = {name for name in plotting.__all__ if name != "HARPS_WINDOWS"}
    assert set(recipes) == drawn
    for name, code in recipes.items():
        assert f"plotting.{name}(" in code
        assert "picture = " in code
