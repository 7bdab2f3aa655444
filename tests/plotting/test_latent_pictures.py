# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What pictures of latents show: bars, maps, ranges, sweeps."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.colors import to_hex

from astro_latent.latent import (
    find_monotone_range,
    measure_dispersion,
    measure_mutual_information,
    traverse_node,
)
from astro_latent.plotting import (
    plot_dispersion,
    plot_indicator,
    plot_latent_label,
    plot_map,
    plot_mutual_information,
    plot_traversal,
)
from astro_latent.spectra import QualityFlag


@pytest.fixture(scope="module")
def latents():
    mean = np.random.default_rng(2).normal(size=(600, 20))
    mean[:, 4:] *= 0.001
    return mean


@pytest.fixture(scope="module")
def information(latents):
    labels = {
        "teff": 5500 + 500 * latents[:, 1],
        "radial_velocity": 20 * latents[:, 3],
        "mg_h": np.full(600, np.nan),
    }
    return measure_mutual_information(
        latents, labels, binnings=(5, 20), n_permutations=99, n_neighbors=3, rng=1
    )


def test_dispersion_has_a_bar_per_node_and_names_the_informative(latents, drawn):
    result = measure_dispersion(latents, n_bootstrap=10, rng=0)
    ax = drawn(plot_dispersion(result))
    assert len(ax.patches) == 20
    np.testing.assert_allclose(
        [bar.get_height() for bar in ax.patches], result.median_deviation
    )
    assert [text.get_text() for text in ax.texts] == ["0", "1", "2", "3"]
    colours = {to_hex(bar.get_facecolor()) for bar in ax.patches[:4]}
    assert colours.isdisjoint(to_hex(bar.get_facecolor()) for bar in ax.patches[4:])
    assert ax.lines[0].get_ydata()[0] == 0.02
    assert ax.get_yscale() == "log"
    assert ax.get_title() == "4 above 0.02 (95% interval 4 to 4), 600 spectra"
    assert ax.get_ylabel() == "Median absolute deviation"


def test_dead_nodes_do_not_break_the_logarithm(drawn):
    mean = np.zeros((10, 3))
    mean[:, 1] = np.linspace(-1, 1, 10)
    ax = drawn(plot_dispersion(measure_dispersion(mean)))
    assert 0 < ax.get_ylim()[0] < 1e-4
    assert "interval" not in ax.get_title()  # there was no bootstrap


