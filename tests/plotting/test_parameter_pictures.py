# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What pictures of parameters and saliency show."""

import subprocess
import sys

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, QTable, Table

from astro_latent.plotting import plot_comparison, plot_kiel, plot_saliency
from astro_latent.preparation import get_grid


@pytest.fixture
def stars():
    return Table(
        {
            "teff": [5772.0, 4286.0, np.nan, 6500.0],
            "logg": [4.44, 1.66, 4.0, 4.1],
            "fe_h": [0.0, -0.52, 0.1, 0.2],
            "teff_error": [50.0, 40.0, 50.0, 60.0],
            "logg_error": [0.1, 0.2, 0.1, 0.1],
        }
    )


def test_kiel_diagram_has_hot_stars_left_and_giants_up(stars, drawn):
    ax = drawn(plot_kiel(stars))
    left, right = ax.get_xlim()
    bottom, top = ax.get_ylim()
    assert left > 6500 > 4286 > right
    assert bottom > 4.44 > 1.66 > top
    assert ax.get_xlabel() == r"$T_{\mathrm{eff}}$ [K]"
    assert ax.get_ylabel() == r"$\log g$ [dex]"
    assert ax.get_title() == "3 stars, 1 without parameters"
    points = ax.collections[-1]
    assert points.get_offsets().tolist() == [[5772, 4.44], [4286, 1.66], [6500, 4.1]]
    assert points.get_array().tolist() == [0.0, -0.52, 0.2]
    assert ax.figure.axes[1].get_ylabel() == "[Fe/H] [dex]"


def test_kiel_draws_refused_stars_as_crosses(stars, drawn):
    stars["usable"] = [True, False, False, True]
    ax = drawn(plot_kiel(stars))
    assert ax.get_title() == "2 stars, 1 not usable (crosses), 1 without parameters"
    points, crosses = ax.collections[-2:]
    assert points.get_offsets().tolist() == [[5772, 4.44], [6500, 4.1]]
    assert crosses.get_offsets().tolist() == [[4286, 1.66]]
    stars["usable"] = False
    ax = drawn(plot_kiel(stars))
    assert len(ax.collections[-1].get_offsets()) == 3


def test_kiel_error_bars_have_the_length_of_the_errors(stars):
    across, up = plot_kiel(stars).collections[:2]
    spans = [segment[1] - segment[0] for segment in across.get_segments()]
    np.testing.assert_allclose(spans, [[100, 0], [80, 0], [120, 0]])
    spans = [segment[1] - segment[0] for segment in up.get_segments()]
    np.testing.assert_allclose(spans, [[0, 0.2], [0, 0.4], [0, 0.2]])


def test_kiel_takes_quantities_masks_and_one_colour(drawn):
    table = QTable({"teff": [5.772, 4.286] * u.kK, "logg": [4.44, 1.66]})
    ax = drawn(plot_kiel(table))
    assert ax.collections[0].get_offsets()[0].tolist() == [5772.0, 4.44]
    assert len(ax.figure.axes) == 1  # nothing to give a colour
    masked = Table(
        {"teff": MaskedColumn([5000.0, 1.0], mask=[0, 1]), "logg": [4.0, 4.0]}
    )
    assert plot_kiel(masked).get_title() == "1 stars, 1 without parameters"


def test_kiel_names_what_is_missing():
    with pytest.raises(ValueError, match="no column 'logg', only"):
        plot_kiel(Table({"teff": [5000.0]}))
    with pytest.raises(ValueError, match="none of the 1 rows"):
        plot_kiel(Table({"teff": [np.nan], "logg": [4.0]}))


def test_comparison_states_median_and_scatter_of_the_unflagged(drawn):
    reference = np.linspace(4000, 6000, 101)
    offset = np.linspace(-100, 140, 101)  # median 20, half of them within 60
    predicted = reference + offset
    flagged = np.zeros(105, bool)
    flagged[101:103] = True
    reference = np.append(reference, [5000, 5000, np.nan, 5000])
    predicted = np.append(predicted, [9000, 1000, 5000, np.nan])
    figure = drawn(
        plot_comparison(
            reference, predicted, name="teff", flagged=flagged, error=np.full(105, 30.0)
        )
    )
    above, below = figure.axes
    assert above.get_title() == "median +20, scatter 89 K"  # 1.4826 * 60
    legend = [text.get_text() for text in above.get_legend().get_texts()]
    assert legend == ["101 stars", "2 flagged", "2 without values"]
    assert above.get_xlim() == above.get_ylim()
    assert above.get_ylim()[1] < 7000  # flagged stars set no limit
    points = below.containers[0].lines[0]
    np.testing.assert_allclose(points.get_ydata(), offset)
    bars = above.containers[0].lines[2][0].get_segments()
    assert bars[0][1][1] - bars[0][0][1] == pytest.approx(60)
    assert below.get_xlabel() == r"$T_{\mathrm{eff}}$ [K], reference"
    assert below.get_ylabel() == r"$\Delta$ $T_{\mathrm{eff}}$ [K]"


