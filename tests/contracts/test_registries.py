# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Every name in a table of names leads somewhere; a wrong one says which are near."""

import inspect

import numpy as np
import pytest

from astro_latent import get_survey, load_model
from astro_latent.archives import Survey
from astro_latent.exceptions import UnknownNameError
from astro_latent.models import ARCHITECTURES
from astro_latent.preparation import GRIDS, Recipe, get_grid
from astro_latent.preparation.recipe import STAGES, STEPS
from astro_latent.spectra import (
    EXAMPLE_FORMATS,
    FORMATS,
    identify_format,
    read_arrays,
    write_example,
)
from astro_latent.spectra.formats import open_file
from astro_latent.surveys import SURVEYS
from astro_latent.utils import registry
from astro_latent.utils.registry import LazyRegistry


@pytest.mark.parametrize("name", list(SURVEYS))
def test_survey_states_its_facts(name):
    survey = SURVEYS[name]
    assert issubclass(survey, Survey)
    assert survey.name == name
    assert survey.title
    assert survey.medium in ("air", "vacuum", "unknown")
    low, high = survey.wavelength_range
    assert np.isnan(low) or low < high
    for verb in ("query_object", "query_region", "fetch"):
        assert inspect.getdoc(getattr(survey, verb))


@pytest.mark.parametrize("name", list(FORMATS))
def test_format_can_identify_and_read(name):
    kind = FORMATS[name]
    assert kind.name == name
    assert callable(kind.identify)
    assert callable(kind.read)


LOGARITHMIC = ("apstar", "aspcapstar", "lamost_lrs", "sdss_spec", "sdss_spspec")
SINGLE = ("sdss_spec",)  # log10 of the wavelength as float32


@pytest.mark.parametrize("name", EXAMPLE_FORMATS)
def test_written_example_is_told_by_its_own_format(tmp_path, name):
    space = np.geomspace if name in LOGARITHMIC else np.linspace
    wavelength = space(15100.0, 17000.0, 3000)
    flux = np.full(wavelength.size, 100.0, "f4")
    path = write_example(name, tmp_path / "example.fits", wavelength, flux)
    assert identify_format(open_file(path)) == name
    (arrays,) = read_arrays(path)
    tolerance = 1e-6 if name in SINGLE else 1e-7
    np.testing.assert_allclose(arrays.wavelength, wavelength, rtol=tolerance)


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_architecture_is_a_network(name):
    from torch import nn

    network = ARCHITECTURES[name]
    assert issubclass(network, nn.Module)
    parameters = inspect.signature(network).parameters.values()
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters)
    assert all(p.default is not p.empty for p in parameters)


@pytest.mark.parametrize("name", list(GRIDS))
def test_grid_is_sound(name):
    grid = get_grid(name)
    assert grid.name == name
    assert grid.wavelength.shape == grid.valid.shape == (grid.n_pixels,)
    assert np.all(np.diff(grid.wavelength) > 0)
    assert type(grid).from_dict(grid.to_dict()) == grid


@pytest.mark.parametrize("name", list(STEPS))
def test_step_can_stand_in_a_recipe(name):
    steps = [{"step": name}]
    if name != "resample":
        first = STAGES.index(STEPS[name].stage) < STAGES.index("resample")
        steps.insert(1 if first else 0, {"step": "resample"})
    recipe = Recipe.from_dict({"steps": steps})
    assert Recipe.from_dict(recipe.to_dict()) == recipe


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            lambda: get_survey("harp"),
            "no survey is called 'harp'. Did you mean",
        ),
        (lambda: FORMATS["apstat"], "Did you mean .*'apstar'"),
        (lambda: ARCHITECTURES["starnett"], "Did you mean 'starnet'"),
        (lambda: get_grid("apogee_7215"), "Did you mean 'apogee_7214'"),
        (lambda: load_model("no such"), "no model is called 'no such'"),
        (
            lambda: Recipe.from_dict({"steps": [{"step": "resampel"}]}),
            "Did you mean 'resample'",
        ),
    ],
)
def test_unknown_name_lists_the_near_ones(ask, message):
    with pytest.raises(UnknownNameError, match=message):
        ask()


def test_a_taken_name_is_not_replaced():
    table = LazyRegistry("thing", {"path": "pathlib:Path"})
    with pytest.raises(ValueError, match="'path' is already registered"):
        table.register("path", "os:path")
    table.register("join", "os.path:join")
    assert sorted(table) == ["join", "path"]
    assert table["path"].__name__ == "Path"


def test_distributions_are_looked_through_once_for_all_tables(monkeypatch):
    looked, seen = [], registry.entry_points
    monkeypatch.setattr(registry, "entry_points", lambda: looked.append(1) or seen())
    registry._find_points.cache_clear()
    for group in ("astro_latent.surveys", "astro_latent.models"):
        assert len(LazyRegistry("thing", {"path": "pathlib:Path"}, group=group)) >= 1
    assert looked == [1]
