# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Flux-conserving resampling against specutils, interleaved in one run.

Each round times both on one new spectrum (flux and variance) and takes the ratio of
their process times, ours once with the weights built anew and once with the grid of
the spectrum before. Prints medians and the ratios of all rounds with their standard
error, and the largest relative difference of the flux. Run with
``python benchmarks/bench_resample.py [--rounds N]``; a round takes half a minute.
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


def time_ours(wavelength, flux, variance, grid, repeats=5):
    """Process times with the weights built anew and with them at hand; the result."""
    anew, again = [], []
    for _ in range(repeats):
        start = time.process_time()
        way = Resampler.between(wavelength, grid)
        result = way(flux, variance)
        built = time.process_time()
        way(flux, variance)
        again.append(time.process_time() - built)
        anew.append(built - start)
    return np.median(anew), np.median(again), result


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


def largest_difference(result, reference, grid):
    """Relative difference of the flux where both stand for the same thing."""
    flux, _, fraction = result
    # At the edges of chips specutils stretches a pixel over the gap.
    inside = np.zeros(grid.n_pixels, dtype=bool)
    for first, last in grid.segments:
        inside[first + 1 : last - 1] = True
    inside &= (fraction > 1 - 1e-9) & np.isfinite(reference)
    return float((np.abs(flux - reference)[inside] / np.abs(reference[inside])).max())


def describe(theirs, ours):
    """Time and ratio, with the standard error of the mean over the rounds."""
    ratio = theirs / ours
    error = ratio.std(ddof=1) / np.sqrt(len(ratio)) if len(ratio) > 1 else np.nan
    return (
        f"{np.median(ours) * 1e3:.3f} ms, ratio {ratio.mean():.0f} +- {error:.0f} "
        f"(lowest {ratio.min():.0f})"
    )


def compare(name, case, rounds, rng):
    """Interleave the two and print times and ratios."""
    times, difference = [], 0.0
    for _ in range(rounds):
        wavelength, grid = case(rng)
        flux = 1000.0 + rng.normal(size=len(wavelength)) * 50
        variance = np.full(len(wavelength), 2500.0)
        anew, again, result = time_ours(wavelength, flux, variance, grid)
        seconds, reference = time_specutils(wavelength, flux, variance, grid.wavelength)
        times.append((seconds, anew, again))
        difference = max(difference, largest_difference(result, reference, grid))
    theirs, anew, again = np.array(times).T
    print(f"{name}: specutils {np.median(theirs) * 1e3:.1f} ms, {rounds} rounds")
    print(f"  new grid each time: {describe(theirs, anew)}")
    print(f"  same grid again: {describe(theirs, again)}")
    print(f"  largest relative difference of the flux: {difference:.1e}")


def main():
    """Run both sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    rng = np.random.default_rng(1)
    compare("8575 -> 7214", apogee, rounds, rng)
    compare("313131 -> 327680", harps, rounds, rng)


if __name__ == "__main__":
    main()
