# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Widgets: a map to pick stars from, sliders that move lines, neighbours beside."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from astropy.table import Table

from ..exceptions import UnknownNameError
from ..latent import LabelHandle, map_latents
from ..models import LabelModel, LatentModel, ModelLike
from ..plotting import MapPanel, SpectrumPanel
from ..preparation import PreparedSpectra
from ..spectra.reading import SpectraLike
from .controls import NONE, Controls
from .page import Frame, write_page
from .session import Session

__all__ = ["Explorer", "explore"]


def explore(
    model: ModelLike | LatentModel,
    table: Table,
    *,
    spectra: SpectraLike | PreparedSpectra | None = None,
    handles: Mapping[str, LabelHandle] | None = None,
    label_model: ModelLike | LabelModel | None = None,
    window: tuple[float, float] | None = None,
) -> "Explorer":
    """Explore the latents of spectra in a notebook.

    A click on the map picks a star; sliders move its labels, in their units, and the
    latents that no label owns, and the lines move with them.

    Parameters
    ----------
    model : str, path-like or LatentModel
        The autoencoder that the latents are from.
    table : Table
        What `~astro_latent.encode_spectra` returned; any columns added to it can
        colour the map.
    spectra : SpectraLike or PreparedSpectra, optional
        The spectra themselves: a table of observations, matched by ``obs_id``, or a
        sequence in the order of the rows. Without, reconstructions are shown alone.
    handles : mapping of str to LabelHandle, optional
        What moves each label, from `~astro_latent.latent.fit_handles`; by default what
        comes with the model.
    label_model : str, path-like or LabelModel, optional
        A model whose labels' saliency can be drawn over the spectrum.
    window : tuple of float, optional
        Wavelengths to show first, Ångström.

    Returns
    -------
    Explorer
        Shown when it is the last line of a cell.

    Raises
    ------
    ImportError
        If ipywidgets or ipympl are not installed: they come with the extra
        ``notebook``.
    TypeError
        If the model has no decoder.
    ValueError
        If the table has no latents of this model.

    Examples
    --------
    >>> import astro_latent as al
    >>> from astro_latent.notebook import explore
    >>> sample = al.get_survey("sample").table()
    >>> harps = sample[sample["survey"] == "harps"]
    >>> table = al.encode_spectra(harps, model="harps_dae_fast_v1")
    >>> explorer = explore("harps_dae_fast_v1", table, spectra=harps)
    >>> explorer.controls.sliders["radial_velocity"].value = 20.0  # km/s
    """
    _import_widgets()
    session = Session(
        model, table, spectra=spectra, handles=handles, label_model=label_model
    )
    return Explorer(session, window=window)


def _import_widgets() -> None:
    """Import what draws; ipympl makes itself the backend, which has to stay."""
    from matplotlib import pyplot as plt

    before = plt.get_backend()
    try:
        import ipympl  # noqa: F401
        import ipywidgets  # noqa: F401
    except ImportError as error:
        msg = (
            "explore needs ipywidgets and ipympl: pip install 'astro_latent[notebook]'"
        )
        raise ImportError(msg) from error
    if plt.get_backend() != before:
        plt.switch_backend(before)


