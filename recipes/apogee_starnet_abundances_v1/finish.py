# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Choose, calibrate, judge and write the abundances of a trained StarNet."""

from pathlib import Path
from typing import Any

import numpy as np

from astro_latent.models import SpectralModel, load_model, save_weights
from astro_latent.models.architectures.starnet import StarNet
from astro_latent.simulation.apogee import ApogeeConditions
from astro_latent.simulation.apogee_synthesis import SynthesisEmulator
from astro_latent.training.calibration import calibrate_errors
from astro_latent.training.domain import collect_features, describe_domain
from astro_latent.training.outputs import describe_outputs, keep_outputs
from recipes.apogee.label_scale import measure_label_scale
from recipes.apogee.stars import CALM, preparation_recipe, training_conditions
from recipes.apogee.training import TrainedStarNet
from recipes.apogee_starnet_abundances_v1.abundances import (
    ABUNDANCE_LABELS,
    clean_spectra,
    draw_abundance_stars,
    synthesis_emulator,
)
from recipes.apogee_starnet_abundances_v1.arcturus import judge_arcturus
from recipes.apogee_starnet_abundances_v1.scores import (
    evaluate_abundances,
    measure_skill,
    observe_stars,
)

__all__ = ["choose_labels", "finish_abundances"]

#: Least skill over scaled solar, in giants or in dwarfs, of an element that is kept.
LEAST_SKILL = 0.2


def choose_labels(skill: dict[str, dict[str, Any]]) -> list[str]:
    """Name the labels that a network can tell.

    Parameters
    ----------
    skill : dict
        From `~recipes.apogee_starnet_abundances_v1.scores.measure_skill`.

    Returns
    -------
    list of str
        Those with a skill of at least `LEAST_SKILL` in giants or in dwarfs, in the
        order of `ABUNDANCE_LABELS`; T_eff, log g and [Fe/H] always.

    Examples
    --------
    >>> from recipes.apogee_starnet_abundances_v1.finish import choose_labels
    >>> choose_labels(
    ...     {
    ...         "giants": {"skill": {"c_h": 0.8, "p_h": 0.1}},
    ...         "dwarfs": {"skill": {"c_h": 0.1, "p_h": 0.0}},
    ...     }
    ... )
    ['teff', 'logg', 'fe_h', 'c_h']
    """
    return [
        name
        for name in ABUNDANCE_LABELS
        if name in ("teff", "logg", "fe_h")
        or any(kind["skill"].get(name, 0.0) >= LEAST_SKILL for kind in skill.values())
    ]


def _keep(trained: TrainedStarNet, columns: list[int]) -> TrainedStarNet:
    """Leave outputs away."""
    smaller = StarNet(
        n_pixels=trained.model.n_pixels, n_labels=len(columns), heteroscedastic=True
    )
    model = keep_outputs(trained.model, smaller, columns)
    return TrainedStarNet(
        model, trained.offset[columns], trained.scale[columns], trained.step
    )


def _config(
    recipe: dict[str, Any], trained: TrainedStarNet, kept: list[str], box: np.ndarray
) -> dict[str, Any]:
    card = dict(recipe["card_texts"]["card"])
    left_out = [name for name in ABUNDANCE_LABELS if name not in kept]
    card["limitations"] += (
        f" Left out because on held-out synthetic stars at S/N 100 the scatter was not "
        f"{LEAST_SKILL:.0%} below that of scaled solar plus alpha, in giants or in "
        f"dwarfs: {', '.join(left_out) or 'none'}."
    )
    return {
        **recipe["card_texts"],
        "card": card,
        "architecture": "starnet",
        "arguments": {**recipe["arguments"], "n_labels": len(kept)},
        "grid": {"name": "apogee_7214"},
        "recipe": preparation_recipe(),
        "outputs": describe_outputs(kept, trained.offset, trained.scale, box),
    }


def _save(
    where: Path, network: TrainedStarNet, config: dict[str, Any], **domain: np.ndarray
) -> SpectralModel:
    save_weights(
        where, network.model, config, dtype="float16", overwrite=True, **domain
    )
    return load_model(where, device="cpu")


