# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How harps_parameters_v2 is made: stars at rest, wrong lines, and where to stop."""

import numpy as np
import pytest
import torch

from astro_latent.models.architectures.aligned_ensemble import AlignedEnsemble
from recipes.harps_parameters_v2 import components, heads, library
from recipes.options import Options
from recipes.reading import read_recipe

N_STARS = 24


@pytest.fixture(scope="module")
def made(real_data, tmp_path_factory):
    """Components of a few stars, and what heads are trained on."""
    recipe = read_recipe("harps_parameters_v2")
    recipe["stars"] = {"n_spectra": N_STARS, "seed": 4}
    recipe["fit"] |= {"n_components": N_STARS, "stops": [3, 6], "batch_size": 8}
    recipe["arguments"] = {
        "n_labels": 4,
        "n_components": 6,
        "n_heads": 2,
        "n_hidden": 8,
    }
    work = tmp_path_factory.mktemp("ensemble")
    options = Options(data=real_data, work=work, output=work / "weights")
    torch.manual_seed(recipe["seed"])
    model = AlignedEnsemble(**recipe["arguments"]).eval()
    stars = library.draw_stars(real_data, **recipe["stars"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library, "PART", 16)
        components.set_templates(model, recipe["encoder"], real_data)
        late = Options(data=real_data, work=work, output=work, stop_after=-1.0)
        assert not library.simulate_rest(model, stars, late)
        assert library.simulate_rest(model, stars, options)
        sample = components.find_components(model, stars, recipe, options)
    return recipe, model, sample, stars, options


def test_components_are_orthonormal_and_coefficients_are_those_of_the_lines(made):
    _, model, sample, stars, options = made
    weighted = model.basis * model.weight
    torch.testing.assert_close(weighted @ weighted.T, torch.eye(6), atol=5e-3, rtol=0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library, "PART", 16)
        lines = library.read_rest(options.work, N_STARS).astype(np.float32)
    rebuilt = model.mean + sample.coefficients @ model.basis
    counted = (model.weight > 0.5).numpy()
    left = (lines - rebuilt.numpy())[:, counted].std()
    assert left < 0.4 * (lines - model.mean.numpy())[:, counted].std()
    place = components.wavelengths(model)
    assert float(model.weight[(place > 5890) & (place < 5900)].max()) == 0.0
    h_alpha = lines[:, np.argmin(np.abs(place - 6562.8 - 8.0))]  # 8 Angstrom off
    hot = stars.labels[:, 0] > np.median(stars.labels[:, 0])
    assert h_alpha[hot].mean() < h_alpha[~hot].mean() - 0.005  # wings are there


def test_errors_that_heads_see_have_the_size_that_the_recipe_says(made):
    _, model, sample, _, _ = made
    zero = {"noise": [1e-9, 1e-9], "lines": [1e-9, 1e-9], "shape": [1e-9, 1e-9]}
    rows = torch.zeros(4000, dtype=torch.int64)
    for name, level in (("noise", 0.02), ("lines", 0.1), ("shape", 0.01)):
        errors = {**zero, name: [level, level], "cuts": []}
        seen = heads.SeenErrors(model, sample, errors).draw(
            rows, torch.Generator().manual_seed(3)
        )
        off = seen[:, :-1] * model.star_scale - sample.coefficients[0]
        unit = {
            "noise": torch.ones(6),
            "lines": sample.wrong_lines[0].square().mean(0).sqrt(),
            "shape": sample.wrong_shapes.square().mean(0).sqrt(),
        }[name]
        ratio = off.square().mean(0).sqrt() / (level * unit)
        torch.testing.assert_close(ratio, torch.ones(6), atol=0.1, rtol=0.0)


def test_heads_stop_at_a_step_and_the_sun_is_the_zero(made, monkeypatch):
    recipe, model, sample, _, options = made
    monkeypatch.setattr(heads, "_HELD", 4)
    late = Options(
        data=options.data, work=options.work, output=options.work, stop_after=-1.0
    )
    assert heads.train_heads(model, sample, recipe, late) is None
    chosen = heads.train_heads(model, sample, recipe, options)
    assert chosen["step"] in recipe["fit"]["stops"]
    assert len(chosen["left out"]) == 4
    again = heads.train_heads(model, sample, recipe, late)  # all heads are kept
    assert again == chosen
    sun = recipe["stars_known"][0]
    seen = heads.real_features(model, options.data, sun)
    with torch.no_grad():
        values = (model.each_head(seen)[0].mean(0) + model.zero)[0, :3].numpy()
    values = values * recipe["scale"][1:4] + recipe["offset"][1:4]
    assert np.all(np.abs(values - sun["labels"]) < [0.5, 1e-3, 1e-3])


def test_a_star_that_is_left_out_does_not_choose():
    found = {
        10: np.array([[0.0, 0.0, 0.0], [140.0, 0.0, 0.0]]),
        20: np.array([[70.0, 0.0, 0.0], [7.0, 0.0, 0.0]]),
    }
    left = heads.leave_one_out(found, ["one", "other"], [70.0, 0.2, 0.08])
    assert left == {"one": [70.0, 0.0, 0.0], "other": [140.0, 0.0, 0.0]}
