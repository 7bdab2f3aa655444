# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Near-infrared spectra of M, L and T dwarfs, which no model here is for."""

from pathlib import Path
from typing import Any

import numpy as np

from astro_latent.simulation.ingredients import find_ingredient

__all__ = ["read_dwarfs"]

_FILE = "real/spex_prism/spex_prism.npz"


def read_dwarfs(data: Path) -> dict[str, Any]:
    """Read the SpeX prism spectra of the SPLAT library.

    Parameters
    ----------
    data : path
        Ingredients.

    Returns
    -------
    dict
        ``wavelength_um``, ``flux`` and ``error``.
    """
    path = find_ingredient(data / _FILE, "SpeX prism spectra of splat 1.14")
    with np.load(path, allow_pickle=False) as file:
        return {
            "wavelength_um": file["wavelength_um"],
            "flux": file["flux"],
            "error": file["err"],
        }
