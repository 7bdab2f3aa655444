# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""One trunk for several surveys, by toy stars that two of them have seen."""

import numpy as np
import pytest
import torch
from astropy import log
from astropy.table import Column, Table

from astro_latent import load_model, predict_parameters, train_model
from astro_latent.cli.main import main
from astro_latent.exceptions import UnknownNameError
from astro_latent.latent import LatentIndex
from astro_latent.models import hidden_vectors
from astro_latent.models.architectures import ResidualMLP
from astro_latent.training import as_block, engine, several, shared, train_several
from astro_latent.training.batches import Batches, FitData
from astro_latent.training.common_stars import find_common
from astro_latent.training.job import Job
from astro_latent.training.tasks import LabelTask

from .conftest import FAST, SMALL, make_stars

OWN = {key: SMALL[key] for key in ("views", "n_noise")}
TRUNK = {key: SMALL[key] for key in ("n_hidden", "n_blocks")}
BOTH = ("teff", "logg")


def main_names(values):
    """Make a column whose UCD says that it names the rows."""
    return Column(values, meta={"ucd": "meta.id;meta.main"})


def make_surveys(n_stars=160):
    """The same stars on two grids, the second with other noise and no gravities."""
    first, second = (make_stars(n_stars, seed=5) for _ in range(2))
    noise = np.random.default_rng(9).normal(size=second["flux"].shape)
    second["flux"] = (second["flux"] + 0.5 * second["error"] * noise)[:, 5:]
    second["error"] = second["error"][:, 5:]
    second["wavelength_vacuum"] = first["wavelength_vacuum"][5:]
    second["teff"] = second["teff"] + 100.0  # labels of another scale
    del second["logg"]
    part = np.where(np.arange(n_stars) % 4 == 1, "held_out", "train").astype("U10")
    part[::10] = "validation"
    told = {"split": "part", "arguments": OWN, "facts": {"frame": "rest"}}
    return {
        "one": {"spectra": {**first, "part": part}, "labels": list(BOTH), **told},
        "two": {"spectra": {**second, "part": part}, "labels": ["teff"], **told},
    }


def train(surveys, **rest):
    return train_several(surveys, trunk=TRUNK, **{**FAST, "epochs": 10, **rest})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.set_num_threads(1)
    output = tmp_path_factory.mktemp("several") / "both_v1"
    train(make_surveys(), output=output)
    return output


@pytest.fixture(scope="module")
def models(folder):
    return {name: load_model(folder / name, device="cpu") for name in ("one", "two")}


def spectra_of(own, part="held_out"):
    stars = own["spectra"]
    rows = stars["part"] == part
    names = ("flux", "error", "source_id")
    return as_block(
        {n: stars[n][rows] for n in names}
        | {"wavelength_vacuum": stars["wavelength_vacuum"]}
    )


def test_the_trunk_of_the_saved_models_is_one_and_the_stem_is_not(models):
    one, two = (models[name].members[0].state_dict() for name in ("one", "two"))
    for name, tensor in one.items():
        if name.startswith(("blocks.", "norm.")):
            assert torch.equal(tensor, two[name]), name
    assert torch.equal(one["posterior.mean.weight"][:1], two["posterior.mean.weight"])
    assert torch.equal(one["posterior.spread.bias"][:1], two["posterior.spread.bias"])
    assert not torch.equal(one["enter.bias"], two["enter.bias"])
    assert not one["linear.weight"].any()
    assert one["linear.bias"][0] != two["linear.bias"][0]
    assert models["one"].scales[0] == models["two"].scales[0]


def test_each_survey_predicts_as_any_model_does(models, folder):
    surveys = make_surveys()
    for name, own in surveys.items():
        found = predict_parameters(
            spectra_of(own), model=folder / name, facts=own["facts"], progress=False
        )
        stars = own["spectra"]
        given = stars["teff"][stars["part"] == "held_out"]
        assert np.std(found["teff"].value - given) < 0.35 * np.std(given)
        assert ("logg" in found.colnames) is (name == "one")
        assert models[name].config.training["shared"].endswith("the same for one, two")
        judged = Table.read(folder / name / "held_out.ecsv")
        np.testing.assert_allclose(judged["teff"], found["teff"].value, rtol=1e-5)


def test_a_star_is_found_again_by_the_spectrum_of_another_survey(models):
    surveys = make_surveys()
    asked, there = (
        hidden_vectors(spectra_of(own), models[name], facts=own["facts"])
        for name, own in surveys.items()
    )
    assert asked["latent"].shape == (len(asked), TRUNK["n_hidden"])
    nearest = LatentIndex(there).query(asked, n=5)
    right = [asked["obs_id"][row["query"]] == row["obs_id"] for row in nearest]
    assert np.sum(right) > 3 * 5  # by chance five


