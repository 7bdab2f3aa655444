# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A recipe is data that is checked before it is used."""

import inspect
import json
import pickle

import pytest

from astro_latent.exceptions import UnknownNameError
from astro_latent.preparation import (
    APOGEE_CHEBYSHEV_RECIPE,
    APOGEE_RECIPE,
    HARPS_RECIPE,
    Recipe,
    Step,
)
from astro_latent.preparation.recipe import STAGES, STEPS


@pytest.mark.parametrize(
    "recipe", [HARPS_RECIPE, APOGEE_RECIPE, APOGEE_CHEBYSHEV_RECIPE]
)
def test_json_and_back(recipe):
    text = json.dumps(recipe.to_dict())
    assert Recipe.from_dict(json.loads(text)) == recipe
    assert pickle.loads(pickle.dumps(recipe)) == recipe
    assert hash(pickle.loads(pickle.dumps(recipe))) == hash(recipe)


def test_recipe_cannot_be_changed():
    with pytest.raises(TypeError, match="item assignment"):
        HARPS_RECIPE.steps[3].parameters["method"] = "flux_conserving"


def test_defaults_do_not_leak_into_the_record():
    recipe = Recipe((Step("resample"),))
    assert recipe.to_dict() == {"steps": [{"step": "resample"}]}
    assert recipe.steps[0]["method"] == "linear"


def test_unknown_step_names_the_near_one():
    with pytest.raises(UnknownNameError, match=r"'resampel'.*'resample'"):
        Recipe.from_dict({"steps": [{"step": "resampel"}]})


def test_unknown_parameter_is_named():
    with pytest.raises(UnknownNameError, match=r"'metod'.*'method'"):
        Step("resample", {"metod": "linear"})


def test_value_outside_the_choices():
    with pytest.raises(ValueError, match="'cubic'"):
        Step("resample", {"method": "cubic"})


def test_order_and_number_of_steps():
    late = {"steps": [{"step": "resample"}, {"step": "shift_frame"}]}
    with pytest.raises(ValueError, match="'shift_frame' comes too late"):
        Recipe.from_dict(late)
    with pytest.raises(ValueError, match="exactly one step 'resample'"):
        Recipe.from_dict({"steps": [{"step": "clip"}]})


def test_malformed_records():
    with pytest.raises(ValueError, match="stepps"):
        Recipe.from_dict({"stepps": []})
    with pytest.raises(ValueError, match="key 'step'"):
        Recipe.from_dict({"steps": ["resample"]})


def test_requirements_are_checked():
    steps = (Step("resample"),)
    with pytest.raises(UnknownNameError, match="min_cover"):
        Recipe(steps, {"min_cover": 0.3})
    with pytest.raises(ValueError, match="not 3"):
        Recipe(steps, {"min_overlap": 3})
    with pytest.raises(ValueError, match="not 'flat'"):
        Recipe(steps, {"normalisation": "flat"})


@pytest.mark.parametrize("name", STEPS)
def test_every_step_of_the_table_exists(name):
    kind = STEPS[name]
    assert kind.stage in STAGES
    assert "settings" in inspect.signature(kind.function).parameters
    assert set(kind.choices) <= set(kind.defaults)
