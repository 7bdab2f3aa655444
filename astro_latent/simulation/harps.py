# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A simulated HARPS: library spectra become prepared one-dimensional products.

Order of events, as in nature: rotation and macroturbulence, the star's velocity,
tellurics at the Earth's velocity, flux shape, photon and read noise, cosmic rays, the
gap between the detectors, and last the scaling that the model's recipe does.
"""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from astropy.io import fits
from torch import Tensor
from torch.nn import functional

from ..models.layers.interpolate import cubic_at
from ..preparation.grid import SpectralGrid, get_grid
from ..utils.physics import SPEED_OF_LIGHT
from .harps_library import HarpsLibrary
from .ingredients import find_ingredient

__all__ = [
    "HarpsConditions",
    "HarpsSimulator",
    "rotation_kernels",
]


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

    def as_array(self) -> np.ndarray:
        """Return the fields as columns.

        Returns
        -------
        ndarray, shape (n, 8)
            In the order of the fields.
        """
        return np.column_stack([getattr(self, field.name) for field in fields(self)])


def rotation_kernels(
    vsini: Tensor, vmacro: Tensor, step: float, half: int, limb: float = 0.6
) -> Tensor:
    """Broadening kernels: rotation with linear limb darkening, times a Gaussian.

    Rotation follows Gray (2005, eq. 18.14); macroturbulence is a Gaussian of standard
    deviation ``vmacro / sqrt(2)`` per line of sight.

    Parameters
    ----------
    vsini, vmacro : Tensor, shape (n,)
        km/s.
    step : float
        km/s per pixel.
    half : int
        Pixels on each side of the centre.
    limb : float, optional
        Linear limb-darkening coefficient.

    Returns
    -------
    Tensor, shape (n, 2 * half + 1)
        Kernels that sum to one.
    """
    fine = 5  # sub-pixels: slow rotators are narrower than a pixel
    n_fine = fine * half + fine // 2
    velocity = torch.arange(-n_fine, n_fine + 1, device=vsini.device) * (step / fine)
    x2 = (1.0 - (velocity / vsini[:, None].clamp(min=0.2)) ** 2).clamp(min=0.0)
    rotation = 2.0 * (1.0 - limb) * x2.sqrt() + 0.5 * np.pi * limb * x2
    rotation[:, n_fine] += 1e-6  # a star that does not rotate keeps its centre
    gauss = torch.exp(-((velocity / vmacro[:, None].clamp(min=0.05)) ** 2))
    size = 2 * (2 * n_fine + 1)
    both = torch.fft.irfft(
        torch.fft.rfft(rotation, size) * torch.fft.rfft(gauss, size), size
    )[:, n_fine : 3 * n_fine + 1]
    kernel = both.clamp(min=0.0).unflatten(1, (2 * half + 1, fine)).sum(2)
    return kernel / kernel.sum(1, keepdim=True)


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
        self._pixels = torch.from_numpy(valid).to(device)
        log_wavelength = np.log(self.grid.wavelength[valid])
        self._log_wavelength = torch.from_numpy(log_wavelength).to(device)
        position = (log_wavelength - library.log_start) / library.log_step
        self._continuum_at = torch.from_numpy(position / library.continuum_stride)
        self._continuum_at = self._continuum_at.float().to(device)
        self._unit = torch.from_numpy(
            ((self.grid.wavelength[valid] - 5347.5) / 1562.5).astype(np.float32)
        ).to(device)
        self._telluric_start = log_wavelength[0] - 2e-4
        self._log_transmission = [
            torch.from_numpy(_log_transmission(Path(tellurics, name), log_wavelength))
            .to(device)[None]
            for name in ("H2O.fits", "O2.fits")
        ]  # fmt: skip

    def _stars(self, labels: Tensor, conditions: HarpsConditions) -> Tensor:
        """Broaden, shift and sample stellar spectra on the valid pixels."""
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

    def _transmission(self, conditions: HarpsConditions) -> Tensor:
        """Telluric transmission at the Earth's velocity."""
        log_doppler = np.log1p(conditions.berv / SPEED_OF_LIGHT)
        shift = torch.from_numpy(log_doppler).to(self._log_wavelength.device)
        position = (
            self._log_wavelength - shift[:, None] - self._telluric_start
        ) / _TELLURIC_STEP
        water, oxygen = (
            torch.from_numpy(amount.astype(np.float32)).to(position.device)[:, None]
            * cubic_at(template.expand(len(shift), -1), position)
            for template, amount in zip(
                self._log_transmission,
                (conditions.pwv, conditions.airmass),
                strict=True,
            )
        )
        return torch.exp(water + oxygen)

    def _shape(
        self, labels: Tensor, conditions: HarpsConditions, rng: np.random.Generator
    ) -> Tensor:
        """Flux shape: stellar continuum, efficiency, tilt, ripple of the orders."""
        log_continuum = self.library.log_continuum(labels)
        n = len(log_continuum)
        log_shape = cubic_at(log_continuum, self._continuum_at.expand(n, -1))
        x = self._unit
        # Throughput falls steeply in the blue and gently in the red.
        log_shape = log_shape - 2.2 * (0.15 - x).clamp(min=0.0) ** 2
        log_shape = log_shape - 1.2 * (x - 0.6).clamp(min=0.0) ** 2
        device = x.device

        def column(values: np.ndarray) -> Tensor:
            return torch.from_numpy(np.asarray(values, np.float32)).to(device)[:, None]

        log_shape = log_shape + column(conditions.tilt) * x
        # ln transmission of the atmosphere: Rayleigh-like, 0.25 mag at 4500 A
        log_shape = log_shape - column(0.1 * conditions.airmass) * (1 - x).clamp(0) ** 2
        for power in (2, 3, 4):
            log_shape = log_shape + column(rng.normal(0.0, 0.08, n)) * x**power
        ripple = column(np.abs(rng.normal(0.0, 0.015, n)))
        phase = column(rng.uniform(0.0, 2 * np.pi, n))
        return torch.exp(log_shape - log_shape.median(1, keepdim=True).values) * (
            1.0 + ripple * torch.sin(2 * np.pi * 23.0 * (x - 0.15 * x**2) + phase)
        )

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
        return self._padded(flux), self._padded(clean / scale)

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
        clean = self._stars(truth, conditions) * self._transmission(conditions)
        clean = clean * self._shape(truth, conditions, rng)
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
        variance = (clean.clamp(min=0.0) + (25.0 / ratio**2).clamp(max=0.2)) / ratio**2
        generator = torch.Generator(clean.device).manual_seed(int(rng.integers(2**62)))
        noise = torch.empty_like(clean).normal_(generator=generator)
        flux = clean + variance.sqrt() * noise
        _add_cosmics(flux, rng)
        scale = flux.median(1, keepdim=True).values
        return flux / scale, scale

    def _padded(self, flux: Tensor) -> Tensor:
        padded = flux.new_zeros(len(flux), self.grid.n_pixels)
        padded[:, self._pixels] = flux
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
