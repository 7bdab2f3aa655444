# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What ``optical_r2000_starnet_v1`` is asked about test stars.

Fixed beforehand, but that the model now is for stars up to 7500 K, not 8000 K, and
that spectra come without errors, as the library states none: those of one per cent
that the training assumes are larger than the noise, which is flagged.
"""

from pathlib import Path

from recipes.real.dwarfs import read_dwarfs
from recipes.real.look import Sample
from recipes.real.miles import FACTS, LABELS, read_stars
from recipes.real.stars import select

__all__ = ["read_sample"]

_COOLEST, _COOLER, _WARMEST, _HOT = 4000.0, 7000.0, 7500.0, 8000.0


def read_sample(data: Path) -> Sample:
    """Read the test stars.

    Parameters
    ----------
    data : path
        Ingredients.

    Returns
    -------
    Sample
        Stars up to 7500 K; what is hotter than 8000 K, and dwarfs of another
        instrument, have to be flagged.
    """
    stars = read_stars(data)
    stars = select(stars, stars["test"])
    del stars["error"]
    teff = stars["teff"]
    return Sample(
        spectra=stars,
        labels=LABELS,
        inside=teff <= _WARMEST,
        subsets={"4000-7000 K": (teff > _COOLEST) & (teff < _COOLER)},
        beyond={
            "hotter than 8000 K": select(stars, teff > _HOT),
            "M, L and T dwarfs of SpeX": read_dwarfs(data),
        },
        options={"facts": FACTS},
    )
