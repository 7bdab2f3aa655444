# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A training that begins with released weights."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from astro_latent.exceptions import WeightsError
from astro_latent.models.architectures.starnet import StarNet
from astro_latent.models.saving import save_weights
from astro_latent.training.start import fine_tuning_recipe, start_from
from recipes import __main__ as command
from recipes.apogee import training

ARGUMENTS = {"n_pixels": 64, "n_labels": 1, "n_hidden": [8, 4], "heteroscedastic": True}


def weights(folder, *, members=1, **changes):
    torch.manual_seed(members)
    networks = [StarNet(**{**ARGUMENTS, **changes}) for _ in range(members)]
    config = {
        "name": "start", "version": "1", "title": "t", "description": "d",
        "survey": "none", "architecture": "starnet",
        "arguments": {**ARGUMENTS, **changes},
        "grid": {
            "name": "small", "start": 15_000.0, "step": 1.0, "n_pixels": 64,
            "spacing": "linear", "medium": "vacuum", "frame": "rest",
            "segments": [[0, 64]], "resolving_power": 22_500.0,
        },
        "recipe": {"steps": [{"step": "resample"}]},
        "outputs": [{"name": "teff", "unit": "K", "offset": 5000.0, "scale": 400.0}],
        "licence": "BSD-3-Clause", "citation": "none",
    }  # fmt: skip
    save_weights(folder, networks, config)
    return networks[0]


def test_the_network_becomes_that_of_the_folder(tmp_path):
    released = weights(tmp_path / "w")
    torch.manual_seed(99)
    fresh = StarNet(**ARGUMENTS)
    loaded = start_from(fresh, tmp_path / "w")
    flux = torch.rand(3, 64)
    torch.testing.assert_close(fresh(flux), released(flux), rtol=0, atol=0)
    assert (loaded.offsets.item(), loaded.scales.item()) == (5000.0, 400.0)
    assert all(parameter.requires_grad for parameter in fresh.parameters())


def test_another_network_or_an_ensemble_is_refused(tmp_path):
    weights(tmp_path / "w")
    with pytest.raises(WeightsError, match=r"differing tensors: dense\.1"):
        start_from(StarNet(**{**ARGUMENTS, "n_hidden": [8, 5]}), tmp_path / "w")
    weights(tmp_path / "two", members=2)
    with pytest.raises(WeightsError, match=r"holds 2 network\(s\)"):
        start_from(StarNet(**ARGUMENTS), tmp_path / "two")


def test_outputs_that_the_weights_lack_begin_at_the_mean(tmp_path):
    released = weights(tmp_path / "w")
    torch.manual_seed(99)
    wider = StarNet(**{**ARGUMENTS, "n_labels": 2})
    start_from(wider, tmp_path / "w", labels=["logg", "teff"])
    flux = torch.rand(3, 64)
    for ours, theirs in zip(wider(flux), released(flux), strict=True):
        torch.testing.assert_close(ours[:, 1:], theirs)
        assert (ours[:, 0] == 0).all()


def test_fine_tuning_changes_what_it_names_and_nothing_else():
    folder = Path(command.__file__).parent / "apogee_starnet_v1"
    recipe = tomllib.loads((folder / "recipe.toml").read_text(encoding="utf-8"))
    tuned = fine_tuning_recipe(recipe)
    assert tuned["fit"]["seed"] != recipe["seed"]  # other stars
    assert tuned["fit"]["batch_size"] == recipe["fit"]["batch_size"]
    assert "fine_tune" not in tuned
    assert recipe["fit"]["n_steps"] != tuned["fit"]["n_steps"]


def test_the_command_hands_the_folder_to_the_training(tmp_path, monkeypatch):
    seen = {}

    def train(recipe, **options):
        seen.update(options, n_steps=recipe["fit"]["n_steps"])
        return training.TrainedStarNet(None, np.zeros(1), np.ones(1), step=0)

    monkeypatch.setattr(training, "train_starnet", train)
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        'made_by = "apogee_starnet_v1"\n[fit]\nn_steps = 9\n[fine_tune]\nn_steps = 4\n'
    )
    common = [str(recipe), "--data", str(tmp_path), "--work", str(tmp_path)]
    assert command.main([*common, "--from-weights", "some/folder"]) == 3
    assert (seen["from_weights"], seen["n_steps"]) == ("some/folder", 4)
    assert command.main(common) == 3
    assert (seen["from_weights"], seen["n_steps"]) == (None, 9)
