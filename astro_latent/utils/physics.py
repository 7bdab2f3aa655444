# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Constants that many need, and what velocities do to wavelengths."""

import numpy as np

__all__ = ["SIGMA_PER_MAD", "SPEED_OF_LIGHT", "add_velocities", "doppler_factor"]

#: km/s
SPEED_OF_LIGHT = 299_792.458
#: Standard deviation over median absolute deviation, of a normal distribution. The
#: thresholds that use it were tuned with just these digits.
SIGMA_PER_MAD = 1.4826


def doppler_factor(velocity: float) -> float:
    """Return observed over emitted wavelength of a source that recedes.

    Parameters
    ----------
    velocity : float
        Radial velocity, km/s, positive away from the observer.

    Returns
    -------
    float
        ``sqrt((1 + v/c) / (1 - v/c))``.

    Examples
    --------
    >>> from astro_latent.preparation import doppler_factor
    >>> round(doppler_factor(30.0), 8)
    1.00010007
    """
    beta = velocity / SPEED_OF_LIGHT
    return float(np.sqrt((1.0 + beta) / (1.0 - beta)))


def add_velocities(first: float, second: float) -> float:
    """Add two collinear velocities as special relativity does.

    Parameters
    ----------
    first, second : float
        Velocities, km/s.

    Returns
    -------
    float
        km/s.

    Examples
    --------
    >>> from astro_latent.utils.physics import add_velocities
    >>> add_velocities(30.0, -30.0)
    0.0
    """
    return (first + second) / (1.0 + first * second / SPEED_OF_LIGHT**2)
