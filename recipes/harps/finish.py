# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Judge a trained autoencoder on stars it never saw, and write its weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from astro_latent.latent import measure_dispersion, prior_divergence
from astro_latent.models import load_model, save_weights
from astro_latent.preparation.grid import get_grid
from astro_latent.preparation.recipe import HARPS_RECIPE
from astro_latent.training.linear import find_components
from recipes.harps.domain import add_domain
from recipes.harps.stars import simulate_stars

__all__ = ["evaluate_autoencoder", "finish_autoencoder"]


def _collect(
    batches: Callable[[int], dict[str, Any]], n_batches: int
) -> dict[str, Any]:
    made = [batches(number) for number in range(n_batches)]
    return {
        "flux": torch.cat([batch["flux"] for batch in made]),
        "clean": torch.cat([batch["clean"] for batch in made]),
        "labels": np.concatenate([batch["labels"] for batch in made]),
        "velocity": np.concatenate([b["conditions"].radial_velocity for b in made]),
    }


def _masked_mae(difference: Tensor, valid: Tensor) -> float:
    return float(difference[:, valid].abs().mean())


def evaluate_autoencoder(
    model: nn.Module,
    data: str | Path,
    *,
    n_spectra: int = 400,
    n_pca: int = 800,
    seed: int = 77,
) -> dict[str, Any]:
    """Figures of merit of an autoencoder, for its card.

    Parameters
    ----------
    model : `torch.nn.Module`
        Trained, in evaluation mode.
    data : path
        Folder with the training ingredients.
    n_spectra : int, optional
        Size of the test set, at a signal-to-noise ratio of 100.
    n_pca : int, optional
        Spectra that the principal components are fitted to.
    seed : int, optional
        Seed of the test set; the training used another.

    Returns
    -------
    dict
        Masked mean absolute residuals (units of the median flux) of the network, of
        the noise alone, of the mean spectrum and of principal components; the number
        of informative nodes; the nodes that follow velocity and temperature best.
    """
    valid = torch.from_numpy(get_grid("harps_327680").valid.copy())
    train = _collect(simulate_stars(data, batch_size=8, seed=seed + 1), n_pca // 8)
    mean, components = find_components(train.pop("flux"), 128)
    test = _collect(
        simulate_stars(data, batch_size=8, seed=seed, snr=100.0),
        n_spectra // 8,
    )
    flux = test["flux"]
    latents, sigmas, residual = [], [], 0.0
    with torch.inference_mode():
        for row in flux.split(1):
            rebuilt, mu, log_variance = model(row)
            residual += _masked_mae(rebuilt - row, valid) / len(flux)
            latents.append(mu[0].numpy())
            sigmas.append(np.exp(0.5 * log_variance[0].numpy()))
    report: dict[str, Any] = {
        "n_spectra": len(flux),
        "snr": 100,
        "seed": seed,
        "n_spectra_pca": n_pca,
        "mae_noise_alone": _masked_mae(test["clean"] - flux, valid),
        "mae_network": residual,
        "mae_mean_spectrum": _masked_mae(flux - mean, valid),
    }
    # 21 spectra are as many numbers as the published network has parameters.
    for n_components in sorted({6, 20, latents[0].size, 128}):
        basis = components[-n_components:]
        rebuilt = mean + ((flux - mean) @ basis.T) @ basis
        report[f"mae_pca_{n_components}"] = _masked_mae(rebuilt - flux, valid)
    report |= _node_figures(np.array(latents), np.array(sigmas), test)
    return report


def _node_figures(
    mean: np.ndarray, sigma: np.ndarray, test: dict[str, Any]
) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "informative_median_0.02": measure_dispersion(mean).count,
        "informative_mean_0.2": measure_dispersion(mean, statistic="mean").count,
        "nodes_above_0.1_nat": int(np.sum(prior_divergence(mean, sigma) > 0.1)),
    }
    truth = {"rv": test["velocity"], "teff": test["labels"][:, 0]}
    for name, values in truth.items():
        rank = np.nan_to_num([spearmanr(node, values).statistic for node in mean.T])
        best = int(np.argmax(np.abs(rank)))
        figures[f"best_node_{name}"] = {"node": best, "spearman": float(rank[best])}
    return figures


def finish_autoencoder(
    recipe: dict[str, Any], model: Any, *, data: str | Path, output: str | Path
) -> Path:
    """Evaluate and write the weights of a trained autoencoder.

    Parameters
    ----------
    recipe : dict
        The training recipe, with the texts of the card; ``stored_as`` is the format of
        the weights, by default half precision.
    model : `torch.nn.Module`
        Trained.
    data, output : path
        Training ingredients, and the folder of weights to write.

    Returns
    -------
    Path
        The folder of weights.
    """
    config = {
        **recipe["card_texts"],
        "architecture": recipe["architecture"],
        "arguments": recipe["arguments"],
        "grid": {"name": "harps_327680"},
        "recipe": HARPS_RECIPE.to_dict(),
        "outputs": [
            {
                "name": "latent",
                "ucd": "stat.param",
                "description": "Latent features: posterior mean per node",
                "n": model.n_latent,
            }
        ],
    }
    output = Path(output)

    def save() -> Path:
        # Velocities and ratios of noise make more of rounding than sums do.
        return save_weights(
            output, model, config, dtype=recipe.get("stored_as", "float16"),
            tolerance=1e-3, overwrite=True,
        )  # fmt: skip

    save()
    stored = load_model(output, device="cpu").members[0]  # what users get
    config["evaluation"] = evaluate_autoencoder(stored, data)
    limit = _reconstruction_limit(stored, data)
    config["domain"] = {"snr": [8.0, 500.0], "reconstruction_limit": limit}
    save()
    return add_domain(output, data)


def _reconstruction_limit(model: nn.Module, data: str | Path) -> float:
    """Residual that 2 % of in-domain spectra of any signal-to-noise exceed."""
    valid = torch.from_numpy(get_grid("harps_327680").valid.copy())
    test = _collect(simulate_stars(data, batch_size=8, seed=79), 25)
    with torch.inference_mode():
        residuals = [
            _masked_mae(model(row)[0] - row, valid) for row in test["flux"].split(1)
        ]
    return float(np.quantile(residuals, 0.98))