def test_a_survey_alone_is_trained_as_by_train_model(tmp_path, monkeypatch):
    own = make_surveys(100)["one"]
    make = Job.make

    def without(job, seed, member):
        """Leave nothing but a constant beside the blocks: what is different here."""
        network = make(job, seed, member)
        shared.share_trunk([network])
        return network

    (several_,) = train({"one": own}, epochs=3, seed=2).values()
    monkeypatch.setattr(Job, "make", without)
    fit = {**FAST, "epochs": 3}
    alone = train_model(
        own["spectra"], own["labels"], split="part", facts=own["facts"], seed=2,
        arguments={**OWN, **TRUNK, "dropout": 0.1}, **fit,
    )  # fmt: skip
    expected = alone.members[0].state_dict()
    for name, tensor in several_.members[0].state_dict().items():
        assert torch.equal(tensor, expected[name]), name
    assert several_.config.calibration == alone.config.calibration


def batch(n, n_pixels, labels):
    rng = torch.Generator().manual_seed(3)
    flux = 1.0 + 0.1 * torch.randn(n, n_pixels, generator=rng)
    seen = flux, torch.ones(n, n_pixels, dtype=torch.bool), torch.full_like(flux, 1e-4)
    return seen, (*seen, labels, torch.zeros_like(labels))


@pytest.mark.parametrize("posterior", ["covariance", "gaussian"])
@pytest.mark.parametrize("done", [0.0, 1.0])
def test_labels_that_a_survey_lacks_get_no_gradient(posterior, done):
    networks = [
        ResidualMLP(n_pixels=n, n_labels=3, posterior=posterior, **SMALL)
        for n in (30, 20)
    ]
    shared.share_trunk(networks)
    labels = torch.randn(8, 3)
    labels[:, 1] = torch.nan
    seen, whole = batch(8, 20, labels)
    LabelTask(dof=5.0, mean_first=0.5).loss(networks[1], seen, whole, done).backward()
    head = networks[0].posterior  # that of both
    gradient = head.mean.weight.grad.abs().sum(1)
    assert gradient[1] == 0.0
    assert (gradient[[0, 2]] > 0.0).all()
    spread = head.spread.bias.grad
    assert spread[1] == 0.0
    assert networks[0].enter.weight.grad is None  # a stem that was not asked
    assert networks[1].linear.weight.grad is None


@pytest.mark.parametrize(
    ("posterior", "columns"),
    [("covariance", [0, 1]), ("gaussian", [2, 0]), ("covariance", [0, 1, 2])],
)
def test_a_narrow_network_says_of_its_labels_what_the_wide_one_does(posterior, columns):
    wide, narrow = (
        ResidualMLP(n_pixels=20, n_labels=n, posterior=posterior, **SMALL).eval()
        for n in (3, len(columns))
    )
    with torch.no_grad():
        for parameter in wide.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    shared.narrow_network(wide, narrow, columns, 3)
    seen, _ = batch(4, 20, torch.zeros(4, 3))
    with torch.inference_mode():
        (mean, spread), (own, own_spread) = wide(*seen), narrow(*seen)
    torch.testing.assert_close(own, mean[:, columns])
    if posterior == "covariance":
        spread, own_spread = spread @ spread.mT, own_spread @ own_spread.mT
        spread = spread[:, columns]
    torch.testing.assert_close(own_spread, spread[..., columns])


def test_labels_go_to_the_columns_of_all():
    data = FitData(
        records=None, targets=np.array([[1.0, 2.0]]), train=np.arange(1),
        target_variance=np.array([[0.1, 0.2]]), validation=np.arange(0),
    )  # fmt: skip
    wide = shared.widen(data, [2, 0], 3)
    np.testing.assert_array_equal(wide.targets, np.float32([[2.0, np.nan, 1.0]]))
    np.testing.assert_array_equal(wide.target_variance, np.float32([[0.2, 0.0, 0.1]]))


def test_an_epoch_has_every_spectrum_of_every_survey_once():
    rows = [np.arange(64), np.arange(100, 196), np.arange(300, 305)]
    batches = Batches(rows, 32, seed=4, share=(0, 1))
    batches.set_epoch(1)
    found = list(batches)
    assert len(found) == len(batches) == 2 + 3 + 1
    for number, mine in enumerate(rows):
        dealt = np.concatenate([part for k, part in found if k == number])
        np.testing.assert_array_equal(np.sort(dealt), mine)
    again = Batches(rows, 32, seed=4, share=(0, 1))
    again.set_epoch(1)
    for (k, part), (number, mine) in zip(again, found, strict=True):
        assert k == number
        np.testing.assert_array_equal(part, mine)
    assert [k for k, _ in Batches(rows, 32, seed=None, share=(0, 1))] == [
        0, 0, 1, 1, 1, 2,
    ]  # fmt: skip


