# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""search_hyperparameters on toy stars: what is found, stopped, resumed, refused."""

import gc
import json
import sqlite3

import numpy as np
import pytest

from astro_latent import search_hyperparameters, train_model
from astro_latent.exceptions import UnknownNameError
from astro_latent.models.architectures.starnet import StarNet
from astro_latent.plotting import plot_importances, plot_search
from astro_latent.training import default_space, study
from astro_latent.training.search_space import check_space

from .conftest import make_stars

#: A rate that learns nothing, and one that does; and an element of a sequence.
SPACE = {
    "learning_rate": [1e-7, 1e-2],
    "n_hidden[1]": {"low": 4, "high": 8},
}
SMALL = {
    "arguments": {"n_filters": [2, 4], "n_hidden": [16, 8]},
    "epochs": 3, "batch_size": 32, "average": 0.9,
}  # fmt: skip


def search(output, stars=None, **options):
    stars = make_stars(150) if stars is None else stars
    return search_hyperparameters(
        stars, ["teff", "logg"], output=output,
        **{"space": SPACE, "n_trials": 6, **SMALL, **options},
    )  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search") / "study"
    return search(folder, n_trials=6, prune=False)


def test_the_rate_that_learns_wins_and_matters_most(found):
    assert found.settings["learning_rate"] == 1e-2
    assert found.importances["name"][0] == "learning_rate"
    assert found.importances["importance"].sum() == pytest.approx(1.0)
    complete = found.trials[found.trials["state"] == "complete"]
    best = complete[np.argmin(complete["loss"])]
    assert found.loss == best["loss"] < complete["loss"].max()
    assert best["learning_rate"] == 1e-2
    assert len(complete) == 6
    assert np.all(complete["epochs"] == 3)


def test_train_takes_what_was_found(found, tmp_path):
    stars = make_stars(150)
    settings = json.loads((found.output / "settings.json").read_text())
    assert settings == found.settings
    model = train_model(stars, ["teff", "logg"], **settings)
    assert model.config.architecture == "starnet"
    hidden = settings["arguments"]["n_hidden"]
    assert hidden[0] == 16
    assert hidden[1] in range(4, 9)
    assert [layer.out_features for layer in model.members[0].dense] == hidden
    assert model.config.training["fit"]["learning_rate"] == 1e-2


def test_a_search_goes_on_and_only_answers_its_own_question(tmp_path):
    first = search(tmp_path, n_trials=2)
    again = search(tmp_path, n_trials=4)
    assert len(first.trials) == 2
    assert again.trials["loss"][:2].tolist() == first.trials["loss"].tolist()
    assert len(again.trials) == 4
    with pytest.raises(ValueError, match="is a search with other space"):
        search(tmp_path, space={"dropout": [0.0]})
    with pytest.raises(ValueError, match="is a search with other spectra"):
        search(tmp_path, stars=make_stars(100))


def test_a_killed_trial_fails_and_is_made_up_for(tmp_path, monkeypatch):
    attempt = study.Study.attempt

    def die(self, trial):
        trial.suggest_int("n_hidden[1]", 4, 8)
        raise KeyboardInterrupt

    monkeypatch.setattr(study.Study, "attempt", die)
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, n_trials=2)
    monkeypatch.setattr(study.Study, "attempt", attempt)
    found = search(tmp_path, n_trials=2)
    assert found.trials["state"].tolist().count("complete") == 2
    assert not list((tmp_path / "work").glob("trial-*"))
    with sqlite3.connect(tmp_path / "study.db") as database:
        assert database.execute("select count(*) from trials").fetchone() == (3,)


def test_a_network_that_cannot_be_built_is_a_failed_trial(tmp_path):
    space = {"pool_length": [4, 4000], "learning_rate": [1e-2]}
    found = search(tmp_path, space=space, n_trials=2, sampler="random")
    failed = found.trials["state"] == "fail"
    assert np.all(found.trials["pool_length"][failed] == 4000)
    assert np.all(found.trials["pool_length"][~failed] == 4)
    assert np.count_nonzero(~failed) == 2


def test_two_processes_share_the_trials(tmp_path):
    found = search(tmp_path, n_trials=2, processes=2, epochs=1)
    assert 2 <= np.count_nonzero(found.trials["state"] == "complete") <= 3


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"space": {"learning_rat": [1.0]}}, UnknownNameError, "learning_rate"),
        ({"space": {"dropout": {"low": 1.0, "high": 0.0}}}, ValueError, "as a list"),
        ({"space": {"dropout": {"low": 0.0, "high": 1.0, "log": True}}}, ValueError,
         "as a list"),
        ({"space": {"schedule": "cosine"}}, ValueError, "as a list"),
        ({"space": {"n_hidden[2]": [8]}}, ValueError, r"no n_hidden\[2\]"),
        ({"space": {"dropout[0]": [0.1]}}, ValueError, r"no dropout\[0\]"),
        ({"space": {}}, ValueError, "is empty"),
        ({"sampler": "grid"}, ValueError, "tpe, random"),
        ({"n_trials": 0}, ValueError, "n_trials must be 1"),
        ({"validation": 0.0}, ValueError, "needs validation stars"),
        ({"architecture": "starne"}, UnknownNameError, "starnet"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_refused_before_any_work(
    change, error, words, tmp_path
):
    with pytest.raises(error, match=words):
        search(tmp_path, **change)
    assert not (tmp_path / "study.db").exists()


@pytest.mark.parametrize("name", ["starnet", "residual_mlp", "deep_nn"])
def test_default_spaces_are_of_arguments_that_exist(name):
    check_space(default_space(name), name)
    assert len(default_space("starnet")) == 13


def test_pictures_show_every_trial(found):
    ax = plot_search(found.trials)
    drawn = sum(
        len(line.get_xdata()) for line in ax.lines if line.get_marker() != "None"
    )
    assert drawn == len(found.trials)
    best = ax.lines[-1].get_ydata()
    assert np.all(np.diff(best) <= 0)
    assert best[-1] == found.loss
    bars = plot_importances(found.importances)
    assert bars.patches[-1].get_width() == found.importances["importance"].max()
    with pytest.raises(ValueError, match="no trial"):
        plot_search(found.trials[:0])
    with pytest.raises(ValueError, match="five complete trials"):
        plot_importances(found.importances[:0])


def test_networks_of_ended_trials_are_let_go(tmp_path, monkeypatch):
    """The collector of Python does not see how large a network is, and comes late."""
    alive = []

    def count(trial, name, values):
        if name == "learning_rate":
            known = [o for o in gc.get_objects() if type(o) is StarNet]
            alive.append(len(known))
        return suggest(trial, name, values)

    suggest = study._suggest
    monkeypatch.setattr(study, "_suggest", count)
    gc.collect()
    gc.disable()
    try:
        search(tmp_path, n_trials=4, prune=False)
    finally:
        gc.enable()
    assert len(alive) == 4
    assert max(alive) - alive[0] == 0
