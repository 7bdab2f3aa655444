# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Choose, calibrate, judge and write the abundances of a trained StarNet."""

from pathlib import Path
from typing import Any

import numpy as np

from astro_latent.models import SpectralModel, load_model, save_weights
from astro_latent.models.architectures.starnet import StarNet
from astro_latent.simulation.apogee_synthesis import SynthesisEmulator
from astro_latent.training.calibration import calibrate_errors
from astro_latent.training.domain import describe_domain
from recipes.apogee_starnet_abundances_v1.abundances import (
    ABUNDANCE_LABELS,
    clean_spectra,
    draw_abundance_stars,
    synthesis_emulator,
)
from recipes.apogee_starnet_abundances_v1.abundances_scores import (
    abundance_skill,
    evaluate_abundances,
    observe_stars,
)
from recipes.apogee_starnet_abundances_v1.arcturus import judge_arcturus
from recipes.apogee_starnet_v1.finish import CALM, _features, _outputs, starnet_recipe
from recipes.apogee_starnet_v1.label_scale import label_scale
from recipes.apogee_starnet_v1.starnet import TrainedStarNet, training_conditions

__all__ = ["finish_abundances", "keep_outputs", "labels_with_skill"]

#: Least skill over scaled solar, in giants or in dwarfs, of an element that is kept.
LEAST_SKILL = 0.2


def labels_with_skill(skill: dict[str, dict[str, Any]]) -> list[str]:
    """Name the labels that a network can tell.

    Parameters
    ----------
    skill : dict
        From `~recipes.apogee_starnet_abundances_v1.abundances_scores.abundance_skill`.

    Returns
    -------
    list of str
        Those with a skill of at least `LEAST_SKILL` in giants or in dwarfs, in the
        order of `ABUNDANCE_LABELS`; T_eff, log g and [Fe/H] always.

    Examples
    --------
    >>> from recipes.apogee_starnet_abundances_v1.finish import labels_with_skill
    >>> labels_with_skill(
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


def keep_outputs(trained: TrainedStarNet, columns: list[int]) -> TrainedStarNet:
    """Leave outputs away.

    Parameters
    ----------
    trained : TrainedStarNet
        A network with a predicted variance.
    columns : list of int
        Outputs to keep.

    Returns
    -------
    TrainedStarNet
        The same network with fewer outputs.
    """
    state = dict(trained.model.state_dict())
    for layer in ("output", "log_variance"):
        for part in ("weight", "bias"):
            state[f"{layer}.{part}"] = state[f"{layer}.{part}"][columns]
    model = StarNet(
        n_pixels=trained.model.n_pixels, n_labels=len(columns), heteroscedastic=True
    )
    model.load_state_dict(state)
    return TrainedStarNet(
        model.eval(), trained.offset[columns], trained.scale[columns], trained.step
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
        "recipe": starnet_recipe(),
        "outputs": _outputs(
            {"labels": kept}, trained.offset, trained.scale, box.tolist()
        ),
    }


def _skill(
    model: SpectralModel, data: Path, synthesis: SynthesisEmulator, n_spectra: int
) -> dict[str, Any]:
    """Skill on stars of their own, on which alone the outputs are chosen."""
    stars = draw_abundance_stars(data, n_spectra, seed=700_000)
    clean = clean_spectra(stars, data, synthesis=synthesis)
    prepared = observe_stars(clean, model, seed=700_001, snr=100.0, conditions=CALM)
    values = model.predict(prepared, flux_errors=False).values
    return abundance_skill(values, stars.labels)


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
    sizes = {
        "choose": 2000,
        "calibrate": 1500,
        "judge": 1500,
        **recipe.get("judge", {}),
    }
    synthesis = synthesis_emulator(data)
    labels = draw_abundance_stars(data, 4000, seed=recipe["seed"]).labels
    box = np.quantile(labels, [0.0, 1.0], axis=0).T

    def save(
        where: Path, network: TrainedStarNet, config: dict[str, Any], **domain: Any
    ) -> SpectralModel:
        save_weights(
            where, network.model, config, dtype="float16", overwrite=True, **domain
        )
        return load_model(where, device="cpu")

    everything = _config(recipe, trained, list(ABUNDANCE_LABELS), box)
    chosen = _skill(save(draft, trained, everything), data, synthesis, sizes["choose"])
    kept = labels_with_skill(chosen)
    columns = [ABUNDANCE_LABELS.index(name) for name in kept]
    network = keep_outputs(trained, columns)
    config = _config(recipe, network, kept, box[columns])
    loaded = save(draft, network, config)

    # All that real spectra may have: the errors must allow for it.
    conditions = training_conditions(recipe, recipe["fit"]["n_steps"])
    stars = draw_abundance_stars(data, sizes["calibrate"], seed=800_000)
    clean = clean_spectra(stars, data, synthesis=synthesis)
    held_out = observe_stars(clean, loaded, seed=800_001, conditions=conditions)
    result = loaded.predict(held_out)
    factor, floor = calibrate_errors(
        result.values - stars.labels[:, columns], result.error
    )
    mean, whitening, limit = describe_domain(_features(loaded, held_out))
    systematic, _ = label_scale(loaded, data)
    config["calibration"] = {
        "scale": factor.tolist(),
        "floor": floor.tolist(),
        "systematic": systematic.tolist(),
    }
    config["domain"] = {"snr": [10.0, 300.0], "feature_limit": limit}
    domain = {"domain_mean": mean, "domain_whitening": whitening}

    final = save(draft, network, config, **domain)
    config["evaluation"] = {
        "choice_of_outputs_snr_100": {**chosen, "seed": 700_000},
        **evaluate_abundances(
            final, data, synthesis=synthesis, conditions=conditions,
            n_spectra=sizes["judge"],
        ),
        "other_models_snr_100": label_scale(final, data, seed=910_003)[1],
        "arcturus": judge_arcturus(final, data / "apogee/atlases/arct.20190830.txt"),
    }  # fmt: skip
    save(Path(output), network, config, **domain)
    return Path(output)
