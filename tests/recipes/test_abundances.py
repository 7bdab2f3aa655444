# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Stars with abundances of their own: interpolator, ratio, independence, scores."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from astro_latent.models.architectures.starnet import StarNet
from astro_latent.preparation import get_grid
from astro_latent.simulation.apogee_synthesis import (
    ALPHA_ELEMENTS,
    NODE_LABELS,
    SynthesisEmulator,
    broaden,
    read_nodes,
)
from astro_latent.tables.columns import LABELS
from astro_latent.training.outputs import keep_outputs
from astro_latent.training.scores import bound_covariance
from astro_latent.training.start import share_layers
from recipes.apogee_starnet_abundances_v1 import abundances
from recipes.apogee_starnet_abundances_v1.abundances import (
    ABUNDANCE_LABELS,
    DRAWN_RANGES,
    AbundanceStars,
    abundance_labels,
    clean_spectra,
    draw_abundance_stars,
    reference_pattern,
)
from recipes.apogee_starnet_abundances_v1.arcturus import ARCTURUS, read_arcturus
from recipes.apogee_starnet_abundances_v1.finish import choose_labels
from recipes.apogee_starnet_abundances_v1.scores import (
    INFORMATION_LIMIT,
    POINTS,
    guess_scaled_solar,
    make_stars_at,
    measure_skill,
)

NODES = "apogee/synthetic/apogee_like_nodes.npz"
GRID = get_grid("apogee_7214")


@pytest.fixture
def base(rng, monkeypatch):
    """Stars without the table of real ones."""
    low = [4100.0, 1.3, -0.9, -0.2, 2.0]
    high = [6400.0, 4.7, 0.38, 0.4, 12.0]
    labels = rng.uniform(low, high, (4000, 5))
    monkeypatch.setattr(
        abundances, "draw_apogee_stars", lambda data, n, *, seed: labels[:n]
    )
    return labels


def test_the_emulator_reproduces_a_quadratic(rng):
    labels = rng.normal(size=(400, 4))
    pixels = np.stack(
        [1 + 0.3 * labels[:, 0] * labels[:, 1], labels[:, 2] ** 2 - labels[:, 3]],
        axis=1,
    )
    smooth = SynthesisEmulator.fit(labels[:300], pixels[:300], ridge=1e-6)
    np.testing.assert_allclose(smooth.flux(labels[300:]), pixels[300:], atol=2e-4)


def test_the_radial_functions_follow_what_no_quadratic_does(rng):
    x = rng.uniform(-2.0, 2.0, 500)
    labels = np.column_stack([x, rng.normal(size=500)])
    flux = (np.sin(3.0 * x) + x)[:, None]
    emulator = SynthesisEmulator.fit(labels[:400], flux[:400], length=0.5)
    left = emulator.flux(labels[400:]) - flux[400:]
    quadratic = np.polyval(np.polyfit(x, flux[:, 0], 2), x[400:]) - flux[400:, 0]
    assert np.std(left) < 0.05 * np.std(quadratic)


def test_labels_that_change_nothing_do_not_count_in_distances(rng):
    labels = rng.normal(size=(300, 3))
    flux = np.stack([np.sin(labels[:, 0]), 0.02 * labels[:, 1]], axis=1)
    reach = SynthesisEmulator.fit(labels, flux).reach
    assert reach[0] > 5 * reach[1]
    assert reach[0] > 5 * reach[2]


def test_broadening_is_a_gaussian_that_keeps_the_flux_of_a_line():
    flux = np.ones((2, GRID.n_pixels), np.float32)
    flux[:, 1500] = 0.0
    pixel = 299_792.458 * 6e-6 * np.log(10.0)
    wide = broaden(flux, np.array([0.0, 2.3548 * 2.0 * pixel]))
    np.testing.assert_allclose(wide[0], flux[0], atol=1e-5)
    expected = gaussian_filter1d(flux[1].astype(float), 2.0, truncate=8)
    np.testing.assert_allclose(wide[1, 1400:1600], expected[1400:1600], atol=1e-4)
    first, last = GRID.segments[0]
    assert wide[1, first:last].sum() == pytest.approx(
        flux[1, first:last].sum(), abs=0.05
    )


def test_names_are_those_of_the_results():
    assert set(ABUNDANCE_LABELS) <= set(LABELS)
    assert set(INFORMATION_LIMIT) == set(ABUNDANCE_LABELS)
    assert {f"{x}_fe" for x in DRAWN_RANGES} == set(NODE_LABELS[4:])


