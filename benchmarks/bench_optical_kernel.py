# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A Gaussian process on components of MILES spectra, in six folds.

``python benchmarks/bench_optical_kernel.py --data FOLDER`` asks what networks are to be
held against: no training by steps, no noise added, components of LAMOST spectra as
inputs. Folds are ``miles_id % 7`` without the third, whose stars are for tests. Writes
``docs/experiments/optical_kernel.ecsv``.
"""

import argparse
from pathlib import Path

import _paths  # noqa: F401
import numpy as np
import torch
from astropy.table import Table

from astro_latent.models.layers.views import View
from astro_latent.preparation import SpectralGrid, vacuum_to_air
from recipes.reading import read_recipe
from recipes.real import lamost
from recipes.real.miles import LABELS, read_stars
from recipes.real.scores import score_stars
from recipes.real.stars import select

OUTPUT = Path(__file__).parents[1] / "docs/experiments/optical_kernel.ecsv"
#: Two views, as the networks have them, with more of the second.
VIEWS = (
    {"kind": "flat", "n_components": 200, "width": 301, "shrink": 0.6},
    {"kind": "log", "n_components": 60, "shrink": 0.5},
)
_FOLDS = (0, 1, 2, 4, 5, 6)
_HOTTEST, _RANGE = 9000.0, (4000.0, 7000.0)  # K
_UNIT = 5500.0  # K; the logarithm of T_eff is learnt
_DOF = 5.0
#: ln of two lengths, of the amplitude of the kernel and of two linear parts, and of
#: the noise: where the search begins.
_START = (2.1, 1.2, -0.5, -4.0, -1.5, -1.6)
_STEPS, _RATE, _EVERY = 24, 0.12, 6
_LIGHT = 299_792.458  # km/s


def on_grid(stars, wavelength, grid):
    """Flux and errors over the median flux, and which pixels count."""
    good = ~stars.get("bad", np.zeros(stars["flux"].shape, dtype=bool))
    velocity = stars.get("radial_velocity", np.zeros(len(good)))
    found = np.empty((3, len(good), grid.n_pixels), dtype=np.float32)
    for row, mask in enumerate(good):
        at = wavelength / (1.0 + velocity[row] / _LIGHT)
        for k, name in enumerate(("flux", "error")):
            values = stars[name][row][mask]
            found[k, row] = np.interp(grid.wavelength, at[mask], values)
        found[2, row] = np.interp(grid.wavelength, at, mask.astype(float), left=0.0)
    middle = np.median(found[0], axis=1, keepdims=True)
    flux, error = (torch.from_numpy(part / middle) for part in found[:2])
    return flux, error.abs().clamp_min(1e-4), torch.from_numpy(found[2] > 0.99)


def read_inputs(data: Path):
    """Components of the MILES stars that are not for tests, one array a view."""
    grid = SpectralGrid.from_dict(read_recipe("optical_r2000_starnet_v1")["grid"])
    first = lamost.read_stars(data)
    first = select(first, ~first["test"] & (first["teff"] < 8500.0))
    seen = on_grid(first, vacuum_to_air(first["wavelength_vacuum"]), grid)
    stars = read_stars(data)
    stars = select(stars, ~stars["test"])
    own = on_grid(stars, stars["wavelength_air"], grid)
    parts = []
    for arguments in VIEWS:
        view = View(grid.n_pixels, **arguments)
        view.adapt(*seen)
        parts.append(3.0 * torch.asinh(view(*own) / 3.0).double())
    return stars, parts


class Process:
    """Matern-5/2 of a distance with a length for each view, and linear parts."""

    def __init__(self, parts):
        self.square = [torch.cdist(part, part) ** 2 for part in parts]
        self.product = [part @ part.T for part in parts]

    def kernel(self, p, rows, columns):
        """Covariance of the stars of rows with those of columns."""
        square = sum(
            part[rows][:, columns] * torch.exp(-2.0 * p[k])
            for k, part in enumerate(self.square)
        ).clamp_min(1e-12)
        distance = (5.0 * square).sqrt()
        shape = (1.0 + distance + 5.0 / 3.0 * square) * torch.exp(-distance)
        linear = sum(
            torch.exp(2.0 * p[3 + k]) * part[rows][:, columns]
            for k, part in enumerate(self.product)
        )
        return torch.exp(2.0 * p[2]) * shape + linear + 1.0

    def fit(self, rows, values):
        """Parameters by their likelihood, and the weights of outliers by turns."""
        p = torch.tensor(_START, dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.Adam([p], lr=_RATE)
        weight = torch.ones_like(values)
        for step in range(_STEPS):
            factor = torch.linalg.cholesky(self.noisy(p, rows, weight))
            found = torch.cholesky_solve(values[:, None], factor)[:, 0]
            loss = 0.5 * values @ found + factor.diagonal().log().sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if step % _EVERY == _EVERY - 1:
                with torch.no_grad():  # residuals of each star by all others
                    inverse = torch.cholesky_inverse(factor).diagonal()
                    ratio = found**2 / inverse
                    weight = ((_DOF + 1.0) / (_DOF + ratio)).clamp(0.05, 1.2)
        return p.detach(), weight

    def noisy(self, p, rows, weight):
        """Covariance of what is given for stars."""
        return self.kernel(p, rows, rows) + torch.diag(torch.exp(2.0 * p[5]) / weight)


def predict(process, stars, values):
    """One label of each star by a process that did not see its fold."""
    fold, found = stars["miles_id"] % 7, np.full(len(values), np.nan)
    usable = np.isfinite(values) & (stars["teff"] < _HOTTEST)
    middle, scale = values[usable].mean(), values[usable].std()
    for number in _FOLDS:
        rows = torch.from_numpy(np.flatnonzero(usable & (fold != number)))
        others = np.flatnonzero(fold == number)
        given = torch.from_numpy((values[rows.numpy()] - middle) / scale).double()
        p, weight = process.fit(rows, given)
        mean = torch.linalg.solve(process.noisy(p, rows, weight), given)
        across = process.kernel(p, torch.from_numpy(others), rows) @ mean
        found[others] = middle + scale * across.numpy()
    return found


def main() -> None:
    """Score the process, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    stars, parts = read_inputs(options.data)
    process = Process(parts)
    given = np.stack([np.asarray(stars[label], float) for label in LABELS], axis=1)
    learnt = given.copy()
    learnt[:, 0] = np.log(given[:, 0] / _UNIT)
    values = np.stack([predict(process, stars, column) for column in learnt.T], axis=1)
    values[:, 0] = _UNIT * np.exp(values[:, 0])
    low, high = _RANGE
    rows = (given[:, 0] > low) & (given[:, 0] < high)
    scores = score_stars(values[rows], given[rows], LABELS)
    names = ("n", "bias", "scatter", "scatter_error")
    table = Table(
        rows=[
            (label, *(float(f"{score[name]:.4g}") for name in names))
            for label, score in scores.items()
        ],
        names=("label", *names),
    )
    table["n"] = table["n"].astype(int)
    table.write(options.output, format="ascii.ecsv", overwrite=True)
    table.pprint()


if __name__ == "__main__":
    main()
