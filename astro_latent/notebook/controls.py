# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The widgets of an explorer, and where they stand."""

import warnings
from html import escape
from typing import Any

import numpy as np
from astropy.table import Table

from ..plotting import HARPS_WINDOWS, MapPanel, SpectrumPanel
from .session import Session

__all__ = ["NONE", "Controls"]

#: What stands for no choice.
NONE = "none"

_METHODS = {"two nodes": "nodes", "PCA": "pca", "t-SNE": "tsne", "UMAP": "umap"}
_SHOWN = 6  # neighbours


class Controls:
    """Widgets that choose a star, a map, a window, and that move labels.

    Parameters
    ----------
    session : Session
        What there is to choose.
    window : tuple of float, optional
        Wavelengths to show first, Ångström.

    Attributes
    ----------
    sliders, node_sliders : dict of str or int to `ipywidgets.FloatSlider`
        Change of each label, and of each latent that no label owns.
    star, method, nodes, colour, window, neighbours, saliency, reset, note : Widget
        What chooses, and what is said.
    """

    def __init__(
        self, session: Session, *, window: tuple[float, float] | None = None
    ) -> None:
        import ipywidgets as widgets

        narrow = widgets.Layout(width="17em")
        table, n_latent = session.table, session.latents.shape[1]
        labels = [] if session.label_model is None else session.label_model.outputs
        grid = session.model.grid.wavelength[session.model.grid.valid]

        def choice(text: str, options: list | dict) -> Any:
            return widgets.Dropdown(description=text, options=options, layout=narrow)

        self.star = choice("Star", _names(session))
        self.star.value = session.row
        self.method = choice("Map", _METHODS)
        self.colour = choice("Colour", [NONE, *_columns(table)])
        self.window = choice("Window", _windows(grid, window))
        self.saliency = choice("Saliency", [NONE, *(label.name for label in labels)])
        self.nodes = [
            widgets.BoundedIntText(
                value=min(node, n_latent - 1), max=n_latent - 1, description=text,
                layout=narrow,
            )
            for text, node in zip(("Node x", "Node y"), session.leading, strict=True)
        ]  # fmt: skip
        self.neighbours = widgets.Select(
            description="Neighbours", options=[], rows=_SHOWN,
            layout=widgets.Layout(width="26em"),
        )  # fmt: skip
        self.reset = widgets.Button(description="Back to the star")
        self.note = widgets.HTML()
        self.sliders = {
            name: _slider(_titled(name, handle.unit))
            for name, handle in session.handles.items()
        }
        self.node_sliders = {n: _slider(f"node {n}", (-2, 2)) for n in session.nodes}

    def all_sliders(self) -> dict[str, Any]:
        """Return the sliders of labels and of latents.

        Returns
        -------
        dict of str to `ipywidgets.FloatSlider`
            By label, or by what a slider of a latent is called.
        """
        nodes = {slider.description: slider for slider in self.node_sliders.values()}
        return self.sliders | nodes

    def show_star(self, session: Session) -> None:
        """Bring all to what is known of the chosen star: sliders at zero.

        Parameters
        ----------
        session : Session
            With another star.
        """
        for name, slider in self.sliders.items():
            low, high = session.range_of(name)
            step = float(f"{(high - low) / 200:.1g}") or 1.0
            slider.value, slider.step, slider.disabled = 0.0, step, low == high
            # browsers count steps from the lower end: zero has to be one of them
            slider.min = step * np.ceil(min(low, 0.0) / step)
            slider.max = step * np.floor(max(high, 0.0) / step)
        for slider in self.node_sliders.values():
            slider.value = 0.0
        found = session.neighbours(_SHOWN)
        self.neighbours.options = [
            (f"{row['obs_id']}: {row['distance']:.2f}", int(row["row"]))
            for row in found
        ]
        self.neighbours.value = None
        self.note.value = _note(session)

    def lay_out(self, map_panel: MapPanel, spectrum_panel: SpectrumPanel) -> Any:
        """Put the widgets and two panels side by side.

        Parameters
        ----------
        map_panel, spectrum_panel : MapPanel, SpectrumPanel
            What is drawn into.

        Returns
        -------
        `ipywidgets.Widget`
            All of it.
        """
        import ipywidgets as widgets

        choices = (
            self.star, self.method, self.colour, self.window, self.saliency,
            *self.nodes,
        )  # fmt: skip
        chosen = widgets.HBox(choices, layout=widgets.Layout(flex_flow="row wrap"))
        # where a screen is too narrow the spectrum stands below the map, uncut
        whole = {"flex": "0 0 auto", "overflow": "hidden"}
        left = widgets.VBox(
            [_canvas(map_panel), self.neighbours, self.note],
            layout=widgets.Layout(**whole),
        )
        nodes = widgets.Accordion(
            [widgets.VBox(list(self.node_sliders.values()))], titles=("Other nodes",)
        )
        right = widgets.VBox(
            [_canvas(spectrum_panel), *self.sliders.values(), self.reset, nodes],
            layout=widgets.Layout(**whole),
        )
        wrap = widgets.Layout(flex_flow="row wrap")
        return widgets.VBox([chosen, widgets.HBox([left, right], layout=wrap)])