def test_drawn_abundances_tell_nothing_about_each_other(base):
    stars = draw_abundance_stars("nowhere", len(base), seed=3)
    over_iron = stars.nodes[:, 4:]
    names = NODE_LABELS[4:]
    everything = np.column_stack([over_iron, stars.nodes[:, :2], base[:, 2:4]])
    correlation = np.corrcoef(everything.T)[: len(names)]
    tied = {("c_fe", "o_fe"), ("o_fe", "c_fe")}
    limit = 5.0 / np.sqrt(len(base))
    for i, name in enumerate(names):
        for j in range(correlation.shape[1]):
            other = names[j] if j < len(names) else "parameter"
            if i != j and (name, other) not in tied:
                assert abs(correlation[i, j]) < limit, (name, other)
        assert np.ptp(over_iron[:, i]) > 0.65, name
    carbon, oxygen = (
        over_iron[:, names.index("c_fe")],
        over_iron[:, names.index("o_fe")],
    )
    assert (carbon - oxygen).max() <= 0.15 + 1e-9  # no carbon stars in the library


def test_labels_are_over_hydrogen_and_those_that_the_spectrum_is_made_with(base):
    stars = draw_abundance_stars("nowhere", 50, seed=4)
    np.testing.assert_allclose(stars.labels[:, :2], base[:50, :2])
    np.testing.assert_allclose(stars.labels[:, 3], base[:50, 2])
    np.testing.assert_allclose(
        stars.labels[:, 4:] - stars.labels[:, 3:4], stars.nodes[:, 4:]
    )
    np.testing.assert_allclose(stars.nodes[:, [0, 1, 3]], stars.reference[:, [0, 1, 3]])


def test_the_reference_is_scaled_solar_plus_alpha_with_mixed_giants():
    rows = reference_pattern(
        np.array([[5777.0, 4.44, 0.0, 0.0, 4.0], [4800.0, 2.5, -0.3, 0.2, 5.0]])
    )
    sun = dict(zip(NODE_LABELS, rows[0], strict=True))
    assert all(sun[name] == 0.0 for name in NODE_LABELS[3:])
    giant = dict(zip(NODE_LABELS, rows[1], strict=True))
    assert all(giant[f"{x}_fe"] == 0.2 for x in ALPHA_ELEMENTS)
    assert giant["n_fe"] > 0.1 > giant["c_fe"] > 0.0
    assert giant["ni_fe"] == giant["al_fe"] == 0.0


def test_a_star_with_the_reference_pattern_is_the_emulators_own(monkeypatch, base, rng):
    own = rng.uniform(0.5, 1.0, (5, GRID.n_pixels)).astype(np.float32)

    class Emulator:
        bias_out = np.zeros(GRID.n_pixels)

        def flux(self, labels):
            return own[: len(labels)]

    class Synthesis:
        def flux(self, labels):
            return np.tile(0.9 - 0.1 * labels[:, 4:5], GRID.n_pixels).astype(np.float32)

    monkeypatch.setattr(abundances, "apogee_emulator", lambda data: Emulator())
    stars = AbundanceStars(*(part[:5] for part in draw_abundance_stars("x", 5, seed=1)))
    same = stars._replace(nodes=stars.reference)
    np.testing.assert_allclose(
        clean_spectra(same, "x", synthesis=Synthesis()), own, rtol=1e-5
    )
    ratio = (0.9 - 0.1 * stars.nodes[:, 4:5]) / (0.9 - 0.1 * stars.reference[:, 4:5])
    np.testing.assert_allclose(
        clean_spectra(stars, "x", synthesis=Synthesis()), own * ratio, rtol=1e-4
    )


def test_skill_is_zero_for_the_baseline_and_one_for_the_truth(base):
    truth = draw_abundance_stars("nowhere", 800, seed=5).labels
    perfect, idle = (
        measure_skill(truth, truth),
        measure_skill(guess_scaled_solar(truth), truth),
    )
    for kind in ("giants", "dwarfs"):
        np.testing.assert_allclose(list(perfect[kind]["skill"].values()), 1.0)
        np.testing.assert_allclose(list(idle[kind]["skill"].values()), 0.0, atol=1e-12)
    assert choose_labels(perfect) == list(ABUNDANCE_LABELS)
    assert choose_labels(idle) == ["teff", "logg", "fe_h"]


