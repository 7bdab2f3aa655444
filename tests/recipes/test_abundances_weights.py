# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The figures on the card of the bundled abundances, measured again."""

import numpy as np
import pytest
import torch

from astro_latent.models import load_model
from astro_latent.tables.columns import LABELS
from recipes.apogee.held_out import drop_pixels
from recipes.apogee.stars import CALM
from recipes.apogee_starnet_abundances_v1.abundances import (
    ABUNDANCE_LABELS,
    clean_spectra,
    draw_abundance_stars,
    synthesis_emulator,
)
from recipes.apogee_starnet_abundances_v1.arcturus import judge_arcturus
from recipes.apogee_starnet_abundances_v1.finish import choose_labels
from recipes.apogee_starnet_abundances_v1.scores import (
    INFORMATION_LIMIT,
    make_stars_at,
    observe_stars,
)

NAME = "apogee_starnet_abundances_v1"


@pytest.fixture(scope="module")
def model():
    return load_model(NAME, device="cpu")


def test_outputs_are_those_that_were_chosen_on_synthetic_stars(model):
    names = [output.name for output in model.outputs]
    choice = dict(model.config.evaluation["choice_of_outputs_snr_100"])
    choice.pop("seed")
    assert names == choose_labels(choice)
    left_out = set(ABUNDANCE_LABELS) - set(names)
    sentence = model.config.card["limitations"].rsplit("Left out", 1)[1]
    assert all(name in sentence for name in left_out)
    for output in model.outputs:
        assert (output.unit, output.ucd) == (
            LABELS[output.name].unit,
            LABELS[output.name].ucd,
        )


def test_the_card_says_what_it_is(model):
    assert "not ASPCAP-calibrated" in model.config.card["limitations"]


def test_the_network_is_starnet(model):
    layers = [(m.out_channels, m.kernel_size) for m in model.members[0].convolutions]
    assert layers == [(4, (8,)), (16, (8,))]
    assert [m.out_features for m in model.members[0].dense] == [256, 128]


@pytest.fixture(scope="module")
def others(model, real_data):
    """Spectra and labels of stars that no training and no calibration saw."""
    stars = draw_abundance_stars(real_data, 600, seed=123_456)
    clean = clean_spectra(stars, real_data, synthesis=synthesis_emulator(real_data))
    return observe_stars(clean, model, seed=123_457, snr=100.0, conditions=CALM), stars


def test_errors_cover_what_missing_pixels_do(model, others):
    prepared, stars = others
    lost = drop_pixels(prepared[:100], 0.25, rng=np.random.default_rng(70))
    result = model.predict(lost, flux_errors=False)
    columns = [ABUNDANCE_LABELS.index(output.name) for output in model.outputs]
    off = np.abs(result.values - stars.labels[:100, columns])
    pull = off / result.error_statistical
    assert 0.66 < np.mean(pull < 1.0) < 0.85  # 58 % before, of all labels together
    assert np.mean(pull < 1.96) > 0.93  # 86 % before


def test_the_scatter_on_the_card_is_found_on_other_stars(model, others):
    torch.set_num_threads(1)
    names = [output.name for output in model.outputs]
    columns = [ABUNDANCE_LABELS.index(name) for name in names]
    prepared, stars = others
    values = model.predict(prepared, flux_errors=False).values
    rng = np.random.default_rng(9)
    giants = stars.labels[:, 1] < 3.8
    for kind, rows in (("giants", giants), ("dwarfs", ~giants)):
        card = model.config.evaluation["skill_snr_100"][kind]
        residual = values[rows] - stars.labels[rows][:, columns]
        n = len(residual)
        resampled = [residual[rng.integers(0, n, n)].std(0) for _ in range(200)]
        error = np.std(resampled, axis=0) * np.sqrt(1.0 + n / card["n"])
        for column, name in enumerate(names):
            if name in card["network"]:
                difference = residual[:, column].std() - card["network"][name]
                assert abs(difference) < 4.0 * error[column], (kind, name)
                assert error[column] < 0.2 * card["network"][name], (kind, name)


def test_arcturus_comes_out_as_the_card_says(model, real_data):
    again = judge_arcturus(model, real_data / "apogee/atlases/arct.20190830.txt")
    card = model.config.evaluation["arcturus"]
    for name, entry in card["labels"].items():
        assert again["labels"][name]["value"] == pytest.approx(
            entry["value"], rel=2e-3, abs=2e-3
        )
    assert again["network"]["n"] == card["network"]["n"]
    assert again["within"] == card["within"]
    for entry in card["labels"].values():
        assert entry["error"] >= entry["statistical"] > 0.0


def test_the_ratios_to_the_information_limit_are_found_on_other_stars(model, real_data):
    stars = make_stars_at("giant_4800", 150, seed=123_458)
    clean = clean_spectra(stars, real_data, synthesis=synthesis_emulator(real_data))
    prepared = observe_stars(clean, model, seed=123_459, snr=100.0, conditions=CALM)
    values = model.predict(prepared, flux_errors=False).values
    card = model.config.evaluation["information_limit_snr_100"]["giant_4800_over_limit"]
    ratios = []
    for column, output in enumerate(model.outputs):
        truth = stars.labels[:, ABUNDANCE_LABELS.index(output.name)]
        scatter = 1.4826 * np.median(
            np.abs(values[:, column] - truth - np.median(values[:, column] - truth))
        )
        ratio = scatter / INFORMATION_LIMIT[output.name][0]
        assert ratio == pytest.approx(card[output.name], rel=0.45), output.name
        ratios.append(ratio / card[output.name])
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.08)
