# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Flux-conserving resampling against specutils, interleaved in one run.

Prints for each size the process time of both per spectrum (flux and variance), the
ratio, and the largest relative difference of the flux. Run with
``python benchmarks/bench_resample.py [--rounds N]``.
"""

import argparse
import time

import numpy as np
from astropy import units as u
from astropy.nddata import VarianceUncertainty
from specutils import Spectrum
from specutils.manipulation import FluxConservingResampler

from astro_latent.preparation import Resampler, get_grid


def apogee(rng):
    """8575 shifted pixels onto the 7214 pixels of three chips."""
    grid = get_grid("apogee_7214")
    wavelength = get_grid("apogee_8575").wavelength * (1 + rng.uniform(-1e-4, 1e-4))
    return wavelength, grid


def harps(rng):
    """313131 pixels of a HARPS product onto the padded grid."""
    grid = get_grid("harps_327680")
    wavelength = 3781.3 + rng.uniform(0, 0.01) + 0.01 * np.arange(313_131)
    return wavelength, grid


def time_ours(wavelength, flux, variance, grid):
    """Process time with the weights built anew, and the result."""
    start = time.process_time()
    way = Resampler.between(wavelength, grid)
    result = way(flux, variance)
    return time.process_time() - start, result


def time_shared(way, flux, variance):
    """Process time where the grid is shared with the spectrum before."""
    start = time.process_time()
    way(flux, variance)
    return time.process_time() - start


def time_specutils(wavelength, flux, variance, target):
    """Process time of specutils, the construction of the spectrum left out."""
    spectrum = Spectrum(
        flux=flux * u.one,
        spectral_axis=wavelength * u.AA,
        uncertainty=VarianceUncertainty(variance),
    )
    resampler = FluxConservingResampler()
    start = time.process_time()
    result = resampler(spectrum, target * u.AA)
    return time.process_time() - start, result.flux.value


def compare(name, case, rounds, rng):
    """Interleave the two and print the medians."""
    ours, shared, theirs, difference = [], [], [], 0.0
    for _ in range(rounds):
        wavelength, grid = case(rng)
        flux = 1000.0 + rng.normal(size=len(wavelength)) * 50
        variance = np.full(len(wavelength), 2500.0)
        for _ in range(5):
            seconds, result = time_ours(wavelength, flux, variance, grid)
            ours.append(seconds)
        way = Resampler.between(wavelength, grid)
        shared += [time_shared(way, flux, variance) for _ in range(5)]
        seconds, reference = time_specutils(wavelength, flux, variance, grid.wavelength)
        theirs.append(seconds)
        # At the edges of chips specutils stretches a pixel over the gap.
        inside = np.zeros(grid.n_pixels, dtype=bool)
        for first, last in grid.segments:
            inside[first + 1 : last - 1] = True
        inside &= (result[2] > 1 - 1e-9) & np.isfinite(reference)
        relative = np.abs(result[0] - reference)[inside] / np.abs(reference[inside])
        difference = max(difference, float(relative.max()))
    ours, shared, theirs = np.median(ours), np.median(shared), np.median(theirs)
    print(
        f"{name}: specutils {theirs * 1e3:.1f} ms, ours {ours * 1e3:.3f} ms on a new "
        f"grid (ratio {theirs / ours:.0f}), {shared * 1e3:.3f} ms on a shared one "
        f"(ratio {theirs / shared:.0f}); largest relative difference {difference:.1e}"
    )


def main():
    """Run both sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    rng = np.random.default_rng(1)
    compare("8575 -> 7214", apogee, rounds, rng)
    compare("313131 -> 327680", harps, 1, rng)


if __name__ == "__main__":
    main()
