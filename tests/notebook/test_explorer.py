# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""An explorer of an autoencoder whose decoder is known: clicks, sliders, a page."""

import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import Table

from astro_latent.exceptions import UnknownNameError
from astro_latent.latent import fit_handles
from astro_latent.notebook import explore

C_KMS = 299_792.458
GRID = np.arange(6000.0, 6300.0, 0.1)
WINDOW = (6140.0, 6160.0)


def line(velocity, depth):
    shifted = 6150 * (1 + velocity / C_KMS)
    return 1 - depth * np.exp(-(((GRID - shifted) / 0.6) ** 2))


class OneLine:
    """Node 0 is the velocity over 50 km/s, node 1 the depth, node 2 nothing."""

    name, capabilities = "one_line", ("encode", "decode")
    grid = SimpleNamespace(wavelength=GRID, valid=np.ones(len(GRID), bool))
    config = SimpleNamespace(n_outputs=3)

    def decode(self, mean, *, pixels=slice(None)):
        flux = [line(50.0 * row[0], 0.5 + 0.1 * row[1])[pixels] for row in mean]
        return np.array(flux)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(3)
    velocity, depth = rng.uniform(-100, 100, 300), rng.normal(size=300)
    latents = np.stack([velocity / 50, depth, rng.normal(0, 0.001, 300)], axis=1)
    latents[7] = np.nan
    return Table(
        {
            "obs_id": [f"star {i}" for i in range(300)],
            "latent": latents,
            "velocity": velocity,
            "survey": ["a", "b"] * 150,
        }
    )


@pytest.fixture
def explorer(table):
    labels = {"radial_velocity": table["velocity"]}
    handles = fit_handles(table["latent"], labels, units={"radial_velocity": "km/s"})
    return explore(OneLine(), table, handles=handles, window=WINDOW)


def moved_line(explorer):
    """Where the line that moves is deepest, or None if nothing has moved."""
    flux = explorer.spectrum_panel.figure.axes[0].lines[-1].get_ydata()
    if np.isnan(flux).all():
        return None
    return GRID[explorer.session.pixels(WINDOW)][np.nanargmin(flux)]


def test_a_failed_row_does_not_hide_a_good_one_of_its_name(table):
    twice = table.copy()
    twice["obs_id"][7] = "star 0"
    assert explore(OneLine(), twice, handles={}, window=WINDOW).session.row == 0


def click(explorer, row):
    """Press the button of the mouse where a star lies on the map."""
    from matplotlib.backend_bases import MouseEvent

    panel = explorer.map_panel
    canvas = panel.figure.canvas
    x, y = panel.figure.axes[0].transData.transform(panel.places[row])
    canvas.callbacks.process(
        "button_press_event", MouseEvent("button_press_event", canvas, x, y, button=1)
    )


def test_a_click_on_the_map_picks_a_star_and_shows_it(explorer, table):
    click(explorer, 120)
    assert explorer.session.row == 120
    assert explorer.controls.star.value == 120
    assert "star 120" in explorer.controls.note.value
    assert "no spectrum is known" in explorer.controls.note.value
    shown = explorer.spectrum_panel.figure.axes[0].lines[0].get_ydata()
    truth = line(table["velocity"][120], 0.5 + 0.1 * table["latent"][120, 1])
    inside = explorer.session.pixels(WINDOW)
    assert GRID[inside][[0, -1]] == pytest.approx(WINDOW, abs=0.11)
    np.testing.assert_allclose(shown, truth[inside], atol=2e-4)


def test_a_slider_in_kilometres_per_second_moves_the_line_by_them(explorer, table):
    row = int(np.abs(table["velocity"]).argmin())
    explorer.choose(row)
    assert moved_line(explorer) is None
    slider = explorer.controls.sliders["radial_velocity"]
    assert slider.description == "radial_velocity [km/s]"
    assert slider.min == pytest.approx(-100, abs=3)
    slider.value = 60.0
    wanted = 6150 * (1 + (60 + table["velocity"][row]) / C_KMS)
    assert moved_line(explorer) == pytest.approx(wanted, abs=0.1)
    explorer.controls.reset.click()
    assert moved_line(explorer) is None
    assert slider.value == 0
    with pytest.raises(UnknownNameError, match="slider"):
        explorer.change(radial_velocty=5.0)


def test_zero_is_a_step_of_every_slider_and_canvases_have_sizes(explorer):
    for row in (3, 50, 120):
        explorer.choose(row)
        slider = explorer.controls.sliders["radial_velocity"]
        steps = -slider.min / slider.step
        assert slider.value == 0
        assert steps == pytest.approx(round(steps), abs=1e-6)
    for panel in (explorer.map_panel, explorer.spectrum_panel):
        assert panel.figure.canvas._size == tuple(panel.figure.bbox.size)


