# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Train the head that turns the components of HARPS spectra into stellar parameters."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from astro_latent.models import load_model, save_weights
from astro_latent.models.architectures.aligned_parameters import AlignedParameters
from astro_latent.preparation.recipe import HARPS_RECIPE
from astro_latent.simulation.harps_bank import (
    HarpsBank,
    bank_labels,
)
from astro_latent.training.calibration import calibrate_errors
from astro_latent.training.domain import describe_domain
from astro_latent.training.loop import one_cycle, write_checkpoint
from astro_latent.training.losses import gaussian_nll
from astro_latent.training.start import start_from
from recipes.harps.parameters import evaluate_bank, list_outputs, predict_bank
from recipes.harps.stars import make_star_bank
from recipes.options import Options

_STEPS_KEPT = 500  # between checkpoints

__all__ = ["finish_parameters", "fit_head", "train_parameters"]


def train_parameters(
    recipe: dict[str, Any], options: Options
) -> AlignedParameters | None:
    """Train the head of a recipe on the features of its encoder.

    Parameters
    ----------
    recipe : dict
        See ``recipes/harps_parameters_v1/recipe.toml``.
    options : Options
        Where and for how long.

    Returns
    -------
    AlignedParameters or None
        In evaluation mode, on the processor; None if the time was up before the end.
    """
    torch.manual_seed(recipe["seed"])
    encoder = load_model(recipe["encoder"], device="cpu")
    model = AlignedParameters(
        n_labels=len(recipe["labels"]) - 1, encoder=encoder.config.arguments
    ).eval()
    model.encoder.load_state_dict(encoder.members[0].state_dict())
    if options.from_weights:
        start_from(model, options.from_weights)
    bank = make_star_bank(options.data, options.work / "bank", **recipe["bank"])
    fit = recipe["fit"]
    features = _features(model, bank, fit, options)
    if features is None:
        return None
    truth = bank_labels(bank)[: fit["n_train"]]
    truth = (truth - recipe["offset"]) / recipe["scale"]
    labels = torch.from_numpy(truth[:, 1:].astype(np.float32))
    labels = labels.repeat(fit["n_repeats"], 1)
    return model if fit_head(model, features, labels, fit, options) else None


def _features(
    model: AlignedParameters, bank: HarpsBank, fit: dict[str, Any], options: Options
) -> Tensor | None:
    """Return the features of the training spectra; computed once, then from files."""
    parts = []
    for repeat in range(fit["n_repeats"]):
        path = options.work / f"features_{repeat}.npy"
        if not path.exists():
            if options.late:
                return None
            rng = np.random.default_rng([fit["seed"], repeat])
            rows = [_feature(model, bank, row, rng) for row in range(fit["n_train"])]
            np.save(path, np.concatenate(rows))
        parts.append(np.load(path, allow_pickle=False))
    return torch.from_numpy(np.concatenate(parts))


def _feature(
    model: AlignedParameters, bank: HarpsBank, row: int, rng: np.random.Generator
) -> np.ndarray:
    """Features of one spectrum of the bank with new noise."""
    seen, _ = bank.observe(np.array([row]), rng=rng)
    flux = seen.new_zeros(1, model.encoder.n_pixels)
    flux[:, model.encoder.grid.valid] = seen
    with torch.inference_mode():
        return model.features(flux).numpy()


