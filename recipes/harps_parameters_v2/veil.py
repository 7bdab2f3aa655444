# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tell the ensemble how to see that light without lines veils a spectrum.

A veil makes all lines shallower, also those that are saturated, which fewer metals do
not. Logistic regression on what heads see of synthetic stars, with the errors that
heads learned from, finds the direction; its limit is 1.5 times what 2 % of stars
without a veil pass that took no part: at these, cosmic rays and ripples put real stars
over it. Networks stay as they are:
``python -m recipes.harps_parameters_v2.veil WEIGHTS --data FOLDER``.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from astro_latent.models import load_model, save_weights
from astro_latent.models.architectures.aligned_ensemble import AlignedEnsemble
from astro_latent.simulation.harps_library import HarpsLibrary
from recipes.harps.stars import LIBRARY
from recipes.harps_parameters_v2.components import describe_sample
from recipes.harps_parameters_v2.heads import SeenErrors
from recipes.harps_parameters_v2.library import RestStars, draw_stars, render_rest
from recipes.reading import read_recipe

__all__ = ["add_veil", "find_veil"]

_STARS = {"n_spectra": 600, "seed": 415}
_VEILS = (0.15, 1.0)  # of the continuum
_AT_ONCE, _DRAWS = 8, 8
_ALARMS, _MARGIN, _PENALTY = 0.02, 1.5, 0.1


def _lines(
    model: AlignedEnsemble, library: HarpsLibrary, stars: RestStars, veil: torch.Tensor
) -> np.ndarray:
    """Lines of stars with veils, of which ends differ by the second number."""
    rows = []
    for few in torch.arange(len(veil)).split(_AT_ONCE):
        some = few.numpy()
        flux = render_rest(
            model, library,
            RestStars(stars.labels[some], stars.vsini[some], stars.vmacro[some]),
        )  # fmt: skip
        along = torch.linspace(-1.0, 1.0, flux.shape[1])
        flux = flux + veil[few, :1] * torch.exp(veil[few, 1:] * along)
        rows.append(
            model.flatten_rest(flux, torch.ones_like(flux, dtype=torch.bool))[0]
        )
    return torch.cat(rows).numpy()


@torch.no_grad()
def find_veil(
    model: AlignedEnsemble, mean: np.ndarray, recipe: dict[str, Any], data: Path
) -> tuple[np.ndarray, dict[str, float]]:
    """Find the direction of veiled spectra.

    Parameters
    ----------
    model : AlignedEnsemble
        Trained.
    mean : ndarray, shape (n_components + 1,)
        What directions count from.
    recipe : dict
        Of the network.
    data : path
        Folder with the training ingredients.

    Returns
    -------
    direction : ndarray, shape (n_components + 1,)
        Its product with what heads see, less the mean, is 1 at the limit.
    report : dict
        Shares beyond it, of stars that took no part.
    """
    stars = draw_stars(data, **_STARS)
    inside = np.ones(len(stars.vsini), dtype=bool)
    columns = {"teff": stars.labels[:, 0], "m_h": stars.labels[:, 2]}
    for name, (low, high) in recipe["domain"].items():
        values = columns.get(name, stars.vsini)
        inside &= (values > low) & (values < high)
    stars = RestStars(stars.labels[inside], stars.vsini[inside], stars.vmacro[inside])
    library, generator = HarpsLibrary(data / LIBRARY), torch.Generator().manual_seed(1)
    veil = torch.rand(len(stars.vsini), 2, generator=generator)
    low, high = np.log(_VEILS)
    veil = torch.stack([(low + (high - low) * veil[:, 0]).exp(), 2 * veil[:, 1] - 1], 1)
    clean, veiled = (
        describe_sample(
            model, _lines(model, library, stars, v), stars, recipe, generator
        )
        for v in (0.0 * veil, veil)
    )
    rows = torch.arange(len(veil)).repeat(_DRAWS)
    seen, strange = (
        SeenErrors(model, s, recipe["errors"]).draw(rows, generator).numpy()
        for s in (clean, replace(clean, coefficients=veiled.coefficients))
    )
    fit, judge = rows.numpy() % 2 == 0, rows.numpy() % 2 == 1
    spread = seen.std(0)
    both = np.concatenate([seen[fit], strange[fit]])
    found = LogisticRegression(C=_PENALTY, max_iter=3000).fit(
        (both - mean) / spread, np.arange(len(both)) >= fit.sum()
    )
    direction = found.coef_[0] / spread
    along = (seen[judge] - mean) @ direction
    direction = direction / (_MARGIN * np.quantile(along, 1.0 - _ALARMS))
    beyond = {
        f"{name} ({judge.sum()})": round(float(((x - mean) @ direction > 1).mean()), 3)
        for name, x in (("no veil", seen[judge]), ("veil 0.15 to 1", strange[judge]))
    }
    return direction, beyond


def add_veil(folder: str | Path, data: str | Path) -> Path:
    """Write weights anew with the direction; the networks stay what they are.

    Parameters
    ----------
    folder : path
        Weights of an ``aligned_ensemble`` with a domain.
    data : path
        Folder with the training ingredients.

    Returns
    -------
    Path
        The folder.
    """
    model = load_model(folder, device="cpu")
    network: Any = model.members[0]
    assert model.domain_mean is not None
    assert model.domain_whitening is not None
    n = len(network.star_scale) + 1
    direction, report = find_veil(
        network, model.domain_mean[:n], read_recipe("harps_parameters_v2"), Path(data)
    )
    config = model.config.to_dict()
    old = model.domain_whitening[: len(model.domain_mean)]
    row = np.append(direction, np.zeros(len(model.domain_mean) - n))
    config["domain"] = {**config["domain"], "one_sided": 1}
    config["evaluation"] = {**config["evaluation"], "beyond the veil's limit": report}
    return save_weights(
        folder, network, config, dtype=model.config.weights["dtype"],
        domain_mean=model.domain_mean, domain_whitening=np.vstack([old, row]),
        tolerance=1e-3, overwrite=True,
    )  # fmt: skip


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, help="folder of the ensemble's weights")
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    add_veil(options.weights, options.data)


if __name__ == "__main__":
    _main()
