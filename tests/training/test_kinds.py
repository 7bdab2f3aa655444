# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A list where a mapping belongs is refused by name, before spectra are prepared."""

import numpy as np
import pytest
from astropy.table import Table

from astro_latent import (
    evaluate_model,
    get_survey,
    load_model,
    predict_parameters,
    train_model,
)
from astro_latent.exceptions import SpectrumReadError, UnknownNameError
from astro_latent.training import (
    compare_labels,
    evaluate_missing,
    search_hyperparameters,
    train_several,
)
from astro_latent.training.kinds import check_kinds

from .conftest import FAST, SMALL, make_stars

STARS = make_stars(12)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("labels", {"teff": STARS["teff"]}, "names of columns.*not the dict"),
        ("labels", STARS["teff"], "names of columns.*not the ndarray"),
        ("labels", [3], r"names of columns.*not the list \[3\]"),
        ("table", {"teff": [1.0]}, r"astropy Table: Table\(\.\.\.\) makes one"),
        ("table", "stars.csv", r"Table\.read.*'stars.csv'"),
        ("facts", ["rest"], r"such as \{'frame': 'rest'\}, not the list \['rest'\]"),
        ("about", "mine", "mapping.*not the str 'mine'"),
        ("limits", [4000, 7000], "mapping such as.*teff"),
        ("arguments", ["views"], "mapping such as.*n_hidden"),
        ("augment", "noise", r"\{'noise': 1\}"),
        ("split", 0.2, "part for each spectrum, not the float"),
        ("star", ["source_id"], "a name, not the list"),
        ("radial_velocity", {"v": 1.0}, "km/s"),
        ("grid", STARS["wavelength_vacuum"], "SpectralGrid or the name of one"),
        ("members", "2", "a whole number, not the str"),
        ("members", True, "a whole number, not the bool"),
        ("folds", 2.5, "a whole number, not the float 2.5"),
        ("seed", -1, "a whole number from 0 on"),
        ("held_out", "0.2", "a number, not the str"),
        ("from_weights", 3, "name or folder of one"),
        ("output", 3, "a path"),
    ],
)
def test_arguments_of_another_kind_are_refused(name, value, wanted):
    given = {"labels": ["teff"], **FAST, name: value}
    with pytest.raises(TypeError, match=f"{name} must be .*{wanted}"):
        train_model(STARS, **given)
    if name in ("star", "labels", "split", "augment"):
        own = {"spectra": STARS, "labels": ["teff"], name: value}
        with pytest.raises(TypeError, match=f"survey 'one': {name} must be"):
            train_several({"one": own})


def test_what_would_fail_after_the_training_fails_before(tmp_path):
    for wrong, said in (
        ({"dtype": "float64"}, "float32, float16, not 'float64'"),
        ({"about": {"title": 3}}, r"about\['title'\] must be text, not 3"),
        ({"limits": {"teff": 4000}}, r"limits\['teff'\] must be a lowest and a high"),
        ({"limits": {"teff": (6000, 4000)}}, r"not \(6000, 4000\)"),
        ({"limits": {"teff": (None, "a")}}, "a lowest and a highest value"),
    ):
        with pytest.raises(ValueError, match=said):
            train_model(STARS, ["teff"], **wrong)
    (tmp_path / "v1").write_text("")
    with pytest.raises(NotADirectoryError, match="v1 is a file; give a folder"):
        train_model(STARS, ["teff"], output=tmp_path / "v1")
    with pytest.raises(TypeError, match="epochs of a training must be a whole number"):
        train_model(STARS, ["teff"], epochs="3")
    with pytest.raises(TypeError, match="augmentation noise must be a number, not 'a'"):
        train_model(STARS, ["teff"], augment={"noise": "a"})


def test_limits_of_one_end_are_right():
    model = train_model(
        make_stars(40), ["teff"], arguments=SMALL, limits={"teff": (None, 7000)},
        **{**FAST, "epochs": 1},
    )  # fmt: skip
    assert model.outputs[0].domain[1] == 7000


def test_arguments_that_no_network_takes_are_named():
    for wrong in ({"views": {"kind": "flux"}}, {"posterior": "gauss"}):
        with pytest.raises(ValueError, match=f"no residual_mlp .*{next(iter(wrong))}="):
            train_model(make_stars(40), ["teff"], arguments={**SMALL, **wrong})


def test_surveys_of_another_kind_are_refused():
    own = {"spectra": STARS, "labels": ["teff"]}
    for wrong in ([own], ["one", "two"], "surveys.toml"):
        with pytest.raises(TypeError, match=r"surveys must be a mapping such as.*blue"):
            train_several(wrong)
    with pytest.raises(TypeError, match="trunk must be a mapping"):
        train_several({"one": own}, trunk=["n_hidden"])
    with pytest.raises(UnknownNameError, match="argument of survey 'one' is called"):
        train_several({"one": {**own, "label": ["teff"]}})
    with pytest.raises(UnknownNameError, match="survey 'one': no label column"):
        train_several({"one": {**own, "labels": ["tef"]}})


def test_arrays_without_fluxes_are_told_so():
    stars = {name: values for name, values in STARS.items() if name != "flux"}
    with pytest.raises(SpectrumReadError, match="arrays need 'wavelength' and 'flux'"):
        train_model(stars, ["teff"])


def test_other_verbs_name_what_is_wrong(tmp_path):
    with pytest.raises(TypeError, match=r"a model is a name or a folder, not the list"):
        predict_parameters([], model=["apogee_starnet_v1"])
    with pytest.raises(TypeError, match="a model is a name or a folder, not the int 3"):
        load_model(3)
    with pytest.raises(UnknownNameError, match=r"called \['harps'\]. Did you mean"):
        get_survey(["harps"])
    with pytest.raises(TypeError, match="facts must be a mapping such as"):
        predict_parameters([], facts=["rest"])
    with pytest.raises(TypeError, match=r"radial_velocity must be km/s.*'rv'"):
        predict_parameters([], radial_velocity="rv")
    with pytest.raises(ValueError, match="batch_size must be 1 or more, not 'a'"):
        predict_parameters([], batch_size="a")
    with pytest.raises(TypeError, match="labels must be names"):
        evaluate_model("apogee_starnet_v1", STARS, 3)
    with pytest.raises(TypeError, match="fractions must be numbers, such as"):
        evaluate_missing("apogee_starnet_v1", STARS, fractions=0.1)
    with pytest.raises(TypeError, match="predicted must be an astropy Table"):
        compare_labels({"teff": [1.0]}, Table({"teff": [1.0]}))
    with pytest.raises(TypeError, match="table must be an astropy Table"):
        search_hyperparameters(STARS, ["teff"], output=tmp_path, table={"teff": [1]})


def test_right_ones_are_taken():
    check_kinds(
        {
            "labels": np.array(["teff", "logg"]), "members": np.int64(2), "facts": None,
            "split": np.array(["train"]), "radial_velocity": [1.0, 2.0], "other": 3,
            "seed": 0, "false_alarms": np.float32(0.1), "grid": "apogee_7514",
        }
    )  # fmt: skip
