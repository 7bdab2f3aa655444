# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A simulated HARPS: library spectra become prepared one-dimensional products.

Order of events, as in nature: rotation and macroturbulence, the star's velocity,
tellurics at the Earth's velocity, flux shape, photon and read noise, cosmic rays, the
gap between the detectors, and last the scaling that the model's recipe does.
"""

from pathlib import Path

import numpy as np
import torch
from astropy.io import fits
from torch import Tensor
from torch.nn import functional

from ..models.layers.interpolate import cubic_at
from ..preparation.grid import SpectralGrid, get_grid
from ..utils.physics import SPEED_OF_LIGHT
from .harps_conditions import HarpsConditions
from .harps_library import HarpsLibrary
from .ingredients import find_ingredient
from .rotation import rotation_kernels

__all__ = ["HarpsSimulator"]


class HarpsSimulator:
    """Simulated HARPS spectra on the grid of the autoencoder.

    Parameters
    ----------
    library : HarpsLibrary
        Where stars come from.
    tellurics : path
        Folder with ``H2O.fits`` and ``O2.fits``, vacuum wavelengths.
    grid : SpectralGrid, optional
        Where to sample the spectra; by default every pixel of HARPS.
    """

    def __init__(
        self,
        library: HarpsLibrary,
        tellurics: str | Path,
        grid: SpectralGrid | None = None,
    ) -> None:
        self.library = library
        self.grid = grid or get_grid("harps_327680")
        device = library.device
        valid = np.flatnonzero(self.grid.valid)
        edges = np.flatnonzero(np.diff(np.pad(self.grid.valid.astype(int), 1)))
        self._segments = edges.reshape(-1, 2).tolist()
        log_wavelength = np.log(self.grid.wavelength[valid])
        self._log_wavelength = torch.from_numpy(log_wavelength).to(device)
        position = (log_wavelength - library.log_start) / library.log_step
        self._continuum_at = torch.from_numpy(position / library.continuum_stride)
        self._continuum_at = self._continuum_at.float().to(device)
        self._unit = torch.from_numpy(
            ((self.grid.wavelength[valid] - 5347.5) / 1562.5).astype(np.float32)
        ).to(device)
        x = self._unit
        self._smooth = torch.stack([x, (1 - x).clamp(0) ** 2, x**2, x**3, x**4])
        angle = 2 * np.pi * 23.0 * (x - 0.15 * x**2)
        self._waves = torch.stack([angle.sin(), angle.cos()])
        self._telluric_start = log_wavelength[0] - 2e-4
        self._log_transmission = [
            torch.from_numpy(_log_transmission(Path(tellurics, name), log_wavelength))
            .to(device)[None]
            for name in ("H2O.fits", "O2.fits")
        ]  # fmt: skip

    def star_flux(self, labels: Tensor, conditions: HarpsConditions) -> Tensor:
        """Broaden, shift and sample stellar spectra on the valid pixels.

        Parameters
        ----------
        labels : Tensor, shape (n, 7), float64
            In the order of `~astro_latent.simulation.HARPS_LABELS`.
        conditions : HarpsConditions
            Of which velocity, rotation and macroturbulence are used.

        Returns
        -------
        Tensor, shape (n, n_valid)
            Flux over continuum.
        """
        library = self.library
        flux = library.flux(labels)
        step = library.log_step * SPEED_OF_LIGHT
        vsini, vmacro = (
            torch.from_numpy(v.astype(np.float32)).to(flux.device)
            for v in (conditions.vsini, conditions.vmacro)
        )
        kernels = rotation_kernels(vsini, vmacro, step=step, half=int(55.0 / step))
        half = kernels.shape[1] // 2
        flux = functional.conv1d(
            functional.pad(flux[None], (half, half), mode="replicate"),
            kernels[:, None],
            groups=len(flux),
        )[0]
        beta = torch.from_numpy(conditions.radial_velocity / SPEED_OF_LIGHT)
        log_doppler = (0.5 * torch.log((1 + beta) / (1 - beta))).to(flux.device)
        position = (
            self._log_wavelength - log_doppler[:, None] - library.log_start
        ) / library.log_step
        return cubic_at(flux, position)

    def log_air(self, berv: np.ndarray) -> list[Tensor]:
        """Return ln transmission of water and of oxygen at the Earth's velocity.

        Parameters
        ----------
        berv : ndarray, shape (n,)
            km/s.

        Returns
        -------
        list of two Tensors, shape (n, n_valid)
            For one millimetre of water, and for one airmass.
        """
        log_doppler = np.log1p(berv / SPEED_OF_LIGHT)
        shift = torch.from_numpy(log_doppler).to(self._log_wavelength.device)
        position = (
            self._log_wavelength - shift[:, None] - self._telluric_start
        ) / _TELLURIC_STEP
        return [
            cubic_at(template.expand(len(shift), -1), position)
            for template in self._log_transmission
        ]

    def mean_shape(self, labels: Tensor) -> Tensor:
        """Return ln of stellar continuum and efficiency on the valid pixels.

        Parameters
        ----------
        labels : Tensor, shape (n, 7), float64
            In the order of `~astro_latent.simulation.HARPS_LABELS`.

        Returns
        -------
        Tensor, shape (n, n_valid)
            Arbitrary zero point.
        """
        log_continuum = self.library.log_continuum(labels)
        log_shape = cubic_at(
            log_continuum, self._continuum_at.expand(len(log_continuum), -1)
        )
        x = self._unit
        # Throughput falls steeply in the blue and gently in the red.
        log_shape = log_shape - 2.2 * (0.15 - x).clamp(min=0.0) ** 2
        return log_shape - 1.2 * (x - 0.6).clamp(min=0.0) ** 2

    def exposure_shape(
        self, conditions: HarpsConditions, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Draw what changes the flux shape of each exposure.

        Parameters
        ----------
        conditions : HarpsConditions
            Of which tilt and airmass are used.
        rng : `~numpy.random.Generator`
            Of the polynomial and of the ripple of the orders.

        Returns
        -------
        log_shape, ripple : Tensor, shape (n, n_valid)
            Its smooth logarithm, and a factor about one.
        """
        n = len(conditions.tilt)
        # ln transmission of the atmosphere: Rayleigh-like, 0.25 mag at 4500 A
        amounts = [conditions.tilt, -0.1 * conditions.airmass]
        amounts += [rng.normal(0.0, 0.08, n) for _ in range(3)]
        ripple = np.abs(rng.normal(0.0, 0.015, n))
        phase = rng.uniform(0.0, 2 * np.pi, n)
        waves = [ripple * np.cos(phase), ripple * np.sin(phase)]

        def columns(values: list[np.ndarray]) -> Tensor:
            stacked = torch.from_numpy(np.column_stack(values).astype(np.float32))
            return stacked.to(self._smooth.device)

        return columns(amounts) @ self._smooth, 1.0 + columns(waves) @ self._waves

    def simulate(
        self,
        labels: np.ndarray,
        conditions: HarpsConditions,
        *,
        rng: np.random.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Simulate prepared spectra: median one, zeros outside the valid pixels.

        Parameters
        ----------
        labels : ndarray, shape (n, 7)
            In the order of `~astro_latent.simulation.harps_library.HARPS_LABELS`.
        conditions : HarpsConditions
            Circumstances of each exposure.
        rng : `~numpy.random.Generator`
            Source of randomness.

        Returns
        -------
        flux : Tensor, shape (n, 327680)
            As the network sees it.
        clean : Tensor, shape (n, 327680)
            The same without noise and cosmic rays.
        """
        clean = self.clean(labels, conditions, rng=rng)
        flux, scale = self.expose(clean, conditions.snr, rng=rng)
        return self.on_grid(flux), self.on_grid(clean / scale)

    def clean(
        self,
        labels: np.ndarray,
        conditions: HarpsConditions,
        *,
        rng: np.random.Generator,
    ) -> Tensor:
        """Simulate what reaches the detector, without noise.

        Parameters
        ----------
        labels, conditions, rng
            As for `simulate`.

        Returns
        -------
        Tensor, shape (n, n_valid)
            Flux on the valid pixels, median one.
        """
        truth = torch.from_numpy(np.asarray(labels, dtype=float)).to(
            self.library.device
        )
        log_shape, ripple = self.exposure_shape(conditions, rng)
        log_shape += self.mean_shape(truth)
        for air, amount in zip(
            self.log_air(conditions.berv),
            (conditions.pwv, conditions.airmass),
            strict=True,
        ):
            log_shape += (
                torch.from_numpy(amount.astype(np.float32)).to(air)[:, None] * air
            )
        clean = self.star_flux(truth, conditions) * log_shape.exp() * ripple
        return clean / clean.median(1, keepdim=True).values

    @staticmethod
    def expose(
        clean: Tensor, snr: np.ndarray, *, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Add photon noise, read noise and cosmic rays, and divide by the median.

        Parameters
        ----------
        clean : Tensor, shape (n, n_valid)
            From `clean`.
        snr : ndarray, shape (n,)
            Signal-to-noise per pixel where the flux is one.
        rng : `~numpy.random.Generator`
            Source of randomness.

        Returns
        -------
        flux : Tensor, shape (n, n_valid)
            As observed, median one.
        scale : Tensor, shape (n, 1)
            The median that it was divided by.
        """
        ratio = torch.from_numpy(snr.astype(np.float32)).to(clean.device)[:, None]
        # Photon noise, and a read noise of about five electrons.
        variance = clean.clamp(min=0.0).add_((25.0 / ratio**2).clamp(max=0.2))
        spread = variance.div_(ratio**2).sqrt_()
        generator = torch.Generator(clean.device).manual_seed(int(rng.integers(2**62)))
        noise = torch.empty_like(clean).normal_(generator=generator)
        flux = noise.mul_(spread).add_(clean)
        _add_cosmics(flux, rng)
        scale = flux.median(1, keepdim=True).values
        return flux.div_(scale), scale

    def on_grid(self, flux: Tensor) -> Tensor:
        """Put the valid pixels on the grid, zeros elsewhere.

        Parameters
        ----------
        flux : Tensor, shape (n, n_valid)
            From `clean` or `expose`.

        Returns
        -------
        Tensor, shape (n, n_pixels)
            The same flux.
        """
        padded = flux.new_zeros(len(flux), self.grid.n_pixels)
        done = 0
        for first, last in self._segments:
            padded[:, first:last] = flux[:, done : done + last - first]
            done += last - first
        return padded


_TELLURIC_STEP = 1.5e-6  # ln wavelength per pixel of the telluric templates


def _log_transmission(path: Path, log_wavelength: np.ndarray) -> np.ndarray:
    """Read ln transmission onto a fine uniform grid in ln air wavelength."""
    table = fits.getdata(find_ingredient(path, "the transmission of the air"), 1)
    vacuum = table["wave"].astype(float)
    # Ciddor (1996): dispersion of standard air; wavenumber in 1/um
    s2 = (1e4 / vacuum) ** 2
    air = vacuum / (1.0 + 0.05792105 / (238.0185 - s2) + 0.00167917 / (57.362 - s2))
    log_fine = np.arange(
        log_wavelength[0] - 2e-4, log_wavelength[-1] + 2e-4, _TELLURIC_STEP
    )
    flux = np.interp(log_fine, np.log(air), np.maximum(table["flux"], 1e-4), left=1.0)
    return np.log(flux).astype(np.float32)


def _add_cosmics(flux: Tensor, rng: np.random.Generator) -> None:
    """Add a few bright pixels to each row, in place."""
    for row in range(len(flux)):
        n_hits = rng.poisson(4)
        where = torch.from_numpy(rng.integers(0, flux.shape[1] - 1, n_hits))
        height = torch.from_numpy(rng.exponential(1.0, n_hits).astype(np.float32))
        flux[row, where.to(flux.device)] += height.to(flux.device)