def test_map_shows_values_labels_and_significance(information, drawn):
    ax = drawn(plot_mutual_information(information, nodes=[3, 1, 0]))
    image = np.ma.filled(ax.images[0].get_array(), np.nan)
    np.testing.assert_array_equal(image, information.neighbours[:, [3, 1, 0]])
    rows = [text.get_text() for text in ax.get_yticklabels()]
    assert rows == [r"$T_{\mathrm{eff}}$", "Radial velocity", "[Mg/H]"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["3", "1", "0"]
    texts = [text.get_text() for text in ax.texts]
    assert texts[1] == f"{information.neighbours[0, 1]:.2f}"
    assert texts[6:] == ["n/a"] * 3
    dots = ax.collections[0].get_offsets()
    assert np.round(dots).tolist() == [[1, 0], [0, 1]]
    assert "0.01 in every binning" in ax.get_title()


def test_map_of_a_binning_is_the_corrected_one(information):
    ax = plot_mutual_information(information, n_bins=20)
    image = np.ma.filled(ax.images[0].get_array(), np.nan)
    np.testing.assert_array_equal(image, information.corrected[:, 1])
    assert not ax.texts  # twenty nodes are too many to write
    assert ax.figure.axes[1].get_ylabel() == "Corrected MI, 20 bins [nat]"


def test_map_refuses_what_was_not_measured(information):
    with pytest.raises(ValueError, match=r"7 bins were not measured, only \(5, 20\)"):
        plot_mutual_information(information, n_bins=7)
    with pytest.raises(ValueError, match=r"nodes \[99\] were not measured"):
        plot_mutual_information(information, nodes=[1, 99])


def test_indicator_is_the_published_map(information, drawn):
    ax = drawn(plot_indicator(information, "teff"))
    np.testing.assert_array_equal(ax.images[0].get_array(), information.indicator[0])
    assert ax.images[0].get_clim() == (0, 1)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["5", "20"]
    assert ax.get_title().endswith("node 1 first")
    assert plot_indicator(information, "mg_h").get_title().endswith("at every binning")
    with pytest.raises(ValueError, match="no label is called 'logg'"):
        plot_indicator(information, "logg")


def test_latent_against_label_shades_the_fold(drawn):
    label = np.linspace(-1, 3, 1000)
    node = label**2
    found = find_monotone_range(node, label)
    ax = drawn(
        plot_latent_label(node, label, name="radial_velocity", index=124, found=found)
    )
    assert ax.get_xlabel() == r"Radial velocity [km s$^{-1}$]"
    assert ax.get_ylabel() == "Node 124"
    assert len(ax.collections[0].get_offsets()) == 1000
    (shade,) = ax.patches  # only below
    assert shade.get_x() == -1
    assert shade.get_x() + shade.get_width() == pytest.approx(found.low)
    assert "folds back below" in ax.get_title()
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert sorted(legend) == ["median in bins", "out of range"]


def test_latent_that_follows_nothing_says_so(rng):
    node, label = rng.normal(size=(2, 800))
    found = find_monotone_range(node, label)
    ax = plot_latent_label(node, label, name="teff", found=found)
    assert ax.get_title() == "the node does not follow the label"
    assert not ax.patches
    assert ax.get_ylabel() == "Node"


@pytest.fixture
def sweep():
    wavelength = np.arange(6000.0, 6300.0, 0.5)
    line = np.exp(-(((wavelength - 6150) / 2) ** 2))
    grid = SimpleNamespace(wavelength=wavelength, valid=wavelength > 6010)
    model = SimpleNamespace(decode=lambda z: 1 - z[:, :1] * line, grid=grid)
    return traverse_node(model, np.zeros(2), node=0, values=[-0.5, 0, 0.25, 0.5])


def test_traversal_draws_every_step_and_its_difference(sweep, drawn):
    figure = drawn(plot_traversal(sweep, window=(6100, 6200), n_lines=5))
    above, below, bar = figure.axes
    assert len(above.lines) == 4
    inside = (sweep.wavelength >= 6100) & (sweep.wavelength <= 6200)
    for i in range(4):
        np.testing.assert_array_equal(above.lines[i].get_ydata(), sweep.flux[i, inside])
        np.testing.assert_array_equal(
            below.lines[i].get_ydata(), sweep.difference[i, inside]
        )
    assert below.lines[4].get_xdata()[0] == 6150  # the one line that moves
    assert len({to_hex(line.get_color()) for line in above.lines}) == 4
    assert bar.get_ylabel() == "Node 0"
    assert bar.get_ylim() == (-0.5, 0.5)
    assert below.get_xlabel() == "Wavelength [Å]"


def test_traversal_leaves_padding_out_and_names_an_empty_window(sweep):
    above = plot_traversal(sweep).axes[0]
    assert above.get_xlim()[0] > 6010
    with pytest.raises(ValueError, match=r"no pixel within \(1, 2\)"):
        plot_traversal(sweep, window=(1, 2))


def test_traversal_without_wavelengths_counts_pixels(drawn):
    sweep = traverse_node(lambda z: z @ np.ones((1, 30)), np.zeros(1), node=0)
    below = drawn(plot_traversal(sweep)).axes[1]
    assert below.get_xlabel() == "Pixel"


def test_latent_against_label_draws_the_flagged_apart_and_counts_the_rest(drawn):
    node = np.array([0.1, 0.2, 0.3, np.nan])
    flagged = np.array([False, True, False, False])
    ax = drawn(plot_latent_label(node, np.arange(4.0), name="teff", flagged=flagged))
    points, crosses = ax.collections
    assert len(points.get_offsets()) == 2
    assert crosses.get_offsets().tolist() == [[1.0, 0.2]]
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert sorted(texts) == ["1 flagged", "1 without a value"]


def test_map_is_coloured_by_numbers_or_words(latents):
    places = latents[:, :2].copy()
    places[5] = np.nan
    colour = np.where(np.arange(600) % 7, latents[:, 2], np.nan)
    flagged = np.arange(600) < 10
    ax = plot_map(places, colour, name="teff", flagged=flagged)
    crosses, grey, points = ax.collections
    assert len(crosses.get_offsets()) == 9  # one of ten has no place
    assert len(grey.get_offsets()) == np.isnan(colour[10:]).sum()
    assert len(points.get_offsets()) == np.isfinite(colour[10:]).sum()
    np.testing.assert_array_equal(
        points.get_array(), colour[10:][np.isfinite(colour[10:])]
    )
    ax = plot_map(places, np.where(places[:, 0] > 0, "apogee", ""), name="survey")
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["apogee", "unknown"]
    assert sum(len(c.get_offsets()) for c in ax.collections) == 599


def test_a_map_names_quality_bits_and_greys_what_is_unknown(rng, drawn):
    from astropy.table import MaskedColumn

    places = rng.normal(size=(30, 2))
    flags = np.where(np.arange(30) < 10, int(QualityFlag.MANY_BAD_PIXELS), 0)
    ax = drawn(plot_map(places, flags, name="flags"))
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["MANY_BAD_PIXELS", "none"]
    teff = MaskedColumn(np.linspace(4000, 6900, 30), mask=np.arange(30) < 4)
    ax = drawn(plot_map(places, teff, name="teff", limits=(4500, 6000)))
    assert [len(points.get_offsets()) for points in ax.collections] == [4, 26]
    assert ax.collections[1].get_clim() == (4500, 6000)
    survey = np.array([f"s{i % 12:02}" for i in range(30)])
    ax = drawn(plot_map(places, survey, name="survey"))
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert len(texts) == 10
    assert texts[-1] == "other"


def test_an_outlier_does_not_take_the_colours(rng):
    values = np.r_[np.linspace(0, 1, 99), 1e6]
    ax = plot_map(rng.normal(size=(100, 2)), values)
    assert ax.collections[-1].get_clim()[1] < 2