def _canvas(panel: MapPanel | SpectrumPanel) -> Any:
    """Return a widget that shows a panel and hears clicks on it."""
    from ipympl.backend_nbagg import Canvas, FigureManager

    class WholeFrames(Canvas):
        """Sends whole pictures: of two changes in a row browsers may lose the first."""

        def get_diff_image(self) -> bytes | None:
            self._force_full = True
            return super().get_diff_image()

    with warnings.catch_warnings():  # of ipympl's toolbar, which traitlets dislikes
        warnings.simplefilter("ignore", DeprecationWarning)
        canvas = WholeFrames(panel.figure)
        FigureManager(canvas, 0)
    # only a canvas that is displayed alone says its size to the browser in time
    canvas._size = tuple(float(side) for side in panel.figure.bbox.size)
    canvas.header_visible = canvas.footer_visible = canvas.resizable = False
    canvas.toolbar_visible = False
    return canvas


def _slider(text: str, limits: tuple[float, float] = (-1, 1)) -> Any:
    import ipywidgets as widgets

    return widgets.FloatSlider(
        value=0.0, min=limits[0], max=limits[1], step=0.02, description=text,
        style={"description_width": "12em"}, layout=widgets.Layout(width="42em"),
    )  # fmt: skip


def _titled(label: str, unit: str) -> str:
    return f"{label} [{unit}]" if unit else label


def _names(session: Session) -> list[tuple[str, int]]:
    """Return what stars are called, for those that can be chosen."""
    table = session.table
    known = "target_name" if "target_name" in table.colnames else "obs_id"
    rows = np.flatnonzero(np.isfinite(session.latents).all(axis=1)).tolist()
    return [(f"{table[known][i] or table['obs_id'][i]} ({i})", i) for i in rows]


def _columns(table: Table) -> list[str]:
    """Return the columns that can colour a map."""
    return [
        name
        for name in table.colnames
        if table[name].ndim == 1 and name not in ("obs_id", "message")
        and (table[name].dtype.kind in "fiub" or len(np.unique(table[name])) < 12)
    ]  # fmt: skip


def _windows(
    grid: np.ndarray, window: tuple[float, float] | None
) -> dict[str, tuple[float, float]]:
    """Return windows of the grid by name; a hundredth of it if none is known."""
    known = {
        name.replace("$", "").replace("\\", "").replace("_2", "2"): limits
        for name, limits in HARPS_WINDOWS.items()
        if grid[0] <= limits[0] and limits[1] <= grid[-1]
    }
    if window is not None:
        known = {f"{window[0]:.6g} to {window[1]:.6g} Å": window} | known
    if not known:
        place = grid[len(grid) // 2 :][: max(len(grid) // 100, 200)]
        known = {"middle": (float(place[0]), float(place[-1]))}
    return known


def _note(session: Session) -> str:
    """Say what the chosen star is, in HTML."""
    row = session.table[session.row]
    said = [f"<b>{escape(str(row['obs_id']))}</b>"]
    for name, handle in session.handles.items():
        now = float(handle.read(session.start[None])[0])
        if np.isfinite(now):
            said.append(f"{name}: {now:.5g} {escape(handle.unit)} (node {handle.node})")
    message = row["message"] if "message" in session.table.colnames else ""
    if message is not np.ma.masked and str(message):
        said.append(escape(str(message)))
    if session.flux is None:
        said.append("no spectrum is known: reconstruction alone")
    return "<br>".join(said)