def fit_head(
    model: AlignedParameters,
    features: Tensor,
    labels: Tensor,
    fit: dict[str, Any],
    options: Options,
) -> bool:
    """Fit the head, going on where a checkpoint says.

    Parameters
    ----------
    model : AlignedParameters
        Changed in place.
    features : Tensor, shape (n, n_features)
        Of the training spectra.
    labels : Tensor, shape (n, n_labels)
        In the network's units.
    fit : dict
        The section ``fit`` of the recipe.
    options : Options
        Where and for how long.

    Returns
    -------
    bool
        Whether the training is done.
    """
    device = torch.device(options.device)
    layers = model.layers.to(device)
    features, labels = features.to(device), labels.to(device)
    optimiser = torch.optim.AdamW(
        layers.parameters(), lr=fit["learning_rate"], weight_decay=1e-3
    )
    generator = torch.Generator().manual_seed(fit["seed"])
    checkpoint, first = options.work / "head.pt", 1
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        layers.load_state_dict(state["layers"])
        optimiser.load_state_dict(state["optimiser"])
        generator.set_state(state["generator"])
        first = state["step"] + 1
    for step in range(first, fit["n_steps"] + 1):
        rows = torch.randint(len(labels), (fit["batch_size"],), generator=generator)
        seen = features[rows.to(device)].clone()
        blur = torch.empty(seen[:, :-3].shape).normal_(generator=generator)
        seen[:, :-3] += fit["jitter"] * blur.to(device)
        mean, log_variance = model.head(seen)
        loss = gaussian_nll(mean[:, 1:], log_variance[:, 1:], labels[rows.to(device)])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        for group in optimiser.param_groups:
            group["lr"] = fit["learning_rate"] * one_cycle(step, fit["n_steps"])
        optimiser.step()
        done = step == fit["n_steps"]
        if step % _STEPS_KEPT == 0 or done or options.late:
            state = {
                "layers": layers.state_dict(),
                "optimiser": optimiser.state_dict(),
                "generator": generator.get_state(),
                "step": step,
            }
            write_checkpoint(checkpoint, state)
        if options.late and not done:
            return False
    model.to("cpu")
    return True


def _config(recipe: dict[str, Any], truth: np.ndarray) -> dict[str, Any]:
    encoder = load_model(recipe["encoder"], device="cpu").config
    return {
        **recipe["card_texts"],
        "architecture": recipe["architecture"],
        "arguments": {
            "n_labels": len(recipe["labels"]) - 1,
            "encoder": encoder.arguments,
        },
        "grid": {"name": "harps_327680"},
        "recipe": HARPS_RECIPE.to_dict(),
        "outputs": list_outputs(recipe, truth),
    }


def finish_parameters(
    recipe: dict[str, Any],
    model: AlignedParameters,
    *,
    data: str | Path,
    work: str | Path,
    output: str | Path,
) -> Path:
    """Calibrate, evaluate and write the weights of a trained head.

    Parameters
    ----------
    recipe : dict
        The training recipe, with the texts of the card.
    model : AlignedParameters
        Trained.
    data, work, output : path
        Training ingredients, scratch space, and the folder of weights to write.

    Returns
    -------
    Path
        The folder of weights.
    """
    bank = make_star_bank(data, Path(work, "bank"), **recipe["bank"])
    truth = bank_labels(bank)
    truth[:, 0] += recipe["offset"][0]  # velocities count from that of the Sun
    config = _config(recipe, truth)
    n_train = recipe["fit"]["n_train"]
    middle = (n_train + len(bank)) // 2
    for_errors, for_test = np.arange(n_train, middle), np.arange(middle, len(bank))

    draft = save_weights(
        Path(work, "draft"), model, config, dtype="float16", overwrite=True
    )
    loaded = load_model(draft, device="cpu")
    values, error, features = predict_bank(loaded, bank, for_errors, seed=31)
    scale, floor = calibrate_errors(values - truth[for_errors], error)
    config["calibration"] = {"scale": scale.tolist(), "floor": floor.tolist()}
    mean, whitening, limit = describe_domain(features, n_components=24)
    config["domain"] = {"snr": [8.0, 500.0], "feature_limit": limit}

    def save(where: Path) -> Path:
        return save_weights(
            where, model, config, dtype="float16", domain_mean=mean,
            domain_whitening=whitening, tolerance=1e-3, overwrite=True,
        )  # fmt: skip

    final = load_model(save(Path(work, "draft")), device="cpu")
    config["evaluation"] = evaluate_bank(final, bank, for_test, truth, recipe["labels"])
    config["calibration"]["systematic"] = recipe["systematic"]
    return save(Path(output))