class Explorer:
    """Widgets around a session; made by `explore`.

    Parameters
    ----------
    session : Session
        Latents, and the chosen star.
    window : tuple of float, optional
        Wavelengths to show first, Ångström.

    Attributes
    ----------
    controls : Controls
        What chooses and what moves.
    map_panel, spectrum_panel : MapPanel, SpectrumPanel
        What is seen.
    widget : `ipywidgets.Widget`
        All of it, to be put into other widgets.
    """

    def __init__(
        self, session: Session, *, window: tuple[float, float] | None = None
    ) -> None:
        self.session = session
        self.map_panel, self.spectrum_panel = MapPanel(), SpectrumPanel()
        self.controls = Controls(session, window=window)
        self.widget = self.controls.lay_out(self.map_panel, self.spectrum_panel)
        self._quiet = False
        self._maps: dict[str, np.ndarray] = {}
        self._draw_map()
        self._show_star()
        self._connect()

    def _repr_mimebundle_(self, **options: object) -> dict[str, object]:
        return self.widget._repr_mimebundle_(**options)

    def choose(self, row: int) -> None:
        """Look at another star, as a click on the map does.

        Parameters
        ----------
        row : int
            Of the table.
        """
        self.controls.star.value = row

    def change(self, **labels: float) -> None:
        """Move labels by so much and all other sliders back to zero.

        Parameters
        ----------
        **labels : float
            Changes in the units of the sliders, which hold them to their ranges.

        Raises
        ------
        UnknownNameError
            If there is no slider of a label.
        """
        sliders = self.controls.all_sliders()
        for name in labels:
            if name not in sliders:
                raise UnknownNameError("slider", name, list(sliders))
        self._quiet = True
        for name, slider in sliders.items():
            slider.value = labels.get(name, 0.0)
        self._quiet = False
        self._move()

    def save_html(
        self,
        path: str | Path,
        *,
        rows: list[int] | None = None,
        labels: list[str] | None = None,
        n_steps: int = 7,
        share: float = 0.2,
    ) -> Path:
        """Write some frames as a page that needs neither kernel nor network.

        Parameters
        ----------
        path : path-like
            File to write.
        rows : list of int, optional
            Stars; by default the chosen one and its two nearest neighbours.
        labels : list of str, optional
            Labels with a slider; by default the first three.
        n_steps : int, optional
            Steps of each slider; an odd number holds the star as it is.
        share : float, optional
            How much of each slider's range the steps span.

        Returns
        -------
        Path
            The file.
        """
        chosen = self.session.row
        if rows is None:
            rows = [chosen, *self.session.neighbours(2)["row"].tolist()]
        labels = list(self.controls.sliders)[:3] if labels is None else labels
        frames = [
            frame for row in rows for frame in self._frames(row, labels, n_steps, share)
        ]
        self.choose(chosen)
        return write_page(Path(path), self.map_panel, frames)

    def _frames(
        self, row: int, labels: list[str], n_steps: int, share: float
    ) -> list[Frame]:
        """Draw a star with each label moved in steps."""
        self.choose(row)
        star = self.controls.star.label
        frames = []
        for label in labels:
            slider = self.controls.sliders[label]
            for change in share * np.linspace(slider.min, slider.max, n_steps):
                self.change(**{label: float(change)})
                frames.append(
                    Frame(
                        row=row, star=star, label=slider.description,
                        change=slider.value, panel=self.spectrum_panel,
                    )
                )  # fmt: skip
        self.change()
        return frames

    def _connect(self) -> None:
        """Make the widgets do what they say."""
        controls = self.controls
        controls.star.observe(self._on_star, "value")
        for part in (controls.method, controls.colour, *controls.nodes):
            part.observe(lambda _: self._draw_map(), "value")
        for part in (controls.window, controls.neighbours, controls.saliency):
            part.observe(lambda _: self._show_spectrum(), "value")
        for slider in controls.all_sliders().values():
            slider.observe(lambda _: self._move(), "value")
        controls.reset.on_click(lambda _: self.change())
        self.map_panel.on_pick(self.choose)

    def _on_star(self, change: Mapping[str, int]) -> None:
        self.session.choose(change["new"])
        self._show_star()

    def _draw_map(self) -> None:
        """Draw the map anew, and the marks on it."""
        session, controls = self.session, self.controls
        if controls.method.value == "nodes":
            nodes = [part.value for part in controls.nodes]
            places, axes = session.latents[:, nodes], [f"Node {n}" for n in nodes]
        else:
            places = self._mapped(controls.method.value)
            axes = [f"{controls.method.label} {number}" for number in (1, 2)]
        colour = None
        if controls.colour.value != NONE:
            colour = session.table[controls.colour.value]
        self.map_panel.show(
            places, colour, axes=(axes[0], axes[1]), name=controls.colour.value
        )
        self._mark()

    def _mapped(self, method: str) -> np.ndarray:
        """Map the latents, once by each method: another colour needs no other map."""
        if method not in self._maps:
            self._maps[method] = map_latents(self.session.table, method=method)
        return self._maps[method]

    def _mark(self) -> None:
        near = [row for _, row in self.controls.neighbours.options]
        self.map_panel.mark(self.session.row, near)

    def _show_star(self) -> None:
        """Show what is known of the chosen star, all sliders at zero."""
        self._quiet = True
        self.controls.show_star(self.session)
        self._quiet = False
        self._mark()
        self._show_spectrum()

    def _show_spectrum(self) -> None:
        """Draw the window of the chosen star, and what has moved in it."""
        if self._quiet:
            return
        session, controls = self.session, self.controls
        self._inside = session.pixels(controls.window.value)
        flux, saliency, neighbour = session.flux, None, None
        if controls.saliency.value != NONE:
            saliency = session.saliency(controls.saliency.value)
        if controls.neighbours.value is not None:
            neighbour = session.decode(session.latents[controls.neighbours.value])
        cut = [
            None if part is None else part[self._inside]
            for part in (flux, neighbour, saliency)
        ]
        self.spectrum_panel.show(
            session.model.grid.wavelength[self._inside],
            session.reconstruction[self._inside],
            flux=cut[0], neighbour=cut[1], saliency=cut[2],
            title=controls.star.label,
        )  # fmt: skip
        self._move()

    def _move(self) -> None:
        """Draw the lines where the sliders want them: one frame."""
        if self._quiet:
            return
        controls = self.controls
        labels = {n: s.value for n, s in controls.sliders.items() if s.value}
        nodes = {n: s.value for n, s in controls.node_sliders.items() if s.value}
        if labels or nodes:
            moved = self.session.moved(labels, nodes, self._inside)
        else:
            moved = np.full(self._inside.stop - self._inside.start, np.nan)
        self.spectrum_panel.move(moved)
