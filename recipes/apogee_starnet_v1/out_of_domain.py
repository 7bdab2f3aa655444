# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra that the APOGEE label networks must not be sure about.

Simulated ones are observed like the training spectra, at every signal-to-noise and
with the same masks; real ones are read from files.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d
from sklearn.decomposition import PCA

from astro_latent.models.domain import FluxBasis
from astro_latent.preparation import get_grid
from astro_latent.preparation.prepared import PreparedSpectra
from astro_latent.simulation.apogee import ApogeeConditions, observe_apogee
from astro_latent.simulation.emulators import SigmoidEmulator
from astro_latent.utils.physics import SPEED_OF_LIGHT
from recipes.apogee.stars import apogee_emulator, draw_apogee_stars, prepare_observed

__all__ = ["KINDS", "out_of_domain_files", "shift_chips", "simulate_out_of_domain"]

#: Vacuum wavelengths of Brackett lines in the H band: 4 to n, n = 11 to 20.
BRACKETT = 1e8 / (109_677.58 * (1 / 16 - 1 / np.arange(11, 21) ** 2))


def shift_chips(flux: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """Shift spectra of the APOGEE grid; where nothing was known, the last value stays.

    Parameters
    ----------
    flux : ndarray, shape (n_spectra, 7214)
        Spectra at rest.
    velocity : ndarray, shape (n_spectra,)
        km/s, positive to the red.

    Returns
    -------
    ndarray, shape (n_spectra, 7214)
        Shifted by linear interpolation, chip by chip.
    """
    grid = get_grid("apogee_7214")
    shifted = np.empty_like(flux)
    for row, v in enumerate(velocity):
        for first, last in grid.segments:
            at = grid.wavelength[first:last]
            shifted[row, first:last] = np.interp(
                at / (1.0 + v / SPEED_OF_LIGHT), at, flux[row, first:last]
            )
    return shifted


def _stars(data: Path, n: int, rng: np.random.Generator) -> np.ndarray:
    labels = draw_apogee_stars(data, n, seed=int(rng.integers(10**6, 10**9)))
    return apogee_emulator(data).flux(labels)


def _signs(n: int, rng: np.random.Generator) -> np.ndarray:
    return rng.choice([-1.0, 1.0], n)


def _kurucz(data: Path, labels: np.ndarray, velocity: np.ndarray | float) -> np.ndarray:
    """Synthetic spectra over their continuum, broadened by a Gaussian."""
    path = data / "apogee/emulators/binspec_plus/NN_unnormalized_spectra.npz"
    with np.errstate(over="ignore"):
        flux = SigmoidEmulator.read(path).flux(labels)
    pixel = 6e-6 * np.log(10) * SPEED_OF_LIGHT  # km/s
    pixels = np.broadcast_to(np.asarray(velocity) / pixel, len(flux))
    for first, last in get_grid("apogee_7214").segments:
        for row, width in enumerate(pixels):
            chip = flux[row, first:last]
            flux[row, first:last] = gaussian_filter1d(chip / np.median(chip), width)
    return flux


def _hot_stars(data: Path, n: int, rng: np.random.Generator) -> np.ndarray:
    """Kurucz spectra of 7000 to 7990 K, from sharp to rapidly rotating."""
    labels = np.column_stack(
        [
            rng.uniform(7000.0, 7990.0, n), rng.uniform(3.6, 4.4, n),
            rng.uniform(-0.6, 0.3, n), rng.uniform(0.0, 0.2, n),
        ]
    )  # fmt: skip
    return _kurucz(data, labels, rng.uniform(3.0, 60.0, n))


def _hot_emulated(data: Path, n: int, rng: np.random.Generator) -> np.ndarray:
    """Emulate stars of 7000 to 7890 K, as the training does with cooler ones."""
    labels = np.column_stack(
        [
            rng.uniform(7000.0, 7890.0, n), rng.uniform(3.8, 4.5, n),
            rng.uniform(-0.6, 0.3, n), rng.uniform(0.0, 0.2, n),
            rng.uniform(5.0, 19.0, n),
        ]
    )  # fmt: skip
    return apogee_emulator(data).flux(labels)


def _cool_giants(data: Path, n: int, rng: np.random.Generator) -> np.ndarray:
    """Kurucz giants of 3200 to 3950 K."""
    teff = rng.uniform(3200.0, 3950.0, n)
    labels = np.column_stack(
        [
            teff, np.clip(0.3 + 0.0021 * (teff - 3500.0), 0.05, None),
            rng.uniform(-0.7, 0.3, n), rng.uniform(0.0, 0.25, n),
        ]
    )  # fmt: skip
    return _kurucz(data, labels, 3.0)


def _emission(data: Path, n: int, rng: np.random.Generator) -> np.ndarray:
    """Brackett emission of 50 to 200 km/s (sigma), 5 to 100 % of the continuum."""
    flux, wavelength = _stars(data, n, rng), get_grid("apogee_7214").wavelength
    width = rng.uniform(50.0, 200.0, n)
    height = np.exp(rng.uniform(np.log(0.05), 0.0, n))
    for line, fading in zip(BRACKETT, 0.85 ** np.arange(len(BRACKETT)), strict=True):
        velocity = SPEED_OF_LIGHT * (wavelength / line - 1.0)
        flux += (height * fading)[:, None] * np.exp(
            -0.5 * (velocity / width[:, None]) ** 2
        )
    return flux


def _shifted(speed: float) -> Callable[[Path, int, np.random.Generator], np.ndarray]:
    def make(data: Path, n: int, rng: np.random.Generator) -> np.ndarray:
        return shift_chips(_stars(data, n, rng), speed * _signs(n, rng))

    return make


def _double_lined(data: Path, n: int, rng: np.random.Generator) -> np.ndarray:
    """Two stars, the fainter with 50 to 100 % of the light, 40 to 150 km/s apart."""
    one, two = _stars(data, n, rng), _stars(data, n, rng)
    ratio = rng.uniform(0.5, 1.0, (n, 1))
    apart = rng.uniform(40.0, 150.0, n) * _signs(n, rng)
    # The velocity that a reduction would find is that of the brighter star.
    return (one + ratio * shift_chips(two, apart)) / (1.0 + ratio)


def _constant(data: Path, n: int, rng: np.random.Generator) -> np.ndarray:
    return np.ones((n, 7214), dtype=np.float32)


def _reversed(data: Path, n: int, rng: np.random.Generator) -> np.ndarray:
    return _stars(data, n, rng)[:, ::-1].copy()


def _inverted(data: Path, n: int, rng: np.random.Generator) -> np.ndarray:
    return 2.0 - _stars(data, n, rng)


def _steps(data: Path, n: int, rng: np.random.Generator) -> np.ndarray:
    """Boxes of random height and length: a broken reduction."""
    flux = np.ones((n, 7214), dtype=np.float32)
    for row in flux:
        edges = np.sort(rng.integers(0, 7214, 60))
        for first, last in pairwise(edges):
            row[first:last] = rng.uniform(0.2, 1.4)
    return flux


#: Kinds of simulated spectra that no label is right for: name -> function of data
#: folder, number and rng.
KINDS: dict[str, Callable[[Path, int, np.random.Generator], np.ndarray]] = {
    "hot_kurucz_7000_7990K": _hot_stars,
    "hot_emulator_7000_7890K": _hot_emulated,
    "cool_giants_kurucz_3200_3950K": _cool_giants,
    "emission_lines": _emission,
    "shifted_100km_s": _shifted(100.0),
    "shifted_30km_s": _shifted(30.0),
    "double_lined": _double_lined,
    "constant": _constant,
    "white_noise": _constant,
    "white_noise_denied": _constant,
    "reversed": _reversed,
    "inverted": _inverted,
    "steps": _steps,
}


def simulate_out_of_domain(
    kind: str, data: str | Path, n_spectra: int, *, seed: int
) -> PreparedSpectra:
    """Simulate spectra that no label is right for.

    Parameters
    ----------
    kind : str
        One of `KINDS`. ``white_noise`` has a signal-to-noise of 0.3 to 3 and says
        so; ``white_noise_denied`` has the same but claims 30 to 300.
    data : path
        Folder with the training ingredients.
    n_spectra : int
        How many.
    seed : int
        Another seed gives others.

    Returns
    -------
    PreparedSpectra
        Observed at signal-to-noise 10 to 300 with all defects, and prepared.
    """
    rng = np.random.default_rng([seed, list(KINDS).index(kind)])
    clean = KINDS[kind](Path(data), n_spectra, rng)
    noisy = kind.startswith("white_noise")
    flux, sigma, mask = observe_apogee(
        clean, get_grid("apogee_7214"), rng=rng,
        conditions=ApogeeConditions(snr=(0.3, 3.0)) if noisy else ApogeeConditions(),
    )  # fmt: skip
    if kind == "white_noise_denied":
        sigma = sigma / 100.0
    return prepare_observed(flux, sigma, mask)


def out_of_domain_files(data: str | Path) -> dict[str, list[Path]]:
    """Return real spectra that the models must flag.

    Parameters
    ----------
    data : path
        Folder with ``apogee/mdwarfs`` and ``apogee/spectra``.

    Returns
    -------
    dict of str to list of Path
        M dwarfs, M giants and F stars.
    """
    folder = Path(data, "apogee")
    dwarfs = sorted((folder / "mdwarfs").glob("aspcapStar-*.fits"))
    giants = [
        folder / "mdwarfs/apStar-r6-2M17334253-1654573.fits",
        folder / "spectra/apStar-dr17-2M17335483-2753043.fits",
    ]
    hot = [
        folder / "spectra/apVisit-r13-5095-55844-128.fits",
        folder / "spectra/apVisit-r5-7125-56557-285.fits",
    ]
    return {"m_dwarfs": dwarfs, "m_giants": giants, "f_stars": hot}


def describe_single_stars(
    data: str | Path, *, n_components: int = 8, n_spectra: int = 4000, seed: int = 4242
) -> FluxBasis:
    """Describe the clean prepared spectra of single stars by a few components.

    Parameters
    ----------
    data : path
        Folder with the training ingredients.
    n_components : int, optional
        More would describe a second star as well.
    n_spectra : int, optional
        Spectra that they are the principal components of.
    seed : int, optional
        Seed of the stars.

    Returns
    -------
    FluxBasis
        With the Brackett lines as the emission to look for.
    """
    flux = apogee_emulator(data).flux(draw_apogee_stars(data, n_spectra, seed=seed))
    prepared = prepare_observed(
        flux, np.full_like(flux, 0.01), np.zeros(flux.shape, dtype=bool)
    )
    clean = np.where(prepared.valid, prepared.flux, 1.0)
    pca = PCA(n_components, random_state=0, svd_solver="randomized").fit(clean)
    spread = np.sqrt(pca.explained_variance_)
    ratio = get_grid("apogee_7214").wavelength / BRACKETT[:, None]
    velocity = 299_792.458 * (ratio - 1.0)
    fading = 0.85 ** np.arange(len(BRACKETT))
    emission = fading @ np.exp(-0.5 * (velocity / 100.0) ** 2)
    return FluxBasis(pca.mean_, pca.components_, spread, emission)
