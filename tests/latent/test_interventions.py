# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Labels moved by latents, where it is known what moves them."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from astro_latent.exceptions import (
    AstroLatentWarning,
    UnknownNameError,
    WeightsError,
    WeightsNotFoundError,
)
from astro_latent.latent import (
    LabelHandle,
    fit_handles,
    intervene,
    read_handles,
    score_label_handle,
    score_velocity_node,
    write_handles,
)

C_KMS = 299_792.458
SCORES = Path(__file__).parents[2] / "docs/models/interventions_harps.ecsv"


@pytest.fixture(scope="module")
def planted():
    """Node 2 is 0.02 v - 0.3; [M/H] along (1, 0, 0, 2), T_eff along (0, 3, 0, 1)."""
    rng = np.random.default_rng(5)
    labels = Table(
        {
            "radial_velocity": rng.uniform(-100, 100, 800) * u.km / u.s,
            "teff": rng.uniform(4500, 6500, 800) * u.K,
            "m_h": rng.uniform(-1, 0.5, 800) * u.dex,
        }
    )
    latents = rng.normal(0, 0.6, size=(800, 4))
    latents[:, 2] = 0.02 * labels["radial_velocity"] - 0.3
    latents += np.outer(labels["m_h"], [1.0, 0.0, 0.0, 2.0])
    latents += np.outer((labels["teff"] - 5500) / 1000, [0.0, 3.0, 0.0, 1.0])
    return latents, labels


@pytest.fixture(scope="module")
def handles(planted):
    return fit_handles(*planted, nodes={"teff": None})


def test_the_owner_is_the_planted_node_and_others_are_the_planted_directions(handles):
    assert {name: handle.node for name, handle in handles.items()} == {
        "radial_velocity": 2, "teff": None, "m_h": None,
    }  # fmt: skip
    # 0.6 over 800 stars spread by 0.43 dex, or by 577 K: 0.05 and 4e-5
    np.testing.assert_allclose(handles["m_h"].direction, [1, 0, 0, 2], atol=0.2)
    np.testing.assert_allclose(
        1000 * handles["teff"].direction, [0, 3, 0, 1], atol=0.16
    )
    assert [handle.unit for handle in handles.values()] == ["km / s", "K", "dex"]


@pytest.mark.parametrize("change", [5 * u.km / u.s, 5000 * u.m / u.s, 5.0])
def test_a_velocity_moves_its_node_alone_by_the_planted_slope(planted, handles, change):
    start = planted[0][np.abs(planted[0][:, 2]) < 1]
    moved = intervene(handles, start, radial_velocity=change)
    np.testing.assert_allclose(
        moved - start, np.outer(np.ones(len(start)), [0, 0, 0.1, 0]), atol=1e-6
    )


def test_changes_add_up_and_may_differ_by_star(planted, handles):
    start = planted[0][:2] * [1, 1, 0, 1]
    both = intervene(handles, start, teff=[100, -200] * u.K, m_h=0.1 * u.dex)
    apart = [
        intervene(handles, row, teff=change) - row
        for row, change in zip(start, (100, -200), strict=True)
    ]
    wanted = start + apart + 0.1 * handles["m_h"].direction
    np.testing.assert_allclose(both, wanted)


def test_a_curved_owner_is_followed_and_its_ends_are_not_passed():
    temperature = np.random.default_rng(1).uniform(4000, 10000, 2000)
    latents = np.stack([-np.log(temperature / 6000), np.zeros(2000)], axis=1)
    handles = fit_handles(latents, {"teff": temperature}, units={"teff": "K"})
    assert handles["teff"].node == 0
    start = -np.log(np.array([[4500.0], [9800.0], [np.nan]]) / 6000) * [1, 0]
    with pytest.warns(AstroLatentWarning, match=r"1 of 3 spectra .* range of teff, 4"):
        moved = intervene(handles, start, teff=500 * u.K)
    assert 6000 * np.exp(-moved[0, 0]) == pytest.approx(5000, abs=15)
    assert np.isnan(moved[1:]).all()
    np.testing.assert_allclose(handles["teff"].read(start[:1]), 4500, atol=15)


def test_an_owner_can_be_refused_or_imposed(planted):
    latents, labels = planted
    free = fit_handles(latents, labels, nodes={"radial_velocity": None})
    assert free["radial_velocity"].node is None
    moved = intervene(free, latents[:1], radial_velocity=10)
    assert moved[0, 2] - latents[0, 2] == pytest.approx(0.2, abs=0.01)
    assert fit_handles(latents, labels, nodes={"teff": 1})["teff"].node == 1
    with pytest.raises(ValueError, match="node 2 does not follow 'teff'"):
        fit_handles(latents, labels, nodes={"teff": 2})
    with pytest.raises(ValueError, match="no node 4 for 'teff', of 4 latents"):
        fit_handles(latents, labels, nodes={"teff": 4})
    with pytest.raises(UnknownNameError, match="tef"):
        fit_handles(latents, labels, nodes={"tef": 1})


def test_what_cannot_be_moved_is_named(planted, handles):
    latents, labels = planted
    with pytest.raises(UnknownNameError, match="m_h"):
        intervene(handles, latents, fe_h=0.1)
    with pytest.raises(u.UnitConversionError, match="'K'"):
        intervene(handles, latents, teff=5 * u.km / u.s)
    with pytest.raises(ValueError, match="handles for 4 latents, not 3"):
        intervene(handles, latents[:, :3], teff=5)
    with pytest.raises(WeightsNotFoundError, match="fit handles"):
        intervene("apogee_starnet_v1", latents, teff=5)
    labels = {name: np.full(800, np.nan) for name in labels.colnames}
    with pytest.raises(ValueError, match="0 of 800 spectra have finite latents and"):
        fit_handles(latents, labels)


