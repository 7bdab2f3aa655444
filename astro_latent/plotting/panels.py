# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Pictures that stay: a map of which a star is picked, a spectrum whose lines move."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .maps import plot_map
from .style import BLUE, GREY, ORANGE, VERMILLION, flux_limits, pad_limits

if TYPE_CHECKING:
    from matplotlib.backend_bases import Event

__all__ = ["MapPanel", "SpectrumPanel"]


class MapPanel:
    """A map of latents on which one star, and its neighbours, are marked.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.plotting import MapPanel
    >>> panel = MapPanel()
    >>> panel.show(np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 1.0]]))
    >>> panel.mark(1, [2])
    >>> panel.nearest_to(2.5, 1.2)
    2
    """

    def __init__(self) -> None:
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=(4.9, 4.4), dpi=80, layout="constrained")
        self.places = np.empty((0, 2))
        self._marks: list[Any] = []

    def show(
        self,
        places: np.ndarray,
        colour: np.ndarray | None = None,
        *,
        axes: tuple[str, str] = ("", ""),
        **options: Any,
    ) -> None:
        """Draw another map.

        Parameters
        ----------
        places : ndarray, shape (n_spectra, 2)
            From `~astro_latent.latent.map_latents`, or two latents.
        colour : ndarray, shape (n_spectra,), optional
            As for `plot_map`.
        axes : tuple of str, optional
            What the axes are called.
        **options
            Of `plot_map`, such as ``name`` and ``flagged``.
        """
        self.figure.clear()
        self.places = np.asarray(places, dtype=float)
        ax = plot_map(self.places, colour, ax=self.figure.subplots(), **options)
        ax.set(xlabel=axes[0], ylabel=axes[1])
        rings: dict[str, Any] = {"ls": "", "mfc": "none", "zorder": 5}
        self._marks = [
            ax.plot([], [], "o", ms=9, mew=1.2, mec=GREY, **rings)[0],
            ax.plot([], [], "o", ms=13, mew=2.2, mec=VERMILLION, **rings)[0],
        ]

    def mark(self, row: int, neighbours: Sequence[int] = ()) -> None:
        """Mark a star and its neighbours, and draw.

        Parameters
        ----------
        row : int
            Of the star.
        neighbours : sequence of int, optional
            Rows of its neighbours.
        """
        around, star = self._marks
        around.set_data(*self.places[list(neighbours)].T)
        star.set_data(*self.places[[row]].T)
        self.figure.canvas.draw()

    def nearest_to(self, x: float, y: float) -> int:
        """Return the row whose place is nearest on the screen.

        Parameters
        ----------
        x, y : float
            On the map.

        Returns
        -------
        int
            The row.
        """
        to_screen = self.figure.axes[0].transData.transform
        apart = to_screen(self.places) - to_screen([(x, y)])
        return int(np.nanargmin(np.hypot(*apart.T)))

    def on_figure(self, rows: Sequence[int]) -> np.ndarray:
        """Return where stars lie on the picture.

        Parameters
        ----------
        rows : sequence of int
            Of the stars.

        Returns
        -------
        ndarray, shape (n_rows, 2)
            Shares of width and height, from the lower left corner.
        """
        on_screen = self.figure.axes[0].transData.transform(self.places[list(rows)])
        return self.figure.transFigure.inverted().transform(on_screen)

    def on_pick(self, choose: Callable[[int], None]) -> None:
        """Call a function with the nearest row whenever the map is clicked.

        Parameters
        ----------
        choose : callable
            Is given the row.
        """
        from matplotlib.backend_bases import LocationEvent

        def clicked(event: "Event") -> None:
            if not isinstance(event, LocationEvent) or event.xdata is None:
                return
            if event.inaxes is self.figure.axes[0] and event.ydata is not None:
                choose(self.nearest_to(event.xdata, event.ydata))

        self.figure.canvas.mpl_connect("button_press_event", clicked)