def test_comparison_counts_what_it_cannot_draw(drawn):
    given = np.array([4000.0, 5000.0, np.nan, 6000.0])
    found = np.array([4010.0, np.nan, 5000.0, 6020.0])
    figure = drawn(plot_comparison(given, found, name="teff"))
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert texts == ["2 stars", "2 without values"]


def test_comparison_says_what_lies_beyond(rng):
    reference = rng.uniform(-20, 20, 300)
    predicted = reference + rng.uniform(-1, 1, size=300)
    predicted[:2] += 500
    below = plot_comparison(reference, predicted, name="radial_velocity").axes[1]
    assert below.get_ylim()[1] < 10
    assert below.texts[0].get_text() == "2 beyond"


def test_comparison_names_what_is_wrong():
    with pytest.raises(ValueError, match=r"\(2,\) predicted values for \(3,\)"):
        plot_comparison(np.zeros(3), np.zeros(2), name="teff")
    with pytest.raises(ValueError, match="none of the 2 stars"):
        plot_comparison(np.zeros(2), np.full(2, np.nan), name="teff")


def test_saliency_has_rows_of_labels_and_columns_of_windows(rng, drawn):
    wavelength = get_grid("apogee_7214").wavelength
    jacobian = rng.normal(size=(2, len(wavelength)))
    windows = {"Mg": (15735, 15775), "Al": (16710, 16770)}
    figure = drawn(
        plot_saliency(
            wavelength, jacobian, labels=["teff", "mg_h"], windows=windows,
            flux=np.ones(len(wavelength)), lines={"Mg I": 15740.7, "far": 15200.0},
        )
    )  # fmt: skip
    axes = np.reshape(figure.axes, (3, 2))
    assert [ax.get_title() for ax in axes[0]] == ["Mg", "Al"]
    assert [ax.get_ylabel() for ax in axes[:, 0]] == [
        "Flux",
        "$\\partial$ $T_{\\mathrm{eff}}$ / $\\partial$ flux\n[K]",
        "$\\partial$ [Mg/H] / $\\partial$ flux\n[dex]",
    ]
    inside = (wavelength >= 16710) & (wavelength <= 16770)
    np.testing.assert_array_equal(axes[2, 1].lines[1].get_ydata(), jacobian[1, inside])
    assert [text.get_text() for text in axes[0, 0].texts] == ["Mg I"]
    assert not axes[0, 1].texts
    assert axes[1, 0].lines[-1].get_xdata()[0] == 15740.7


def test_saliency_shades_the_windows_of_an_element(drawn):
    wavelength = np.arange(15000.0, 15100.0)
    window = np.zeros(100)
    window[[0, 1, 2, 50, 99]] = 0.4
    figure = drawn(
        plot_saliency(
            wavelength, np.ones((2, 100)), labels=["teff", "mg_h"],
            element_windows={"mg_h": window},
        )
    )  # fmt: skip
    without, shaded = (ax.patches for ax in figure.axes)
    assert not without
    spans = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in shaded]
    assert spans == [(14999.5, 15002.5), (15049.5, 15050.5), (15098.5, 15099.5)]


def test_saliency_breaks_between_detectors(drawn):
    grid = get_grid("apogee_7214")
    figure = drawn(plot_saliency(grid.wavelength, np.ones((1, 7214)), labels=["logg"]))
    values = figure.axes[0].lines[1].get_ydata()
    assert np.flatnonzero(np.isnan(values)).tolist() == [2920, 5321]


def test_saliency_names_what_is_wrong():
    with pytest.raises(ValueError, match=r"shape \(1, 5\) for 2 labels and 5 pixels"):
        plot_saliency(np.arange(5.0), np.ones((1, 5)), labels=["teff", "logg"])
    with pytest.raises(ValueError, match=r"window 'x', 10-20 .* holds no pixel"):
        plot_saliency(
            np.arange(5.0), np.ones((1, 5)), labels=["teff"], windows={"x": (10, 20)}
        )
    for name, n_pixels in (("fe_h", 5), ("teff", 6)):
        with pytest.raises(
            ValueError, match=rf"windows for '{name}' .* \({n_pixels},\)"
        ):
            plot_saliency(
                np.arange(5.0), np.ones((1, 5)), labels=["teff"],
                element_windows={name: np.ones(n_pixels)},
            )  # fmt: skip


def test_importing_the_room_does_not_import_matplotlib():
    code = "import astro_latent.plotting, sys; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
