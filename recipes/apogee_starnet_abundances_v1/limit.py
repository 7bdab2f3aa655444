# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What the training spectra can tell at most: Cramer-Rao bounds of the labels."""

from pathlib import Path

import numpy as np

from astro_latent.simulation.apogee_synthesis import NODE_LABELS, SynthesisEmulator
from astro_latent.training.scores import bound_covariance
from recipes.apogee.stars import DEFECTS
from recipes.apogee_starnet_abundances_v1.abundances import (
    ABUNDANCE_LABELS,
    AbundanceStars,
    abundance_labels,
    clean_spectra,
    reference_pattern,
)

__all__ = ["bound_labels"]

# T_eff, log g, v_micro, [Fe/H], each [X/Fe], the emulator's own [alpha/Fe], v_macro.
_STEPS = np.array([50.0, 0.1, 0.1, 0.05, *[0.1] * 18, 0.05, 1.0])
_PRIORS = np.array([300.0, 1.0, 1.0, 1.0, *[0.5] * 18, 0.2, 5.0])
_BASE = {0: 0, 1: 1, 3: 2, 22: 3, 23: 4}  # parameters that the emulator takes


def _stars_about(point: tuple[float, float, float]) -> AbundanceStars:
    """Step up and down in each parameter, from the reference pattern."""
    base = np.tile([*point, 0.0, 5.0], (2 * len(_STEPS), 1))
    nodes = reference_pattern(base)
    for parameter, step in enumerate(_STEPS):
        rows, steps = [2 * parameter, 2 * parameter + 1], [step, -step]
        if parameter in _BASE:
            base[rows, _BASE[parameter]] += steps
        if parameter < len(NODE_LABELS):
            nodes[rows, parameter] += steps
    return AbundanceStars(base, nodes, reference_pattern(base), abundance_labels(nodes))


def bound_labels(
    point: tuple[float, float, float],
    data: str | Path,
    *,
    synthesis: SynthesisEmulator,
    snr: float = 100.0,
) -> dict[str, float]:
    """Bounds of the spectra that networks are trained on, all labels free.

    Parameters
    ----------
    point : tuple of float
        T_eff, log g, [Fe/H]; the abundances are those of the reference pattern.
    data : path
        Folder with the training ingredients.
    synthesis : SynthesisEmulator
        Of `~recipes.apogee_starnet_abundances_v1.abundances.synthesis_emulator`.
    snr : float, optional
        Signal-to-noise of each pixel.

    Returns
    -------
    dict
        Standard deviation of each of `ABUNDANCE_LABELS`.
    """
    flux = clean_spectra(_stars_about(point), data, synthesis=synthesis).astype(float)
    gradients = (flux[::2] - flux[1::2]) / (2.0 * _STEPS[:, None])
    for first, last in DEFECTS:
        gradients[:, first:last] = 0.0
    covariance = bound_covariance(gradients, 1.0 / snr, _PRIORS)
    over_hydrogen = np.eye(len(_STEPS))
    over_hydrogen[4:22, 3] = 1.0  # [X/H] = [X/Fe] + [Fe/H]
    deviation = np.sqrt(np.diag(over_hydrogen @ covariance @ over_hydrogen.T))
    return dict(zip(ABUNDANCE_LABELS, deviation[:22].tolist(), strict=True))