class SpectrumPanel:
    """A spectrum, its reconstruction and the residual, and a spectrum that moves.

    All but the moving lines is drawn once and kept as an image, so that a frame costs
    no more than two lines.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.plotting import SpectrumPanel
    >>> wavelength = np.linspace(6552.0, 6574.0, 500)
    >>> model = 1 - 0.7 * np.exp(-((wavelength - 6562.8) / 1.5) ** 2)
    >>> panel = SpectrumPanel()
    >>> panel.show(wavelength, model, flux=model + 0.01)
    >>> panel.move(np.roll(model, 20))
    """

    def __init__(self) -> None:
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=(8.2, 4.4), dpi=80)
        self._image: Any = None
        self._above, self._below = self.figure.subplots(
            2, 1, sharex=True, height_ratios=(2.4, 1)
        )
        self.figure.subplots_adjust(0.1, 0.12, 0.98, 0.92, hspace=0.06)
        self._moving: list[Any] = []
        self._reference = np.empty(0)
        self.figure.canvas.mpl_connect("draw_event", self._keep)

    def show(
        self,
        wavelength: np.ndarray,
        reconstruction: np.ndarray,
        *,
        flux: np.ndarray | None = None,
        neighbour: np.ndarray | None = None,
        saliency: np.ndarray | None = None,
        title: str = "",
    ) -> None:
        """Draw another star or window; nothing has moved yet.

        Parameters
        ----------
        wavelength, reconstruction : ndarray, shape (n_pixels,)
            Ångström; decoded flux, in units of the median flux.
        flux : ndarray, shape (n_pixels,), optional
            The spectrum itself, NaN where nothing was measured.
        neighbour : ndarray, shape (n_pixels,), optional
            Another spectrum, drawn beneath.
        saliency : ndarray, shape (n_pixels,), optional
            How much a label depends on each pixel, shaded from below.
        title : str, optional
            Above all.
        """
        above, below = self._above, self._below
        for ax in (above, below):
            ax.clear()
        shown = [reconstruction]
        if neighbour is not None:
            above.plot(wavelength, neighbour, color=GREY, lw=2.2, label="neighbour")
        if flux is not None:
            shown.append(flux)
            above.plot(wavelength, flux, color="black", lw=0.8, label="spectrum")
            below.plot(wavelength, flux - reconstruction, color="black", lw=0.7)
        above.plot(wavelength, reconstruction, color=VERMILLION, lw=0.9, label="model")
        low, high = flux_limits(*shown)
        below.set_ylim(*self._residual_limits(flux, reconstruction, high - low))
        above.set_ylim(low, high)
        if saliency is not None:
            self._shade(wavelength, saliency)
        nowhere = np.full(len(wavelength), np.nan)
        moving: dict[str, Any] = {"color": BLUE, "lw": 1.1, "animated": True}
        self._moving = [
            above.plot(wavelength, nowhere, label="moved", **moving)[0],
            below.plot(wavelength, nowhere, **moving)[0],
        ]
        self._reference = reconstruction
        below.axhline(0.0, color="black", lw=0.5)
        above.set(xlim=(wavelength[0], wavelength[-1]), ylabel="Flux / median")
        above.set_title(title, fontsize="medium")
        below.set(xlabel="Wavelength [Å]", ylabel="Difference")
        above.legend(loc="lower right", fontsize="small", ncols=4)
        self.figure.canvas.draw()

    def move(self, moved: np.ndarray) -> None:
        """Draw the spectrum that moves, and its difference from the reconstruction.

        Parameters
        ----------
        moved : ndarray, shape (n_pixels,)
            On the pixels that are shown.
        """
        spectrum, change = self._moving
        spectrum.set_ydata(moved)
        change.set_ydata(moved - self._reference)
        canvas: Any = self.figure.canvas
        if self._image is None:
            canvas.draw()
            return
        canvas.restore_region(self._image)
        self._draw_moving()
        canvas.blit(self.figure.bbox)

    def _residual_limits(
        self, flux: np.ndarray | None, reconstruction: np.ndarray, height: float
    ) -> tuple[float, float]:
        """Room for the residual, and for a third of the lines' depth to move."""
        room = height / 3
        if flux is not None:
            room = max(room, float(np.nanpercentile(np.abs(flux - reconstruction), 99)))
        return pad_limits(-room, room)

    def _shade(self, wavelength: np.ndarray, saliency: np.ndarray) -> None:
        """Shade how much a label depends on each pixel, at most half of the height."""
        size = np.abs(np.nan_to_num(saliency))
        size = size / (size.max() or 1.0)
        self._above.fill_between(
            wavelength, 0, 0.5 * size, color=ORANGE, alpha=0.55, lw=0, label="saliency",
            transform=self._above.get_xaxis_transform(),
        )  # fmt: skip

    def _draw_moving(self) -> None:
        for line in self._moving:
            line.axes.draw_artist(line)

    def _keep(self, _: object) -> None:
        """Keep what does not move, whenever all is drawn."""
        canvas: Any = self.figure.canvas
        if canvas.is_saving():
            return
        self._image = canvas.copy_from_bbox(self.figure.bbox)
        self._draw_moving()
