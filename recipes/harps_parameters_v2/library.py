# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Synthetic stars at rest, without instrument: what the components are fitted to."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from astro_latent.models.architectures.aligned_ensemble import AlignedEnsemble
from astro_latent.models.layers.interpolate import cubic_at
from astro_latent.simulation import HarpsConditions, rotation_kernels
from astro_latent.simulation.harps_library import HarpsLibrary, draw_harps_labels
from astro_latent.utils.physics import SPEED_OF_LIGHT
from astro_latent.utils.writing import replacing
from recipes.harps.stars import CATALOGUE, LIBRARY
from recipes.options import Options

__all__ = ["RestStars", "draw_stars", "read_rest", "render_rest", "simulate_rest"]

PART = 500  # stars in a file
_AT_ONCE = 8
_LARGEST_KERNEL = 75.0  # km/s
_FASTEST = 60.0  # km/s; slower than 10 are drawn by HarpsConditions
_WIDEST_PROFILE = 3.6  # km/s: what brings R = 115,000 to 45,000


@dataclass
class RestStars:
    """Labels and broadening of synthetic stars.

    Parameters
    ----------
    labels : ndarray, shape (n, 7)
        In the order of the library.
    vsini, vmacro : ndarray, shape (n,)
        km/s; the second has lower resolving powers in it.
    """

    labels: np.ndarray
    vsini: np.ndarray
    vmacro: np.ndarray

    def targets(self) -> np.ndarray:
        """Return T_eff, log g, [M/H] and ln of the rotation in km/s, in columns."""
        return np.column_stack([self.labels[:, :3], np.log(self.vsini.clip(1.0))])


def draw_stars(data: str | Path, *, n_spectra: int, seed: int) -> RestStars:
    """Draw stars like the targets of HARPS, some of them fast or at lower resolution.

    Parameters
    ----------
    data : path
        Folder with the training ingredients.
    n_spectra, seed : int
        How many, and which.

    Returns
    -------
    RestStars
        A third seen at resolving powers down to 45,000, an eighth of the warm ones with
        rotation up to 60 km/s.
    """
    rng = np.random.default_rng(seed)
    labels = draw_harps_labels(n_spectra, Path(data, CATALOGUE), rng=rng)
    drawn = HarpsConditions.draw(labels[:, 0], rng=rng)
    vsini, vmacro = drawn.vsini.copy(), drawn.vmacro.copy()
    fast = (rng.random(n_spectra) < 0.15) & (labels[:, 0] > 5900.0)
    vsini[fast] = rng.uniform(10.0, _FASTEST, fast.sum())
    blurred = rng.random(n_spectra) < 0.35
    profile = rng.uniform(0.0, _WIDEST_PROFILE, blurred.sum())
    vmacro[blurred] = np.hypot(vmacro[blurred], profile)
    return RestStars(labels, vsini, vmacro)


def render_rest(
    model: AlignedEnsemble, library: HarpsLibrary, stars: RestStars
) -> Tensor:
    """Return normalised flux on the joined pixels of a network.

    Parameters
    ----------
    model : AlignedEnsemble
        With the pixels.
    library : HarpsLibrary
        Of synthetic spectra.
    stars : RestStars
        A few.

    Returns
    -------
    Tensor, shape (n, n_log / joined)
        Mean over each pixel.
    """
    flux = library.flux(torch.from_numpy(stars.labels))
    step = library.log_step * SPEED_OF_LIGHT
    widest = float(np.max(stars.vsini + 3.0 * stars.vmacro))
    kernels = rotation_kernels(
        *(torch.from_numpy(v.astype(np.float32)) for v in (stars.vsini, stars.vmacro)),
        step=step, half=int(min(_LARGEST_KERNEL, max(8.0, widest)) / step) + 2,
    )  # fmt: skip
    pixel = model.grid.step * model.joined / step  # of the library's
    reach = int(np.ceil(pixel / 2))
    edge = torch.arange(-reach, reach + 1)
    box = (pixel / 2 - edge.abs() + 0.5).clamp(0.0, 1.0)
    kernels = functional.conv1d(
        kernels[:, None], (box / box.sum())[None, None], padding=2 * reach
    )[:, 0]
    half = kernels.shape[1] // 2
    flux = functional.conv1d(
        functional.pad(flux[None], (half, half), mode="replicate"),
        kernels[:, None],
        groups=len(flux),
    )[0]
    middle = (np.arange(model.grid.n // model.joined) + 0.5) * model.joined - 0.5
    log_wavelength = (
        np.log(model.first_wavelength) + middle * model.grid.step / SPEED_OF_LIGHT
    )
    position = (log_wavelength - library.log_start) / library.log_step
    return cubic_at(flux, torch.from_numpy(position).expand(len(flux), -1))


def simulate_rest(model: AlignedEnsemble, stars: RestStars, options: Options) -> bool:
    """Write the lines of stars at rest, as the network flattens them, in parts.

    Parameters
    ----------
    model : AlignedEnsemble
        Flattens.
    stars : RestStars
        All of them.
    options : Options
        Where and for how long; parts that are there already are kept.

    Returns
    -------
    bool
        Whether all parts are written.
    """
    library = HarpsLibrary(Path(options.data, LIBRARY))
    options.work.mkdir(parents=True, exist_ok=True)
    for part in range(-(-len(stars.vsini) // PART)):
        path = options.work / f"rest_{part:03d}.npy"
        if path.exists():
            continue
        if options.late:
            return False
        rows = np.arange(part * PART, min((part + 1) * PART, len(stars.vsini)))
        lines = np.empty((len(rows), len(model.mean)), np.float16)
        by_speed = rows[np.argsort(stars.vsini[rows])]  # kernels of like lengths
        for some in np.array_split(by_speed, -(-len(rows) // _AT_ONCE)):
            few = RestStars(stars.labels[some], stars.vsini[some], stars.vmacro[some])
            flux = render_rest(model, library, few)
            flat, _ = model.flatten_rest(flux, torch.ones_like(flux, dtype=torch.bool))
            lines[some - rows[0]] = flat.numpy()
        with replacing(path) as unfinished:
            np.save(unfinished, lines)
    return True


def read_rest(work: Path, n_spectra: int) -> np.ndarray:
    """Return the lines of stars at rest that `simulate_rest` wrote.

    Parameters
    ----------
    work : path
        Where.
    n_spectra : int
        How many stars there are.

    Returns
    -------
    ndarray of float16, shape (n_spectra, n_part)
        Flux over a line in wide windows, less one.
    """
    parts = [
        np.load(work / f"rest_{part:03d}.npy", mmap_mode="r")
        for part in range(-(-n_spectra // PART))
    ]
    return np.concatenate(parts)
