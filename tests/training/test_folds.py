# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Small samples leave each star out once; kinds of stars that are to be flagged."""

import numpy as np
import pytest
from astropy.table import Table

from astro_latent import predict_parameters, train_model
from astro_latent.training.arrays import as_block

from .conftest import FAST, SMALL, make_stars


def train(source, **options):
    return train_model(
        source, ["teff", "logg"], arguments=SMALL, **{**FAST, "epochs": 15, **options}
    )


def test_all_stars_teach_and_all_are_judged_by_networks_that_did_not_see_them(tmp_path):
    stars = make_stars(160)
    stars["source_id"] = np.arange(160) // 2  # two spectra each
    model = train(stars, folds=4, output=tmp_path / "small_v1")
    assert model.config.training["train"] == "80 stars, 160 spectra"
    assert "by 4 trainings" in model.config.training["held out"]
    judged = Table.read(tmp_path / "small_v1/held_out.ecsv")
    assert len(judged) == 160
    own = predict_parameters(list(as_block(stars)), model=model)
    # what taught a network is met more closely than what did not
    seen = np.std(own["teff"].value - stars["teff"])
    assert seen < np.std(judged["teff"] - judged["teff_given"])
    new = make_stars(400, seed=1)
    table = predict_parameters(list(as_block(new)), model=model)
    pull = (table["teff"].value - new["teff"]) / table["teff_error"].value
    # networks of the folds had fewer stars, so the errors are rather too large
    assert 0.6 < np.mean(np.abs(pull) < 1) < 0.95
    pull = (judged["teff"] - judged["teff_given"]) / judged["teff_error"]
    assert 0.58 < np.mean(np.abs(pull) < 1) < 0.78
    assert np.mean(table["domain_score"] > 1) < 0.15
    assert not list((tmp_path / "small_v1.work").glob("run-*"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"folds": 1}, "2 or more"),
        ({"folds": 3, "held_out": 0.2}, "no held_out"),
        ({"false_alarms": 1.5}, "false_alarms is a share"),
        ({"folds": 3, "split": ["train"] * 75 + ["held_out"] * 75}, "no spectrum can"),
    ],
)
def test_what_folds_do_not_go_with(stars, options, words):
    with pytest.raises(ValueError, match=words):
        train(stars, **options)


def test_folds_go_with_spectra_outside(tmp_path):
    stars = make_stars(240)
    hot = stars["teff"] > 5500
    taught = {**stars, "part": np.where(hot, "outside", "train")}
    limits = []
    for false_alarms in (0.04, 0.3):
        model = train(
            taught, split="part", folds=2, false_alarms=false_alarms,
            output=tmp_path / "small_v1", overwrite=True,
        )  # fmt: skip
        limits.append(model.config.domain["feature_limit"])
    assert limits[1] < limits[0]
    assert model.config.training["to be flagged"] == f"{hot.sum()} spectra"
    assert len(Table.read(tmp_path / "small_v1/held_out.ecsv")) == np.sum(~hot)
    new = make_stars(300, seed=1)
    score = predict_parameters(list(as_block(new)), model=model)["domain_score"]
    assert np.mean(score[new["teff"] > 5700] > 1) > 0.6
    assert 0.08 < np.mean(score[new["teff"] < 5400] > 1) < 0.5


def test_spectra_outside_teach_what_to_flag(stars, tmp_path):
    stars = make_stars(400)
    hot = stars["teff"] > 5500
    parts = np.where(np.arange(400) % 4 == 0, "held_out", "train")
    bare, shown = (
        train({**stars, "part": np.where(hot, part, parts)}, split="part", epochs=30)
        for part in ("", "outside")
    )
    assert shown.config.training["to be flagged"] == f"{hot.sum()} spectra"
    assert shown.outputs[0].domain[1] < 5600
    new = make_stars(400, seed=1)
    beyond = new["teff"] > 5700
    found = [
        predict_parameters(list(as_block(new)), model=model)["domain_score"] > 1
        for model in (bare, shown)
    ]
    assert np.mean(found[1][beyond]) > max(0.6, np.mean(found[0][beyond]))
    assert np.mean(found[1][new["teff"] < 5400]) < 0.15
