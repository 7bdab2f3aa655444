# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Least squares with the synthetic library, on the pixels of an `AlignedEnsemble`.

T_eff, log g, [M/H], rotation, and with priors [alpha/M] and microturbulence; a shift is
fitted along. Lines count as in the network, outliers less.
"""

from typing import Any

import numpy as np

from astro_latent.models.architectures.aligned_ensemble import (
    AlignedEnsemble,
    RestSpectra,
)
from astro_latent.simulation.harps_library import HarpsLibrary
from recipes.harps.least_squares import robust_step
from recipes.harps_parameters_v2.library import RestStars, render_rest

__all__ = ["fit_star"]

#: T_eff, log g, [M/H], deviation of [alpha/M] and of microturbulence, v sin i.
_LOW = np.array([4050.0, 0.8, -2.45, -0.3, -0.6, 0.3])
_HIGH = np.array([7800.0, 4.95, 0.5, 0.3, 0.8, 60.0])
_STEP = np.array([40.0, 0.1, 0.05, 0.05, 0.1, 0.5])
_MOST = np.array([400.0, 0.5, 0.3, 0.15, 0.3, 5.0])
_PRIOR = np.array([0.0, 0.0, 0.0, 1 / 0.06, 1 / 0.15, 0.0, 0.0])
_PIXELS_WRONG_TOGETHER = 30.0


def _stars(values: np.ndarray) -> RestStars:
    teff, logg, m_h, alpha, vmicro, vsini = np.atleast_2d(values).T
    usual = 1.05 + 2.5e-4 * (teff - 5600.0) + 0.2 * (4.4 - logg)
    labels = [
        teff, logg, m_h, np.clip(-0.25 * m_h, 0.0, 0.3) + alpha,
        np.clip(np.clip(usual, 0.6, 2.7) + vmicro, 0.5, 2.8), 0 * teff, 0 * teff,
    ]  # fmt: skip
    vmacro = np.clip(3.0 + (teff - 5600.0) / 700.0, 0.5, 8.0)
    return RestStars(np.column_stack(labels), vsini, vmacro)


def _design(
    model: AlignedEnsemble, library: HarpsLibrary, values: np.ndarray, valid: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Lines at some values, and their derivatives, the last by a shift."""
    signs = np.where(values + _STEP < _HIGH, 1.0, -1.0)
    around = np.vstack([values, values + np.diag(_STEP * signs)])
    flux = render_rest(model, library, _stars(around))
    lines, _ = model.flatten_rest(flux, valid.expand(len(flux), -1))
    rows = lines.numpy().astype(float)
    slopes = (rows[1:] - rows[0]) / (_STEP * signs)[:, None]
    return rows[0], np.vstack([slopes, np.gradient(rows[0])])


def fit_star(
    model: AlignedEnsemble,
    library: HarpsLibrary,
    rest: RestSpectra,
    start: np.ndarray,
    *,
    n_steps: int = 8,
) -> np.ndarray:
    """Fit one spectrum by Gauss-Newton steps; one step refines the start.

    Parameters
    ----------
    model : AlignedEnsemble
        With the weights of pixels.
    library : HarpsLibrary
        Of synthetic spectra.
    rest : RestSpectra
        From ``model.bring_to_rest``, one spectrum.
    start : ndarray, shape (4,)
        T_eff, log g, [M/H], v sin i.
    n_steps : int, optional
        At most; fewer if the last was small.

    Returns
    -------
    ndarray, shape (4,)
        As the start.
    """
    seen, known = model.flatten_rest(rest.flux, rest.valid)
    weight = (model.weight * known[0]).numpy().astype(float)
    seen_lines = seen[0].numpy().astype(float)
    values = np.clip(np.r_[start[:3], 0.0, 0.0, start[3]], _LOW, _HIGH)
    for _ in range(n_steps):
        ours, design = _design(model, library, values, rest.valid)
        step = robust_step(
            seen_lines - ours, design, weight, values=np.append(values, 0.0),
            prior=_PRIOR, wrong_together=_PIXELS_WRONG_TOGETHER,
        )  # fmt: skip
        step = np.clip(step[:-1], -_MOST, _MOST)
        values = np.clip(values + step, _LOW, _HIGH)
        if abs(step[0]) < 3.0 and abs(step[1]) < 0.01:
            break
    return values[[0, 1, 2, 5]]