def test_handles_survive_a_file_and_bad_files_are_named(handles, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    path = write_handles(handles, tmp_path)
    again = read_handles(tmp_path)
    for name, handle in handles.items():
        assert again[name].node == handle.node
        np.testing.assert_allclose(again[name].direction, handle.direction, rtol=1e-6)
        np.testing.assert_allclose(again[name].values, handle.values, rtol=1e-6)
    good = path.read_text()
    for old, new in (
        ('"node": 2', '"node": 7'), ('"label": "teff"', '"name": "teff"'),
        ('"unit": "K"', '"unit": "parrots"'),
        ("[", "("), ('"knots": [', '"knots": [9,'),
    ):  # fmt: skip
        assert old in good
        path.write_text(good.replace(old, new, 1))
        with pytest.raises(WeightsError, match=r"handles\.json"):
            read_handles(tmp_path)


def test_labels_that_move_no_better_than_not_at_all_are_warned_of(handles, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    scores = {"radial_velocity": 0.02, "teff": 1.3}
    write_handles(
        {name: replace(h, score=scores.get(name)) for name, h in handles.items()},
        tmp_path,
    )
    scored = read_handles(tmp_path)
    with warnings.catch_warnings(action="error"):
        intervene(scored, np.zeros(4), radial_velocity=5, m_h=0.1)
    with pytest.warns(AstroLatentWarning, match="teff moved leaves 1.30 times"):
        moved = intervene(scored, np.zeros(4), teff=50)
    unscored = intervene(handles, np.zeros(4), teff=50)
    np.testing.assert_allclose(moved, unscored, rtol=1e-5, atol=1e-9)
    with pytest.raises(ValueError, match="score of 'teff' must be 0 or more"):
        replace(handles["teff"], score=-1.0)


@pytest.mark.parametrize(
    "name", ["harps_dae_fast_v1", "harps_dae128_v1", "harps_dae128_v2"]
)
def test_bundled_handles_are_of_the_bundled_latents(name):
    handles = read_handles(name)
    assert handles.keys() >= {"radial_velocity", "teff", "logg", "m_h"}
    size = 48 if name == "harps_dae_fast_v1" else 128
    assert {len(handle.direction) for handle in handles.values()} == {size}
    table = Table.read(SCORES)
    for label in ("radial_velocity", "teff", "logg", "m_h"):
        row = table[(table["model"] == name) & (table["label"] == label)][0]
        told = handles[label].score
        assert told == pytest.approx(row["score"] / row["ignored"], abs=1e-3)


@pytest.mark.parametrize(
    ("name", "n_latent", "share"),
    [("harps_dae_fast_v1", 48, 0.05), ("harps_dae128_v2", 128, 0.5)],
)
def test_moving_the_bundled_velocity_shifts_the_bundled_decoder(name, n_latent, share):
    from astro_latent.models import load_model

    model = load_model(name, device="cpu")
    score = score_velocity_node(
        model, np.zeros((1, n_latent)), velocities=(-20.0, 20.0),
        move=lambda z, v: intervene(model, z, radial_velocity=v),
    )  # fmt: skip
    assert score.score < share * score.ignored


def test_intervention_score_of_a_linear_decoder(planted, handles, rng):
    latents, _ = planted
    basis = rng.normal(size=(4, 30))
    start = latents[:50]
    changes = np.array([-0.2, 0.3])
    exact = LabelHandle(
        label="m_h", unit="dex", low=-1, high=1, direction=[1.0, 0, 0, 2], knots=[],
        values=[], spearman=0.5, n_used=9,
    )  # fmt: skip
    truth = start + changes[:, None, None] * exact.direction
    valid = np.arange(30) > 3

    def score(handle):
        return score_label_handle(
            lambda z: z @ basis, start, handle, changes=changes, truth=truth,
            valid=valid,
        )  # fmt: skip

    perfect = score(exact)
    assert perfect.score < 1e-6
    wanted = np.abs(exact.direction @ basis)[valid].mean() * np.abs(changes).mean()
    assert perfect.ignored == pytest.approx(wanted, rel=1e-5)
    assert perfect.count == 100
    fitted = score(handles["m_h"])
    off = np.abs((handles["m_h"].direction - exact.direction) @ basis)[valid].mean()
    assert fitted.score == pytest.approx(off * np.abs(changes).mean(), rel=1e-5)
    assert fitted.error < 1e-6  # the same for all stars
    with pytest.raises(ValueError, match=r"truth has shape \(1, 50, 4\) for 2 changes"):
        score_label_handle(
            lambda z: z @ basis, start, exact, changes=changes, truth=truth[:1]
        )


def test_stars_that_leave_the_range_do_not_count(planted, handles):
    latents, labels = planted
    truth = latents[None] + [0, 0, 0.8, 0]  # 40 km/s
    scored = score_label_handle(
        lambda z: z, latents, handles["radial_velocity"], changes=[40.0], truth=truth
    )
    inside = labels["radial_velocity"] < 60
    assert scored.count == pytest.approx(inside.sum(), abs=2)
    assert scored.score < 1e-5 < scored.ignored
    with pytest.raises(ValueError, match="no spectrum stays within -"):
        score_label_handle(
            lambda z: z, latents, handles["radial_velocity"], changes=[300.0],
            truth=truth,
        )  # fmt: skip
