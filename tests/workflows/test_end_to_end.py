# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The main job from one end to the other: spectra in, checked tables out."""

from dataclasses import replace

import numpy as np
import pytest

from astro_latent import (
    decode_flags,
    encode_spectra,
    get_survey,
    list_models,
    load_model,
    predict_parameters,
    prepare_spectra,
    read_spectra,
    read_table,
)
from astro_latent.preparation import APOGEE_RECIPE, HARPS_RECIPE, get_grid
from astro_latent.spectra import FATAL_FLAGS, iter_arrays
from astro_latent.tables import check_table


def make_config(name, architecture, **more):
    return {
        "name": name,
        "version": "1",
        "title": "Random weights",
        "description": "For tests.",
        "survey": name.partition("_")[0],
        "architecture": architecture,
        "licence": "BSD-3-Clause",
        "citation": "None.",
        **more,
    }


@pytest.fixture(scope="module")
def tiny_starnet(tmp_path_factory):
    """A StarNet with random weights, on the grid and recipe of the bundled one."""
    import torch

    from astro_latent.models import save_weights
    from astro_latent.models.architectures.starnet import StarNet

    torch.manual_seed(3)
    shape = {"n_labels": 2, "n_filters": [1, 1], "n_hidden": [4, 4]}
    config = make_config(
        "apogee_tiny_v1", "starnet", arguments=shape,
        grid=get_grid("apogee_7214").to_dict(), recipe=APOGEE_RECIPE.to_dict(),
        outputs=[
            {"name": "teff", "unit": "K", "scale": 400.0, "offset": 4800.0},
            {"name": "logg", "unit": "dex", "scale": 0.7, "offset": 2.5},
        ],
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("weights") / "apogee_tiny_v1"
    return load_model(save_weights(folder, StarNet(**shape), config), device="cpu")


@pytest.fixture(scope="module")
def sample():
    return get_survey("sample").table()


@pytest.fixture(scope="module")
def apogee(sample):
    return sample[sample["survey"] == "apogee"]


@pytest.fixture(scope="module")
def harps(sample):
    return sample[sample["survey"] == "harps"]


def name(arrays, obs_id):
    return replace(arrays, observation=replace(arrays.observation, obs_id=obs_id))


def test_batch_of_a_thousand_with_three_bad_ones(apogee, tiny_starnet, tmp_path):
    good = list(iter_arrays(apogee))[:6]
    batch = [name(good[i % 6], f"star-{i:04d}") for i in range(1000)]
    (tmp_path / "cut-short.fits").write_bytes(b"SIMPLE  =                    T")
    batch[7] = tmp_path / "cut-short.fits"
    batch[499] = name(replace(good[0], flux=np.full_like(good[0].flux, np.nan)), "dark")
    batch[999] = name(replace(good[1], wavelength=good[1].wavelength / 3), "optical")

    table = predict_parameters(batch, model=tiny_starnet)

    assert len(table) == 1000
    bad = (np.asarray(table["flags"]) & FATAL_FLAGS) != 0
    assert np.flatnonzero(bad).tolist() == [7, 499, 999]
    flags = decode_flags(np.asarray(table["flags"])[bad])
    for found, expected in zip(
        flags, ("UNREADABLE", "NO_SIGNAL", "NO_OVERLAP"), strict=True
    ):
        assert expected in found
    assert all(table["message"][bad])
    names = [f"star-{i:04d}" for i in range(1000)]
    names[7], names[499], names[999] = "cut-short", "dark", "optical"
    assert list(table["obs_id"]) == names
    for column in ("teff", "teff_error", "logg"):
        finite = np.isfinite(np.asarray(table[column]))
        if column != "teff_error":
            np.testing.assert_array_equal(finite, ~bad)
        assert not finite[bad].any()
    # the same spectrum gives the same numbers wherever it stands in the batch
    values = np.asarray(table["teff"])
    for first in range(6):
        same = values[first::6][~bad[first::6]]
        assert np.all(same == same[0])

    table.write(tmp_path / "table.vot")
    assert check_table(table) == []
    again = read_table(tmp_path / "table.vot")
    assert list(again["obs_id"]) == names
    np.testing.assert_array_equal(np.asarray(again["teff"]), values)


@pytest.mark.parametrize("survey", ["apogee", "harps"])
def test_both_doors_prepare_the_same_arrays(sample, survey):
    paths = list(sample["path"][sample["survey"] == survey])
    grid, recipe = {
        "apogee": (get_grid("apogee_7214"), APOGEE_RECIPE),
        "harps": (get_grid("harps_327680"), HARPS_RECIPE),
    }[survey]
    bulk = prepare_spectra(paths, grid, recipe)
    objects = prepare_spectra(read_spectra(paths), grid, recipe)
    for field in ("flux", "variance", "valid", "scale", "radial_velocity", "flags"):
        np.testing.assert_array_equal(getattr(bulk, field), getattr(objects, field))
    assert bulk.observations == objects.observations


def test_both_doors_give_the_same_table(apogee, tiny_starnet):
    paths = list(apogee["path"])
    bulk = predict_parameters(paths, model=tiny_starnet)
    objects = predict_parameters(read_spectra(paths), model=tiny_starnet)
    assert bulk.colnames == objects.colnames
    for column in bulk.colnames:
        np.testing.assert_array_equal(
            np.asarray(bulk[column]), np.asarray(objects[column]), err_msg=column
        )


def test_one_spectrum_alone_equals_itself_in_a_batch(apogee, tiny_starnet):
    together = predict_parameters(apogee, model=tiny_starnet)
    for row in range(len(apogee)):
        alone = predict_parameters(apogee[row : row + 1], model=tiny_starnet)
        np.testing.assert_array_equal(alone["teff"][0], together["teff"][row])
        np.testing.assert_array_equal(
            alone["teff_error"][0], together["teff_error"][row]
        )


def bundled(model):
    """A bundled model; skips where the package was built without weights."""
    if model not in list_models()["name"]:
        pytest.skip(f"{model} is not bundled")
    return load_model(model, device="cpu")


def names_of(table):
    return dict(zip(table["obs_id"], decode_flags(table["flags"]), strict=True))


@pytest.mark.slow
def test_every_real_apogee_file_gives_one_row(real_data, tmp_path):
    model = bundled("apogee_starnet_v1")
    paths = sorted((real_data / "apogee" / "spectra").glob("*.fits"))
    table = predict_parameters(paths, model=model)
    assert [str(i) for i in table["obs_id"]] == [path.stem for path in paths]
    assert check_table(table) == []
    flags = names_of(table)
    assert not np.any(np.asarray(table["flags"]) & FATAL_FLAGS)
    assert np.all(np.isfinite(table["teff"]))
    # an M giant at 3,500 K lies outside of what the emulator can do
    cool = next(names for key, names in flags.items() if "2M17335483" in key)
    assert {"LABEL_OUT_OF_DOMAIN", "UNLIKE_TRAINING"} & set(cool)
    table.write(tmp_path / "parameters.vot")
    assert len(read_table(tmp_path / "parameters.vot")) == len(paths)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "n_latent"),
    [("harps_dae_fast_v1", 48), ("harps_dae128_v1", 128), ("harps_dae128_v2", 128)],
)
def test_every_real_harps_file_gives_one_row(real_data, tmp_path, name, n_latent):
    model = bundled(name)
    paths = sorted((real_data / "harps" / "s1d").glob("*.fits"))
    table = encode_spectra(paths, model=model)
    assert len(table) == len(paths)
    assert check_table(table) == []
    for path, names in zip(paths, decode_flags(table["flags"]), strict=True):
        assert ("CORRUPT_FLUX" in names) is path.name.startswith("Gl273"), path.name
        assert "NOISE_ESTIMATED" in names or "NO_UNCERTAINTY" in names
    usable = (np.asarray(table["flags"]) & FATAL_FLAGS) == 0
    assert usable.sum() >= len(paths) - 1
    assert np.all(np.isfinite(np.asarray(table["latent"])[usable]))
    table.write(tmp_path / "latents.vot")
    assert read_table(tmp_path / "latents.vot")["latent"].shape == (
        len(paths),
        n_latent,
    )