def test_a_training_that_was_stopped_goes_on(tmp_path, monkeypatch):
    surveys, fit = make_surveys(100), {"epochs": 3, "members": 2}
    expected = train(surveys, **fit)
    finish, calls = several.finish_training, []

    def once(job, *rest, **options):
        calls.append(job)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return finish(job, *rest, **options)

    monkeypatch.setattr(several, "finish_training", once)
    place = {"output": tmp_path / "v1"}
    with pytest.raises(KeyboardInterrupt):
        train(surveys, **fit, **place)
    assert not (tmp_path / "v1").exists()  # all of one trunk, or nothing
    monkeypatch.setattr(engine, "fit_networks", None)  # they are fitted already
    found = train(surveys, **fit, **place)
    assert not list((tmp_path / "v1.work").glob("several-*"))
    for name, model in found.items():
        for one, other in zip(model.members, expected[name].members, strict=True):
            for key, tensor in one.state_dict().items():
                assert torch.equal(tensor, other.state_dict()[key]), key


def test_what_is_asked_for_is_checked_before_any_work(tmp_path):
    surveys = make_surveys(20)
    one = surveys["one"]
    with pytest.raises(ValueError, match="there are no surveys"):
        train_several({})
    with pytest.raises(ValueError, match="'one' needs spectra and labels"):
        train_several({"one": {"spectra": one["spectra"]}})
    with pytest.raises(TypeError, match="'one' needs a mapping"):
        train_several({"one": "stars.ecsv"})
    few = make_stars(7)
    with pytest.raises(ValueError, match=r"survey 'one': .* are too few"):
        train({"one": {"spectra": few, "labels": ["teff"], "arguments": OWN}})
    with pytest.raises(UnknownNameError, match="from_weights"):
        train_several({"one": {**one, "from_weights": "x"}})
    with pytest.raises(UnknownNameError, match="n_hiden"):
        train_several(surveys, trunk={"n_hiden": 3})
    with pytest.raises(ValueError, match=r"n_hidden is the same for all.*trunk="):
        train_several({"one": {**one, "arguments": {"n_hidden": 3}}})
    with pytest.raises(ValueError, match="one device"):
        train_several(surveys, devices=2)
    with pytest.raises(UnknownNameError, match="epoch"):
        train_several(surveys, epoch=2)
    with pytest.raises(ValueError, match="posterior of covariance or gaussian"):
        train_several(surveys, trunk={"posterior": "flow"})
    with pytest.raises(ValueError, match="name of a folder"):
        train_several({"a/b": one}, output=tmp_path / "v1")
    (tmp_path / "v1/two").mkdir(parents=True)
    (tmp_path / "v1/two/config.json").write_text("{}")
    with pytest.raises(FileExistsError, match="two holds weights"):
        train_several(surveys, output=tmp_path / "v1")


@pytest.mark.parametrize("known", ["source_id", "positions", "own", "nothing"])
def test_who_teaches_in_one_survey_and_judges_in_another_is_said(known):
    surveys = make_surveys(60)
    for name, own in surveys.items():
        stars = own["spectra"]
        if known != "source_id":
            del stars["source_id"]
        if known == "own":
            own["star"] = f"nr_{name}"
            stars[own["star"]] = np.arange(60)
        if known == "positions":
            stars["ra"], stars["dec"] = 3.0 * np.arange(60.0), np.zeros(60)
        if name == "two":  # of the held-out stars of the first, every other teaches
            first, at = stars["part"] == "held_out", np.arange(60)
            stars["part"] = np.where(first & (at % 8 == 1), "train", stars["part"])
    with log.log_to_list() as remarks:
        train(surveys, epochs=1)
    said = [r.getMessage() for r in remarks if "teach by" in r.getMessage()]
    count = np.sum(surveys["one"]["spectra"]["part"] == "held_out")
    judged = np.sum(surveys["two"]["spectra"]["part"] == "held_out")
    if known == "nothing":
        assert not said
        return
    (remark,) = said
    assert remark.startswith(f"{count - judged} held-out spectra of 'one'")
    assert "teach by 'two'" in remark


