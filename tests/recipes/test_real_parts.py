# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Which real spectra teach, calibrate and show what to flag."""

import numpy as np

from recipes.lamost_starnet_v1.make import divide


def test_lamost_stars_are_divided_whole_and_hot_ones_show_what_to_flag():
    rng = np.random.default_rng(1)
    star = rng.integers(0, 300, 900)
    stars = {"star": star, "teff": rng.uniform(5000.0, 10_000.0, 900)}
    parts = divide(stars, hottest=8500.0, held_out=[6, 1])
    assert ((parts == "outside") == (stars["teff"] > 8500.0)).all()
    taught, asked = (set(star[parts == name]) for name in ("train", "held_out"))
    assert not taught & asked
    assert 0.1 < np.mean(parts[parts != "outside"] == "held_out") < 0.25
