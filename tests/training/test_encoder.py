# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Training without labels: an encoder whose latents cost what they tell."""

import re

import numpy as np
import pytest
import torch
from astropy.table import Table

from astro_latent import encode_spectra, load_model, train_model
from astro_latent.cli.main import main
from astro_latent.models.check import check_folder
from astro_latent.training.arrays import as_block

from .conftest import make_stars

SMALL = {"n_latent": 4, "channels": [8, 8]}
FIT = {"epochs": 100, "batch_size": 32, "learning_rate": 4e-3, "average": 0.9}


def train(**options):
    return train_model(
        make_stars(240, noise=0.004), arguments=SMALL, **{**FIT, **options}
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("encoder") / "toy_dae_v1"
    train(output=path, price_per_nat=1e-4)
    return path


def test_the_folder_is_one_of_an_encoder(folder):
    assert "is complete" in check_folder(folder)
    model = load_model(folder, device="cpu")
    assert model.config.task == "encode"
    assert model.grid.n_pixels == 60  # can be halved once, so nothing is added
    assert model.config.training["price per nat"] == 1e-4
    assert "tell more than 0.1 nat" in str(model.card)


def test_latents_follow_the_labels_that_nobody_told(folder):
    stars = make_stars(200, seed=1, noise=0.004)
    table = encode_spectra(list(as_block(stars)), model=folder)
    latents = np.asarray(table["latent"])
    design = np.column_stack([np.ones(200), latents])
    for name in ("teff", "logg"):
        fit = design @ np.linalg.lstsq(design, stars[name], rcond=None)[0]
        assert np.std(fit - stars[name]) < 0.5 * np.std(stars[name])
    assert np.median(table["reconstruction_error"]) < 0.05


def test_a_high_price_silences_latents(folder):
    cheap = Table.read(folder / "held_out_scores.ecsv")["nats"]
    dear = train(price_per_nat=0.05).config.evaluation["nats of all latents"]
    assert dear < 0.3 < 0.5 * sum(cheap)


def test_grids_are_lengthened_until_they_can_be_halved():
    stars = make_stars(120)
    stars["wavelength_vacuum"] = stars["wavelength_vacuum"][:47]
    stars["flux"], stars["error"] = stars["flux"][:, :47], stars["error"][:, :47]
    model = train_model(stars, arguments={"n_latent": 2}, epochs=1)
    assert model.grid.n_pixels == 48
    assert model.grid.segments == ((0, 47),)


def test_the_command_needs_no_labels(tmp_path, capsys):
    path = tmp_path / "stars.npz"
    np.savez(path, **make_stars(120))
    out = tmp_path / "dae_v1"
    code = main(
        ["train", str(path), "-o", str(out), "--fit", "epochs=2", "--arguments",
         "n_latent=3", "--price-per-nat", "0.001"]
    )  # fmt: skip
    assert code == 0
    said = capsys.readouterr().out
    assert "nats" in said
    assert not re.search(r"\d\.\d{9}", said)
    assert load_model(out, device="cpu").config.arguments["n_latent"] == 3


def test_other_architectures_want_labels():
    with pytest.raises(ValueError, match="without labels only a disentangled_auto"):
        train_model(make_stars(60), architecture="starnet")