def test_that_nothing_tells_who_teaches_and_judges_is_said():
    surveys = make_surveys(60)
    for own in surveys.values():
        del own["split"], own["spectra"]["source_id"]
    with log.log_to_list() as remarks:
        train(surveys, epochs=1)
    said = [r.getMessage() for r in remarks if "cannot be told" in r.getMessage()]
    assert [text.split("teach")[0] for text in said] == [
        f"whether held-out stars of {name!r} " for name in surveys
    ]
    assert all("star= of each, or give each a split" in text for text in said)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"source_id": [1, 2]}, {"GAIAEDR3_SOURCE_ID": [2, 5]}),
        ({"source_id": [1, 2]}, {"Source": ["Gaia DR3 2", "Gaia DR3 5"]}),
        ({"APOGEE_ID": ["2M01", "2M02+1"]}, {"tmass_id": ["J02+1", " J03"]}),
        ({"obsid": [1, 2]}, {"obsid": [2.0, 5.0]}),
        ({"hip": main_names([1, 2])}, {"HIP": main_names([2, 5])}),
        ({"target_name": ["a", "HD 2"]}, {"target_name": ["hd 2", "b"]}),
        ({"ra": [1.0, 2.0], "dec": [0.0, 0.0]}, {"ra": [2.0001], "dec": [0.0]}),
    ],
)
def test_stars_are_found_by_names_of_one_kind_and_by_places(one, two):
    one, two = Table(one), Table(two)
    assert find_common(one, two).tolist() == [False, True]
    assert find_common(two, one)[0]
    one["nr"], two["number"] = [7, 8], 7
    by_number = find_common(one[["nr"]], two[["number"]], star=("nr", "number"))
    assert by_number.tolist() == [True, False]
    assert find_common(one[["nr"]], two) is None
    with pytest.raises(UnknownNameError, match="nr_"):
        find_common(one, two, star=("nr_", None))


def test_names_of_several_kinds_and_missing_ones_are_no_common_stars():
    one = Table({"tic": [1, 2], "name": ["", "x"]})
    assert find_common(one, Table({"source_id": [1, 2]})) is None
    assert not find_common(one, Table({"name": ["", "y"]})).any()
    some = Table({"tic": [np.nan, 2.0]})  # as pandas reads numbers with gaps
    assert find_common(some, one).tolist() == [False, True]
    assert not find_common(some[:1], some).any()


def test_labels_that_are_no_part_of_each_other_need_independent_errors():
    labels = {"a": ["teff", "logg"], "b": ["teff", "fe_h"], "c": ["fe_h", "teff"]}
    with pytest.raises(ValueError, match=r"'a' lacks fe_h .*posterior.*gaussian"):
        shared.order_labels(labels, "covariance")
    assert shared.order_labels(labels, "gaussian") == ["teff", "fe_h", "logg"]


def test_hidden_vectors_are_those_of_the_network_and_nan_where_nothing_is(models):
    own = make_surveys(12)["one"]
    stars = {k: np.array(v, copy=True) for k, v in own["spectra"].items()}
    stars["flux"][0] = np.nan
    table = hidden_vectors(
        spectra_of({"spectra": stars}, "train"), models["one"], facts=own["facts"]
    )
    assert len(table) == np.count_nonzero(stars["part"] == "train")
    unusable = ~np.isfinite(table["latent"]).all(axis=1)
    assert not unusable.all()
    np.testing.assert_array_equal(unusable, (table["flags"] & 1) != 0)
    assert table.meta["model"] == "one"
    with pytest.raises(TypeError, match="encode_spectra"):
        hidden_vectors([], "harps_dae_fast_v1")


def test_the_command_takes_a_file_of_surveys(tmp_path, capsys):
    lines = []
    for name, own in make_surveys(60).items():
        np.savez(tmp_path / f"{name}.npz", allow_pickle=False, **own["spectra"])
        lines += [
            f"[{name}]", f'spectra = "{name}.npz"', f"labels = {own['labels']}",
            'split = "part"', 'facts = { frame = "rest" }',
            'arguments = { n_noise = 2, views = [{kind = "flux", n_components = 6}] }',
        ]  # fmt: skip
    path = tmp_path / "both.toml"
    path.write_text("\n".join(lines))
    command = ["train", str(path), "-o", str(tmp_path / "v1"), "--fit", "epochs=1"]
    command += ["batch_size=32", "--arguments", "n_hidden=16", "n_blocks=1"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert said.count("teff") == 2
    assert load_model(tmp_path / "v1/one").config.output_names == BOTH
    assert main([*command, "--labels", "teff", "--overwrite"]) == 1
    assert "labels: say it of each survey" in capsys.readouterr().err
    path.write_text("seed = 1")
    assert main([*command, "--overwrite"]) == 1
    assert "'seed' must be in a section" in capsys.readouterr().err
