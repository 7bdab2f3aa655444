# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Few stars in many nights: what their exposures share is computed once.

An archive holds some forty spectra of each star. What costs time in a simulated one is
the star, broadened and moved, and the air, moved by the Earth's velocity; noise and
blaze are cheap. With stars and nights in rows and columns, each exposure costs a tenth.
"""

import numpy as np
import torch
from torch import Tensor

from .harps import HarpsSimulator
from .harps_conditions import HarpsConditions

__all__ = ["HarpsExposures"]


class HarpsExposures:
    """Exposures of some stars in some nights.

    Parameters
    ----------
    simulator : HarpsSimulator
        What makes the spectra.
    labels : ndarray, shape (n_stars, 7)
        In the order of `~astro_latent.simulation.HARPS_LABELS`.
    stars : HarpsConditions
        Velocities, rotation and macroturbulence of the stars.
    berv : ndarray, shape (n_nights,)
        Barycentric Earth radial velocity in each night, km/s.
    """

    def __init__(
        self,
        simulator: HarpsSimulator,
        labels: np.ndarray,
        stars: HarpsConditions,
        berv: np.ndarray,
    ) -> None:
        self.simulator = simulator
        truth = torch.from_numpy(np.asarray(labels, dtype=float))
        truth = truth.to(simulator.library.device)
        one = [slice(k, k + 1) for k in range(len(truth))]
        # One at a time: what is computed of a star is larger than the star.
        self._stars = torch.cat(
            [
                simulator.star_flux(truth[k], stars.select(k))
                * torch.exp(simulator.mean_shape(truth[k]))
                for k in one
            ]
        )
        self._air = [
            torch.cat(parts)
            for parts in zip(
                *(simulator.log_air(berv[k : k + 1]) for k in range(len(berv))),
                strict=True,
            )
        ]

    def clean(
        self,
        star: int,
        nights: np.ndarray,
        conditions: HarpsConditions,
        *,
        rng: np.random.Generator,
    ) -> Tensor:
        """Simulate what reaches the detector, without noise.

        Parameters
        ----------
        star : int
            Which star.
        nights : ndarray of int, shape (n,)
            Which night each exposure is of.
        conditions : HarpsConditions
            Of each exposure; what was fixed with star and night is not looked at.
        rng : `~numpy.random.Generator`
            Source of randomness.

        Returns
        -------
        Tensor, shape (n, n_valid)
            As `HarpsSimulator.clean` returns, to rounding.
        """
        log_shape, ripple = self.simulator.exposure_shape(conditions, rng)
        for air, amount in zip(
            self._air, (conditions.pwv, conditions.airmass), strict=True
        ):
            amounts = torch.from_numpy(amount.astype(np.float32)).to(air.device)
            for row, night, value in zip(log_shape, nights, amounts, strict=True):
                row.addcmul_(air[night], value)
        flux = log_shape.exp_().mul_(self._stars[star]).mul_(ripple)
        return flux.div_(flux.median(1, keepdim=True).values)

    def observe(
        self,
        star: int,
        nights: np.ndarray,
        conditions: HarpsConditions,
        *,
        rng: np.random.Generator,
    ) -> Tensor:
        """Simulate prepared spectra with noise and cosmic rays.

        Parameters
        ----------
        star, nights, conditions, rng
            As for `clean`.

        Returns
        -------
        Tensor, shape (n, 327680)
            As `HarpsSimulator.simulate` returns it.
        """
        clean = self.clean(star, nights, conditions, rng=rng)
        flux, _ = self.simulator.expose(clean, conditions.snr, rng=rng)
        return self.simulator.on_grid(flux)
