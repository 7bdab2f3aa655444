# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What ``lamost_starnet_v1`` is asked about test stars, fixed before the look at them.

Weights of the same name that were never released were for stars up to 8500 K.
"""

from pathlib import Path

from recipes.real.dwarfs import read_dwarfs
from recipes.real.lamost import FACTS, LABELS, read_stars
from recipes.real.look import Sample
from recipes.real.stars import select

__all__ = ["read_sample"]

_COOLER, _WARMEST, _HOT = 7500.0, 8000.0, 8500.0


def read_sample(data: Path) -> Sample:
    """Read the test stars.

    Parameters
    ----------
    data : path
        Ingredients.

    Returns
    -------
    Sample
        Stars up to 8000 K; what is hotter than 8500 K, and dwarfs of another
        instrument, have to be flagged.
    """
    stars = read_stars(data)
    stars = select(stars, stars["test"])
    teff = stars["teff"]
    warm, hot, cooler = teff > _WARMEST, teff > _HOT, teff < _COOLER
    return Sample(
        spectra=stars,
        labels=LABELS,
        inside=~warm,
        subsets={
            "below 7500 K": cooler,
            "below 7500 K, S/N(g) > 50": cooler & (stars["snrg"] > 50),
        },
        beyond={
            "hotter than 8500 K": select(stars, hot),
            "of 8000-8500 K": select(stars, warm & ~hot),
            "M, L and T dwarfs of SpeX": read_dwarfs(data),
        },
        options={"facts": FACTS},
    )