def test_tables_put_together_know_each_node_of_the_star_once(table):
    from astropy.table import vstack

    parts = [table[:100], table[100:]]
    for part in parts:
        part.meta["latent_groups"] = {"star": [0, 1]}
    both = explore(OneLine(), vstack(parts), handles={}, window=WINDOW)
    assert both.session.leading == (0, 1)


def test_latents_that_scatter_and_have_no_label_have_sliders(explorer):
    assert list(explorer.controls.node_sliders) == [1]
    explorer.controls.node_sliders[1].value = 1.0
    change = explorer.spectrum_panel.figure.axes[1].lines[0].get_ydata()
    assert change.min() == pytest.approx(-0.1, abs=1e-3)


def test_neighbours_are_those_of_the_latents(explorer, table):
    explorer.choose(50)
    rows = [row for _, row in explorer.controls.neighbours.options]
    apart = np.linalg.norm(table["latent"] - table["latent"][50], axis=1)
    assert rows == np.argsort(apart)[1:7].tolist()
    explorer.controls.neighbours.value = rows[0]
    labels = explorer.spectrum_panel.figure.axes[0].get_legend().get_texts()
    assert "neighbour" in [text.get_text() for text in labels]


def test_maps_and_colours_can_be_changed(explorer, table):
    explorer.controls.method.value = "pca"
    assert np.isnan(explorer.map_panel.places[7]).all()
    spread = np.nanstd(explorer.map_panel.places, axis=0)
    assert spread[0] == pytest.approx(np.nanstd(table["latent"][:, 0]), rel=0.05)
    explorer.controls.colour.value = "survey"
    texts = explorer.map_panel.figure.axes[0].get_legend().get_texts()
    assert [text.get_text() for text in texts] == ["a", "b"]


def test_a_page_holds_all_frames_and_asks_no_server(explorer, tmp_path):
    explorer.choose(5)
    path = explorer.save_html(tmp_path / "page.html", rows=[5, 9], n_steps=3)
    text = path.read_text(encoding="utf-8")
    assert len(re.findall('"image"', text)) == 6
    assert set(re.findall(r'(?:src|href)="([^"]{4})', text)) == {"data"}
    assert "http" not in text
    assert text.count("<button") == 2
    assert explorer.session.row == 5
    with pytest.raises(ValueError, match="at least one star"):
        explorer.save_html(tmp_path / "none.html", rows=[])


def test_it_is_shown_as_a_widget(explorer):
    shown = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in shown


def test_what_cannot_be_explored_says_why(table, monkeypatch):
    with pytest.raises(TypeError, match="'apogee_starnet_v1' has no decoder"):
        explore("apogee_starnet_v1", table)
    with pytest.raises(ValueError, match="latent with 48 numbers in each row"):
        explore("harps_dae_fast_v1", table)
    with pytest.raises(ValueError, match="row 7 has no latents: star 7"):
        explore(OneLine(), table, handles={}).session.choose(7)
    with pytest.raises(UnknownNameError):
        explore("nothing_v1", table)
    monkeypatch.setitem(sys.modules, "ipympl", None)
    with pytest.raises(ImportError, match=r"astro_latent\[notebook\]"):
        explore(OneLine(), table)


def test_other_figures_are_drawn_as_before(table, monkeypatch):
    """ipympl makes itself the backend of all figures when it is first imported."""
    from matplotlib import pyplot as plt

    before = plt.get_backend()
    monkeypatch.delitem(sys.modules, "ipympl", raising=False)
    explore(OneLine(), table, handles={})
    assert plt.get_backend() == before


def test_the_bundled_sample_with_its_spectra_and_the_saliency_of_a_label():
    import astro_latent as al

    sample = al.get_survey("sample").table()
    harps = sample[sample["survey"] == "harps"]
    encoded = al.encode_spectra(harps, model="harps_dae_fast_v1", reconstruct=False)
    explorer = explore(
        "harps_dae_fast_v1", encoded, spectra=harps, label_model="harps_parameters_v2"
    )
    above, below = explorer.spectrum_panel.figure.axes
    assert [one.get_label() for one in above.lines] == ["spectrum", "model", "moved"]
    assert np.nanstd(below.lines[0].get_ydata()) < 0.03
    explorer.controls.saliency.value = "teff"
    (shade,) = above.collections
    assert shade.get_paths()[0].get_extents().height == pytest.approx(0.5, abs=1e-6)
    explorer.controls.sliders["radial_velocity"].value = 20.0
    assert np.isfinite(above.lines[-1].get_ydata()).all()
