# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Gaussian processes on components of MILES spectra, in six folds.

``python benchmarks/bench_optical_kernel.py --data FOLDER`` asks what the process of
``optical_r2000_starnet_v1`` can do without networks, and how much it matters what it
sees: no noise added, components of LAMOST spectra as inputs. Folds are ``miles_id % 7``
without the third, whose stars are for tests. Writes
``docs/experiments/optical_kernel.ecsv``.
"""

import argparse
from pathlib import Path

import _paths  # noqa: F401
import numpy as np
import torch
from _rounded import write_rounded
from astropy.table import Table

from astro_latent.models.layers.process import compare, covariance
from astro_latent.models.layers.views import View
from astro_latent.preparation import SpectralGrid, vacuum_to_air
from astro_latent.training.process import Process
from recipes.reading import read_recipe
from recipes.real import lamost
from recipes.real.miles import LABELS, read_stars
from recipes.real.scores import score_stars
from recipes.real.stars import select

OUTPUT = Path(__file__).parents[1] / "docs/experiments/optical_kernel.ecsv"
_LOG = {"kind": "log", "n_components": 40, "shrink": 0.5}


def _flat(width: int) -> dict:
    """Return a view of the flux over a running mean of so many pixels."""
    return {"kind": "flat", "n_components": 200, "width": width, "shrink": 0.6}


#: What a process sees: as the networks, lines over means that are shorter or longer,
#: and both.
VARIANTS = {
    "301": (_flat(301), _LOG),
    "101": (_flat(101), _LOG),
    "901": (_flat(901), _LOG),
    "101 and 901": (_flat(101), _flat(901), _LOG),
}
_FOLDS = (0, 1, 2, 4, 5, 6)
_HOTTEST, _RANGE = 9000.0, (4000.0, 7000.0)  # K
_FIGURES = ("n", "bias", "scatter", "scatter_error")
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
    """Read LAMOST spectra, for components, and MILES stars that are not for tests."""
    grid = SpectralGrid.from_dict(read_recipe("optical_r2000_starnet_v1")["grid"])
    first = lamost.read_stars(data)
    first = select(first, ~first["test"] & (first["teff"] < 8500.0))
    seen = on_grid(first, vacuum_to_air(first["wavelength_vacuum"]), grid)
    stars = read_stars(data)
    stars = select(stars, ~stars["test"])
    return seen, stars, on_grid(stars, stars["wavelength_air"], grid)


def find_components(views, seen, own):
    """Components of spectra of MILES, all views one after the other."""
    parts = []
    for arguments in views:
        view = View(own[0].shape[1], **arguments)
        view.adapt(*seen)
        parts.append(3.0 * torch.asinh(view(*own) / 3.0))
    return torch.cat(parts, dim=1)


def predict(components, sizes, stars, values):
    """One label of each star by a process that did not see its fold."""
    fold, found = stars["miles_id"] % 7, np.full(len(values), np.nan)
    usable = np.isfinite(values) & (stars["teff"] < _HOTTEST)
    middle, scale = values[usable].mean(), values[usable].std()
    for number in _FOLDS:
        known, asked = usable & (fold != number), fold == number
        process = Process(components[known], sizes)
        given = torch.from_numpy((values[known] - middle) / scale).double()
        numbers, weight = process.fit(given)
        dual = process.solve(given, numbers, weight)
        parts = compare(components[asked].double(), components[known].double(), sizes)
        found[asked] = middle + scale * (covariance(*parts, numbers) @ dual).numpy()
    return found


def main() -> None:
    """Score the process, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    seen, stars, own = read_inputs(options.data)
    given = np.stack([np.asarray(stars[label], float) for label in LABELS], axis=1)
    values = {}
    for name, views in VARIANTS.items():
        components = find_components(views, seen, own)
        sizes = [view["n_components"] for view in views]
        columns = [predict(components, sizes, stars, column) for column in given.T]
        values[name] = np.stack(columns, axis=1)
    values["mean of the four"] = np.mean(list(values.values()), axis=0)
    low, high = _RANGE
    rows = (given[:, 0] > low) & (given[:, 0] < high)
    lines = []
    for name, found in values.items():
        for label, score in score_stars(found[rows], given[rows], LABELS).items():
            lines.append((name, label, *(score[figure] for figure in _FIGURES)))
    table = Table(rows=lines, names=("pixels", "label", *_FIGURES))
    write_rounded(table, options.output)
    table.pprint(max_lines=-1)


if __name__ == "__main__":
    main()