def _measure_skill(
    model: SpectralModel, data: Path, synthesis: SynthesisEmulator, n_spectra: int
) -> dict[str, Any]:
    """Measure skill on stars of their own, on which alone the outputs are chosen."""
    stars = draw_abundance_stars(data, n_spectra, seed=700_000)
    clean = clean_spectra(stars, data, synthesis=synthesis)
    prepared = observe_stars(clean, model, seed=700_001, snr=100.0, conditions=CALM)
    values = model.predict(prepared, flux_errors=False).values
    return measure_skill(values, stars.labels)


def _calibrate(
    model: SpectralModel,
    data: Path,
    synthesis: SynthesisEmulator,
    n_spectra: int,
    conditions: ApogeeConditions,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, np.ndarray]]:
    """Fit errors and domain to held-out stars: two sections and the domain's arrays."""
    columns = [ABUNDANCE_LABELS.index(output.name) for output in model.outputs]
    stars = draw_abundance_stars(data, n_spectra, seed=800_000)
    clean = clean_spectra(stars, data, synthesis=synthesis)
    held_out = observe_stars(clean, model, seed=800_001, conditions=conditions)
    result = model.predict(held_out)
    residual = result.values - stars.labels[:, columns]
    factor, floor = calibrate_errors(residual, result.error)
    mean, whitening, limit = describe_domain(collect_features(model, held_out))
    systematic, _ = measure_label_scale(model, data)
    calibration = {
        "scale": factor.tolist(),
        "floor": floor.tolist(),
        "systematic": systematic.tolist(),
    }
    section = {"snr": [10.0, 300.0], "feature_limit": limit}
    arrays = {"domain_mean": mean, "domain_whitening": whitening}
    return calibration, section, arrays


def finish_abundances(
    recipe: dict[str, Any],
    trained: TrainedStarNet,
    *,
    data: str | Path,
    work: str | Path,
    output: str | Path,
) -> Path:
    """Choose the outputs on synthetic stars, calibrate, evaluate and write weights.

    Parameters
    ----------
    recipe : dict
        The training recipe, with the texts of the card.
    trained : TrainedStarNet
        From `~recipes.apogee_starnet_abundances_v1.train.train_abundances`.
    data, work, output : path
        Training ingredients, scratch space, and the folder of weights to write.

    Returns
    -------
    Path
        The folder of weights.
    """
    data, draft = Path(data), Path(work, "draft")
    sizes = {"choose": 2000, "calibrate": 1500, "judge": 1500} | recipe.get("judge", {})
    synthesis = synthesis_emulator(data)
    labels = draw_abundance_stars(data, 4000, seed=recipe["seed"]).labels
    box = np.quantile(labels, [0.0, 1.0], axis=0).T

    everything = _config(recipe, trained, list(ABUNDANCE_LABELS), box)
    loaded = _save(draft, trained, everything)
    skill = _measure_skill(loaded, data, synthesis, sizes["choose"])
    kept = choose_labels(skill)
    columns = [ABUNDANCE_LABELS.index(name) for name in kept]
    network = _keep(trained, columns)
    config = _config(recipe, network, kept, box[columns])
    loaded = _save(draft, network, config)

    # All that real spectra may have: the errors must allow for it.
    conditions = training_conditions(recipe, recipe["fit"]["n_steps"])
    config["calibration"], config["domain"], domain = _calibrate(
        loaded, data, synthesis, sizes["calibrate"], conditions
    )
    final = _save(draft, network, config, **domain)
    config["evaluation"] = {
        "choice_of_outputs_snr_100": {**skill, "seed": 700_000},
        **evaluate_abundances(
            final, data, synthesis=synthesis, conditions=conditions,
            n_spectra=sizes["judge"],
        ),
        "other_models_snr_100": measure_label_scale(final, data, seed=910_003)[1],
        "arcturus": judge_arcturus(final, data / "apogee/atlases/arct.20190830.txt"),
    }  # fmt: skip
    _save(Path(output), network, config, **domain)
    return Path(output)
