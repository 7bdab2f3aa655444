# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""train_model on toy stars: from arrays to a folder of weights that holds its word."""

import numpy as np
import pytest
import torch
from astropy.table import Table

from astro_latent import load_model, predict_parameters, train_model
from astro_latent.exceptions import UnknownNameError
from astro_latent.models.architectures.residual_mlp import ResidualMLP
from astro_latent.models.check import check_folder
from astro_latent.models.layers.heads import FlowHead
from astro_latent.preparation import prepare_spectra
from astro_latent.training import checks
from astro_latent.training.arrays import as_block
from astro_latent.training.tasks import LabelTask

from .conftest import FAST, SMALL, make_stars


def train(source, labels=("teff", "logg"), **options):
    return train_model(source, list(labels), arguments=SMALL, **{**FAST, **options})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Weights of an ensemble of two, trained once."""
    path = tmp_path_factory.mktemp("train") / "toy_v1"
    train(make_stars(300), members=2, output=path, augment={"noise": 1.0}, epochs=15)
    return path


def test_the_folder_fulfils_the_contract(folder):
    assert "is complete" in check_folder(folder)
    model = load_model(folder, device="cpu")
    assert [output.unit for output in model.outputs] == ["K", "dex"]
    assert model.config.members == 2


def test_new_stars_get_their_labels_with_errors_that_cover(folder):
    new = make_stars(400, seed=1)
    table = predict_parameters(list(as_block(new)), model=folder)
    for name, most in (("teff", 90.0), ("logg", 0.18)):
        residual = table[name].value - new[name]
        pull = residual / table[f"{name}_error"].value
        assert np.std(residual) < most
        assert 0.5 < np.mean(np.abs(pull) < 1) < 0.85
        assert np.mean(np.abs(pull) < 2) > 0.88
    assert np.mean(table["domain_score"] > 1) < 0.1


def test_what_is_unlike_the_training_set_is_flagged(folder):
    strange = make_stars(20, seed=2)
    strange["flux"] = strange["flux"] * np.where(np.arange(60) % 7 < 3, 0.4, 1.0)
    table = predict_parameters(list(as_block(strange)), model=folder)
    assert np.mean(table["domain_score"] > 1) > 0.9


def test_the_card_says_what_happened(folder):
    model = load_model(folder, device="cpu")
    text = str(model.card)
    for words in (
        "column source_id", "train: 210 stars", "held out: 60 stars", "by snr",
        "by teff", "coverage held-out stars", "seed: 0", "noise 1",
    ):  # fmt: skip
        assert words in text, words
    scores = Table.read(folder / "held_out_scores.ecsv")
    assert set(scores["label"]) == {"teff", "logg"}
    assert len(Table.read(folder / "held_out.ecsv")) == 60


def test_posterior_errors_depend_on_the_noise(folder):
    clean, noisy = (make_stars(200, seed=3, noise=n) for n in (0.005, 0.02))
    tables = [
        predict_parameters(list(as_block(s)), model=folder) for s in (clean, noisy)
    ]
    assert np.median(tables[1]["teff_error"] / tables[0]["teff_error"]) > 1


@pytest.mark.parametrize(
    "architecture", ["starnet", "shallow_nn", "deep_nn", "shallow_cnn", "deep_cnn"]
)
def test_each_architecture_can_be_trained(stars, architecture):
    small = {"n_hidden": [12, 8]}
    model = train_model(
        stars, ["teff"], architecture=architecture, arguments=small, epochs=2
    )
    assert model.config.architecture == architecture
    assert np.isfinite(model.predict(prepared(model, stars)).values).all()


@pytest.mark.parametrize("posterior", ["gaussian", "mixture", "flow"])
def test_each_head_can_be_trained(stars, posterior):
    if posterior == "flow":
        pytest.importorskip("zuko")
    arguments = {**SMALL, "posterior": posterior}
    model = train_model(stars, ["teff", "logg"], arguments=arguments, **FAST)
    found = model.predict(prepared(model, stars))
    assert np.corrcoef(found.values[:, 0], stars["teff"])[0, 1] > 0.7
    assert (found.error > 0).all()


def test_a_label_that_no_star_has_that_teaches_is_refused():
    stars = make_stars(60)
    stars["logg"][3:] = np.nan
    split = ["held_out"] * 3 + ["train"] * 50 + ["validation"] * 7
    with pytest.raises(ValueError, match=r"'logg' is missing for all 50 .* that teach"):
        train_model(stars, ["teff", "logg"], arguments=SMALL, split=split, **FAST)


def test_a_flow_is_not_sampled_where_its_density_is_asked(monkeypatch):
    pytest.importorskip("zuko")
    network = ResidualMLP(n_pixels=20, n_labels=2, n_hidden=8, posterior="flow").eval()
    seen = (torch.rand(4, 20), torch.ones(4, 20, dtype=torch.bool), torch.ones(4, 20))
    labels = torch.rand(4, 2)
    with torch.no_grad():
        right = -network.log_prob(network.features(*seen), labels).mean()
    monkeypatch.setattr(FlowHead, "forward", None)  # mean and covariance, by points
    task = LabelTask(dof=5.0, mean_first=0.1)
    loss = task.loss(network, seen, (*seen, labels, torch.zeros(4, 2)), 0.5)
    torch.testing.assert_close(loss.detach(), right)


def test_a_network_without_errors_gets_a_floor(stars):
    arguments = {"n_hidden": [16, 8], "heteroscedastic": False}
    model = train_model(
        stars, ["teff"], architecture="shallow_nn", arguments=arguments, epochs=10
    )
    assert model.config.calibration["floor"][0] > 0
    found = model.predict(prepared(model, stars))
    assert (found.error > 0).all()
    inside = np.abs(found.values[:, 0] - stars["teff"]) < found.error[:, 0]
    assert 0.45 < inside.mean() < 0.95


def prepared(model, stars):
    return prepare_spectra(list(as_block(stars)), model.grid, model.recipe)


def test_a_missing_label_is_left_out_for_its_star_only(stars):
    stars["logg"][::3] = np.nan
    stars["teff"][1] = -9999.0
    model = train(stars)
    assert model.config.training["labels known"] == {"teff": 149, "logg": 100}
    assert model.config.training["left out"] == "nothing"


def test_errors_of_labels_enter_the_likelihood(stars):
    stars["teff_error"] = np.full(150, 300.0)
    stars["teff"] = stars["teff"] + np.random.default_rng(5).normal(0, 300, 150)
    model = train(stars, ["teff"], epochs=20)
    error = model.predict(prepared(model, stars)).error
    assert np.median(error) < 300


def test_spectra_of_one_star_stay_together(stars):
    stars["source_id"] = np.arange(150) // 3
    model = train(stars)
    assert model.config.training["train"] == "40 stars, 120 spectra"


def test_the_split_can_be_given(stars):
    part = np.resize(["train", "train", "validation", "held_out", ""], 150)
    model = train(stars, split=part)
    assert model.config.training["held out"] == "30 stars, 30 spectra"


def test_seeds_decide_everything(stars):
    first, again = (train(stars, epochs=2) for _ in range(2))
    other = train(stars, epochs=2, seed=1)
    state = first.members[0].state_dict()
    for name, tensor in again.members[0].state_dict().items():
        assert torch.equal(tensor, state[name])
    assert not torch.equal(other.members[0].enter.weight, state["enter.weight"])


def test_limits_of_labels_are_declared(stars):
    model = train(stars, limits={"teff": (None, 5000.0)})
    low, high = model.outputs[0].domain
    assert (low < 4020, high) == (True, 5000.0)
    flags = predict_parameters(list(as_block(stars)), model=model)["flags"]
    beyond = stars["teff"] > 5200
    assert ((np.asarray(flags) & (1 << 19)) != 0)[beyond].mean() > 0.9


def test_prepared_spectra_are_found_again(stars, tmp_path, monkeypatch):
    train(stars, work=tmp_path, epochs=1)
    (kept,) = tmp_path.glob("prepared-*.bin")
    date = kept.stat().st_mtime_ns
    train(stars, work=tmp_path, epochs=1, seed=3)
    assert [p.stat().st_mtime_ns for p in tmp_path.glob("prepared-*.bin")] == [date]
    stars["flux"][0] *= 2
    train(stars, work=tmp_path, epochs=1)
    assert len(list(tmp_path.glob("prepared-*.bin"))) == 2


def test_an_ensemble_is_more_than_its_first_member(folder):
    model = load_model(folder, device="cpu")
    first, second = (m.state_dict()["enter.weight"] for m in model.members)
    assert not torch.equal(first, second)


def test_wrong_names_are_refused_before_any_work(stars, tmp_path):
    with pytest.raises(UnknownNameError, match="no label column is called 'tef'"):
        train(stars, ["tef"])
    with pytest.raises(UnknownNameError, match="architecture"):
        train_model(stars, ["teff"], architecture="starnett")
    with pytest.raises(UnknownNameError, match="option of a training"):
        train(stars, epoch=3)
    with pytest.raises(UnknownNameError, match="text about weights"):
        train(stars, about={"licence_": "CC0"})
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(FileExistsError, match="holds weights already"):
        train(stars, output=tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs of a training cannot be 0"),
        ({"batch_size": 0}, "batch_size of a training cannot be 0"),
        ({"dof": -1.0}, "dof of a training cannot be"),
        ({"members": 0}, "members must be 1 or more"),
        ({"held_out": 1.5}, "held_out is a share"),
        ({"price_per_nat": -1.0}, "price_per_nat must not be -1"),
        ({"labels": ["snr"]}, "results have a column 'snr' already"),
        ({"labels": ["teff", "teff"]}, "a label stands twice"),
        ({"augment": {"nois": 1.0}}, "no augmentation is called 'nois'"),
        ({"limits": {"tef": (1, 2)}}, "no label to be learnt is called 'tef'"),
        ({"arguments": {"n_hiden": 3}}, "no argument of a residual_mlp is called"),
    ],
)
def test_impossible_requests_are_refused_before_any_work(options, message):
    with pytest.raises((ValueError, UnknownNameError), match=message):
        train_model("no such file.csv", **{"labels": ["teff"], **options})


def test_what_the_extra_installs_is_asked_for_before_any_work(stars, monkeypatch):
    monkeypatch.setattr(checks, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"astro_latent\[train\]"):
        train(stars)


def test_what_all_members_share_is_stored_once(folder):
    import safetensors.torch

    names = set(safetensors.torch.load_file(folder / "model.safetensors"))
    assert "shared.views.0.basis" in names
    assert "1.views.0.basis" not in names
    assert "1.enter.weight" in names
    model = load_model(folder, device="cpu")
    first, second = (member.views[0].basis for member in model.members)
    assert torch.equal(first, second)
