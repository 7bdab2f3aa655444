# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What differs between exposures of HARPS, drawn like those of the archive."""

from dataclasses import dataclass, fields

import numpy as np

__all__ = ["HarpsConditions"]


@dataclass
class HarpsConditions:
    """True circumstances of simulated exposures, one entry per spectrum.

    Parameters
    ----------
    radial_velocity : ndarray
        Of the star, barycentric, km/s.
    vsini, vmacro : ndarray
        Rotation and macroturbulence, km/s.
    berv : ndarray
        Barycentric Earth radial velocity, km/s.
    airmass, pwv : ndarray
        Exponents of the O2 and H2O transmission templates.
    snr : ndarray
        Signal-to-noise per pixel where the flux is the median.
    tilt : ndarray
        Extra slope of ln flux from blue to red.
    """

    radial_velocity: np.ndarray
    vsini: np.ndarray
    vmacro: np.ndarray
    berv: np.ndarray
    airmass: np.ndarray
    pwv: np.ndarray
    snr: np.ndarray
    tilt: np.ndarray

    @classmethod
    def draw(
        cls, teff: np.ndarray, *, rng: np.random.Generator, snr: float | None = None
    ) -> "HarpsConditions":
        """Draw circumstances like those of the archive.

        Parameters
        ----------
        teff : ndarray, shape (n,)
            Hot stars rotate faster.
        rng : `~numpy.random.Generator`
            Source of randomness.
        snr : float, optional
            Fixed signal-to-noise instead of a drawn one.

        Returns
        -------
        HarpsConditions
            ``n`` sets of circumstances.
        """
        n = len(teff)
        wide = rng.random(n) < 0.25
        fast = np.clip((teff - 5900.0) / 900.0, 0.0, 1.0)
        return cls(
            radial_velocity=np.where(
                wide, rng.uniform(-100.0, 100.0, n), rng.normal(5.0, 25.0, n)
            ),
            vsini=np.clip(
                np.exp(rng.normal(np.log(2.5) + 1.6 * fast, 0.6, n)), 0.1, 45.0
            ),
            vmacro=np.clip(rng.normal(3.0 + (teff - 5600.0) / 700.0, 0.6, n), 0.5, 8.0),
            berv=30.0 * np.sin(rng.uniform(-np.pi, np.pi, n)),
            airmass=1.0 + rng.exponential(0.25, n).clip(0.0, 1.4),
            pwv=np.exp(rng.normal(-0.2, 0.7, n)).clip(0.05, 5.0),
            snr=np.exp(rng.normal(np.log(90.0), 0.8, n)).clip(8.0, 500.0)
            if snr is None
            else np.full(n, float(snr)),
            tilt=np.where(rng.random(n) < 0.8, 0.25, 1.2) * rng.normal(0.0, 1.0, n),
        )

    def select(self, rows: slice | np.ndarray) -> "HarpsConditions":
        """Return the circumstances of some spectra.

        Parameters
        ----------
        rows : slice or ndarray of int
            Which.

        Returns
        -------
        HarpsConditions
            Of these alone.
        """
        return type(self)(**{name: array[rows] for name, array in vars(self).items()})

    def as_array(self) -> np.ndarray:
        """Return the fields as columns.

        Returns
        -------
        ndarray, shape (n, 8)
            In the order of the fields.
        """
        return np.column_stack([getattr(self, field.name) for field in fields(self)])