def test_stars_of_a_point_scatter_about_the_pattern():
    stars = make_stars_at("giant_4800", 500, seed=1)
    assert tuple(stars.base[0, :3]) == POINTS["giant_4800"]
    spread = (stars.labels - abundance_labels(stars.reference))[:, 4:].std(0)
    np.testing.assert_allclose(spread, 0.097, atol=0.015)
    np.testing.assert_array_equal(stars.nodes[:, :4], stars.reference[:, :4])


def test_the_bound_is_that_of_least_squares(rng):
    gradients, noise = rng.normal(size=(3, 500)), 0.2
    covariance = bound_covariance(gradients, noise, np.full(3, 1e6))
    noisy = gradients.T @ np.ones((3, 1)) + noise * rng.normal(size=(500, 4000))
    fitted = np.linalg.lstsq(gradients.T, noisy, rcond=None)[0]
    np.testing.assert_allclose(
        fitted.std(axis=1), np.sqrt(np.diag(covariance)), rtol=0.05
    )
    tight = bound_covariance(gradients, noise, np.array([1e-6, 1e6, 1e6]))
    assert np.sqrt(tight[0, 0]) == pytest.approx(1e-6, rel=1e-3)


def test_outputs_that_are_left_away_do_not_change_the_others():
    torch.manual_seed(0)
    network = StarNet(n_pixels=64, n_labels=5, heteroscedastic=True)
    torch.nn.init.normal_(network.log_variance.weight)
    smaller = StarNet(n_pixels=64, n_labels=2, heteroscedastic=True)
    fewer = keep_outputs(network, smaller, [0, 3])
    flux = torch.rand(4, 64)
    for ours, theirs in zip(fewer(flux), network(flux), strict=True):
        torch.testing.assert_close(ours, theirs[:, [0, 3]])


def test_shared_layers_are_those_of_the_published_weights():
    from astro_latent.models import load_model

    network = StarNet(n_labels=22, heteroscedastic=True)
    before = network.output.weight.clone()
    share_layers(network, "apogee_starnet_v1")
    published = load_model("apogee_starnet_v1", device="cpu").members[0]
    torch.testing.assert_close(network.dense[0].weight, published.dense[0].weight)
    torch.testing.assert_close(network.pixel_mean, published.pixel_mean)
    torch.testing.assert_close(network.output.weight, before)


def test_a_library_with_other_labels_or_missing_pixels_is_refused(tmp_path):
    names = np.array([n.upper().replace("VMICRO", "VMIC") for n in NODE_LABELS])
    record = {
        "labels": np.zeros((2, 22)), "flux": np.full((2, 8575), 65535, np.uint16),
        "scale": 20000, "nan_code": 65535, "label_names": names,
    }  # fmt: skip
    np.savez(tmp_path / "nodes.npz", **record)
    with pytest.raises(ValueError, match="lacks pixels"):
        read_nodes(tmp_path / "nodes.npz")
    np.savez(tmp_path / "nodes.npz", **{**record, "label_names": names[::-1]})
    with pytest.raises(ValueError, match="has the labels"):
        read_nodes(tmp_path / "nodes.npz")


def test_held_out_nodes_are_predicted_as_the_documentation_says(real_data):
    labels, flux = read_nodes(real_data / NODES)
    some = slice(0, None, 12)  # one pixel in twelve, so that it takes seconds
    emulator = SynthesisEmulator.fit(labels[:4111], flux[:4111, some])
    residual = emulator.flux(labels[4111:]) - flux[4111:, some]
    assert np.sqrt(np.mean(residual**2)) < 0.0024
    mean = flux[4111:, some] - flux[:4111, some].mean(0)
    assert np.sqrt(np.mean(mean**2)) > 0.03  # what no interpolation would leave


def test_the_lines_of_arcturus_are_at_rest(real_data):
    arcturus = read_arcturus(real_data / "apogee/atlases/arct.20190830.txt")
    for line in (15888.41, 15960.06, 16215.67, 16680.77):  # Si I in air
        window = np.abs(arcturus.wavelength - line) < 0.5
        deepest = arcturus.wavelength[window][np.argmin(arcturus.flux[window])]
        assert deepest == pytest.approx(line, abs=0.08)
    assert ARCTURUS["mn_fe"] + ARCTURUS["fe_h"] == pytest.approx(-0.73)
