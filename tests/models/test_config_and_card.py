# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Configurations are checked key by key; cards say what they hold."""

import json
import subprocess
import sys

import pytest

from astro_latent.exceptions import WeightsError, WeightsNotFoundError
from astro_latent.models.card import SECTIONS, ModelCard
from astro_latent.models.check import main
from astro_latent.models.config import ModelConfig


def test_configurations_survive_the_round_trip(record):
    record["outputs"][0]["domain"] = [3500, 6500]
    record["calibration"] = {"scale": [1.0, 1.1], "floor": [20.0, 0.03]}
    config = ModelConfig.from_dict(record)
    text = json.dumps(config.to_dict())
    assert ModelConfig.from_dict(json.loads(text)) == config
    assert config.output_names == ("teff", "logg")
    assert config.grid.n_pixels == 320


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"schema_version": 2}, "'schema_version' is 2; this version .* reads 1"),
        ({"arguments": []}, "'arguments' must be dict, not \\[\\]"),
        ({"members": True}, "'members' must be int, not True"),
        ({"members": 0}, "'members' is 0; it must be a whole number from 1"),
        ({"colour": "red"}, "'colour' is not a key"),
        ({"name": ""}, "'name' is ''; it must be"),
        ({"outputs": []}, "'outputs' is empty"),
        ({"outputs": [{"name": "a"}, {"name": "a"}]}, "'outputs' repeats a name"),
        (
            {"outputs": [{"label": "a"}]},
            r"outputs\[0\]\.name' is None",
        ),
        ({"outputs": [{"name": "a", "unit": "stone"}]}, r"outputs\[0\]: .*stone"),
        (
            {"outputs": [{"name": "a", "scale": 0}]},
            r"outputs\[0\]\.scale' is 0; it must be a number from 1e-30",
        ),
        ({"outputs": [{"name": "a", "domain": [2, 1]}]}, r"must be \[low, high\]"),
        ({"calibration": {"scale": [1.0]}}, "'calibration.scale' has 1 numbers for 2"),
        ({"calibration": {"bias": [1.0]}}, "'calibration.bias' is not one of"),
        ({"domain": {"teff": [1, 2]}}, "'domain.teff' is not one of"),
        ({"card": {"motto": "x"}}, "'card.motto' is not one of"),
        ({"origin": ["file:///etc/x"]}, "'origin' must be http or https"),
        ({"weights": {"file": "x"}}, "'weights.sha256' is missing"),
        (
            {"weights": {"sha256": "0", "size": 1, "dtype": "float16", "file": "../x"}},
            "must be a plain file name",
        ),
        ({"grid": {"name": "harps"}}, "'grid' cannot be used: no grid is called"),
        ({"grid": {"start": 1}}, "'grid.name' is None"),
        ({"recipe": {"steps": [{"step": "iron"}]}}, "'recipe' cannot be used"),
    ],
)
def test_impossible_values_are_named_with_file_and_key(record, change, match, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**record, **change}))
    with pytest.raises(WeightsError, match=match) as caught:
        ModelConfig.from_folder(tmp_path)
    assert str(path) in str(caught.value)


def test_each_required_key_is_required(record):
    optional = {
        "members", "calibration", "domain", "training", "evaluation", "card", "origin"
    }  # fmt: skip
    for key in set(record) - optional:
        rest = {name: value for name, value in record.items() if name != key}
        with pytest.raises(WeightsError, match=f"config.json: '{key}' is missing"):
            ModelConfig.from_dict(rest)


def test_what_is_no_json_is_named(tmp_path):
    with pytest.raises(WeightsNotFoundError, match="does not exist"):
        ModelConfig.from_folder(tmp_path)
    (tmp_path / "config.json").write_text("{'single': 1}")
    with pytest.raises(WeightsError, match="is not valid JSON"):
        ModelConfig.from_folder(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(WeightsError, match="must hold one JSON object"):
        ModelConfig.from_folder(tmp_path)


def test_card_has_all_sections_and_its_facts(record):
    record["outputs"][0]["domain"] = [3500, 6500]
    record["evaluation"] = {"teff_scatter": 41.25, "stars": {"M67": 30}}
    record["card"] = {"limitations": "Not for hot stars."}
    text = ModelCard(ModelConfig.from_dict(record)).text
    for section in SECTIONS:
        assert f"\n{section}\n{'-' * len(section)}\n" in text
    for fact in (
        "teff 3500 to 6500 K", "teff scatter: 41.25", "M67 30", "Not for hot stars.",
        "load_model('tiny_v1')", "5004.0 to 5315.0 Angstrom (air, rest frame)",
    ):  # fmt: skip
        assert fact in text


def test_card_in_html_is_escaped(record):
    record["title"] = "<script>alert(1)</script>"
    html = ModelCard(ModelConfig.from_dict(record))._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert all(section in html for section in SECTIONS)


def test_a_notebook_shows_the_sign_of_a_bin(record):
    record["evaluation"] = {"by fe_h": {"-2 to -1.5": {"n": 28}}}
    html = ModelCard(ModelConfig.from_dict(record))._repr_html_()
    assert ">-2 to -1.5" in html


def test_model_shows_its_card(label_model):
    assert repr(label_model) == (
        "<SpectralModel tiny_v1 1: starnet, 320 pixels, teff, logg>"
    )
    assert label_model._repr_html_() == label_model.card._repr_html_()
    assert repr(label_model.card) == "<ModelCard tiny_v1 1>"
    assert label_model.card.row()["outputs"] == "teff, logg"


def test_check_from_the_command_line(label_folder, capsys):
    assert main([str(label_folder)]) == 0
    assert "is complete" in capsys.readouterr().out
    (label_folder / "MODEL_CARD.rst").write_text("tiny")
    assert main([str(label_folder)]) == 1
    assert "lacks the sections Details" in capsys.readouterr().err


def test_listing_models_and_the_command_need_no_torch():
    code = (
        "import sys, astro_latent.models as m; m.list_models(); m.ARCHITECTURES; "
        "import astro_latent.models.card; "
        "sys.exit('torch' in sys.modules or 'specutils' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
