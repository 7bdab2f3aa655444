# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What an explorer knows: latents, one chosen star, and what its latents became."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy.table import Table

from ..exceptions import WeightsNotFoundError
from ..latent import LabelHandle, LatentIndex, intervene, measure_saliency, read_handles
from ..latent.samples import as_floats
from ..latent.similarity import star_nodes
from ..models import LabelModel, LatentModel, ModelLike, load_model
from ..preparation import PreparedSpectra, prepare_spectra
from ..spectra.reading import SpectraLike

__all__ = ["Session"]

#: A latent that scatters by less tells nothing (Sedaghat et al. 2021).
_SILENT = 0.02


class Session:
    """Latents of many spectra, of which one is looked at; draws nothing.

    Parameters
    ----------
    model : str, path-like or LatentModel
        An autoencoder.
    table : Table
        What `~astro_latent.encode_spectra` returned, with any further columns.
    spectra : SpectraLike or PreparedSpectra, optional
        The spectra themselves: a table of observations, matched by ``obs_id``, or a
        sequence in the order of the rows. What is prepared for another model counts as
        not known, so that it shows no saliency of a label model of another recipe.
    handles : mapping of str to LabelHandle, optional
        What moves each label; by default what comes with the model.
    label_model : str, path-like or LabelModel, optional
        Whose labels' saliency can be shown.

    Raises
    ------
    TypeError
        If the model has no decoder.
    ValueError
        If the table has no latents of this model, or none is finite.
    """

    def __init__(
        self,
        model: ModelLike | LatentModel,
        table: Table,
        *,
        spectra: SpectraLike | PreparedSpectra | None = None,
        handles: Mapping[str, LabelHandle] | None = None,
        label_model: ModelLike | LabelModel | None = None,
    ) -> None:
        self.model: Any = _loaded(model)
        if "decode" not in self.model.capabilities:
            msg = f"model {self.model.name!r} has no decoder: nothing could be moved"
            raise TypeError(msg)
        wanted = (len(table), self.model.config.n_outputs)
        if "latent" not in table.colnames or table["latent"].shape != wanted:
            msg = (
                f"the table needs a column latent with {wanted[1]} numbers in each row"
            )
            raise ValueError(msg)
        self.table = table
        self.latents = np.asarray(table["latent"], dtype=float)
        self.index = LatentIndex(table)
        self.handles = _handles(self.model) if handles is None else dict(handles)
        self.label_model: Any = None if label_model is None else _loaded(label_model)
        self._spectra = spectra
        self._rows = {
            str(table["obs_id"][row]): int(row)
            for row in np.flatnonzero(np.isfinite(self.latents).all(axis=1))
        }
        self.choose(self._rows[str(self.index.obs_id[0])])

    @property
    def nodes(self) -> list[int]:
        """Latents of the star that scatter, and that no label owns."""
        known = star_nodes(self.table)
        candidates = range(self.latents.shape[1]) if known is None else known
        owned = {handle.node for handle in self.handles.values()}
        middle = np.nanmedian(self.latents, axis=0)
        spread = np.nanmedian(np.abs(self.latents - middle), axis=0)
        return [n for n in candidates if spread[n] > _SILENT and n not in owned]

    @property
    def leading(self) -> tuple[int, int]:
        """Two latents that make a first map: those of the star that scatter most."""
        known = star_nodes(self.table) or range(self.latents.shape[1])
        spread = np.nanstd(self.latents, axis=0)
        first, *others = sorted(known, key=lambda node: -spread[node])
        return first, others[0] if others else first

    def pixels(self, window: tuple[float, float]) -> slice:
        """Return the pixels of the grid that lie within a window.

        Parameters
        ----------
        window : tuple of float
            Wavelengths, Ångström.

        Returns
        -------
        slice
            Of two pixels at least.
        """
        wavelength = self.model.grid.wavelength
        first, last = np.searchsorted(wavelength, window)
        first = min(int(first), len(wavelength) - 2)
        return slice(first, max(int(last), first + 2))

    def choose(self, row: int) -> None:
        """Look at another star; nothing of it has moved yet.

        Parameters
        ----------
        row : int
            Of the table.

        Raises
        ------
        ValueError
            If the latents of the row are not finite.
        """
        start = self.latents[row]
        if not np.isfinite(start).all():
            msg = f"row {row} has no latents: {self.table['obs_id'][row]}"
            raise ValueError(msg)
        self.row, self.start = row, start
        self.prepared = self._prepare(row, self.model)
        self.reconstruction = self.decode(start)

    @property
    def flux(self) -> np.ndarray | None:
        """The chosen spectrum as the model sees it, NaN where nothing was measured."""
        if self.prepared is None or not self.prepared.usable[0]:
            return None
        return np.where(self.prepared.valid[0], self.prepared.flux[0], np.nan)

    def decode(self, latents: np.ndarray, pixels: slice = slice(None)) -> np.ndarray:
        """Decode one spectrum.

        Parameters
        ----------
        latents : ndarray, shape (n_latent,)
            Latents.
        pixels : slice, optional
            Those that are wanted.

        Returns
        -------
        ndarray, shape (n_wanted,)
            Flux in units of its median.
        """
        return self.model.decode(latents[None].astype(np.float32), pixels=pixels)[0]

    def moved(
        self,
        labels: Mapping[str, float],
        nodes: Mapping[int, float],
        pixels: slice = slice(None),
    ) -> np.ndarray:
        """Decode the chosen star with its labels, and then its latents, changed.

        Parameters
        ----------
        labels : mapping of str to float
            Changes in the units of the handles.
        nodes : mapping of int to float
            Changes of latents.
        pixels : slice, optional
            Those that are wanted.

        Returns
        -------
        ndarray, shape (n_wanted,)
            NaN where a label would leave its range.
        """
        latents = intervene(self.handles, self.start, **labels)
        for node, change in nodes.items():
            latents[node] += change
        return self.decode(latents, pixels)

    def range_of(self, label: str) -> tuple[float, float]:
        """Return by how much a label of the chosen star may change.

        Parameters
        ----------
        label : str
            One of `handles`.

        Returns
        -------
        low, high : float
            To the ends of its owner's range, both zero for a star outside of it;
            without an owner, a quarter of the range to each side.
        """
        handle = self.handles[label]
        now = float(handle.read(self.start[None])[0])
        if np.isfinite(now):  # the ends themselves may be lost to rounding
            inside = 0.999 * (np.array([handle.low, handle.high]) - now)
            return float(inside[0]), float(inside[1])
        if handle.node is not None:
            return 0.0, 0.0
        quarter = 0.25 * (handle.high - handle.low)
        return -quarter, quarter

    def neighbours(self, n: int) -> Table:
        """Return the nearest spectra, with their rows in the table.

        Parameters
        ----------
        n : int
            How many.

        Returns
        -------
        Table
            As of `LatentIndex.query_id`, and a column ``row``.
        """
        found = self.index.query_id(str(self.table["obs_id"][self.row]), n=n)
        found["row"] = [self._rows[str(name)] for name in found["obs_id"]]
        return found

    def saliency(self, label: str) -> np.ndarray | None:
        """Return how much a label of the chosen spectrum depends on each pixel.

        Parameters
        ----------
        label : str
            Of the label model.

        Returns
        -------
        ndarray, shape (n_pixels,) or None
            Magnitude of the derivative; None without a spectrum.
        """
        if self.label_model is None or self.flux is None:
            return None
        spectrum = self._prepare(self.row, self.label_model)
        if spectrum is None or not spectrum.usable[0]:
            return None
        found = measure_saliency(self.label_model, spectrum)
        size = found.magnitude[found.row(label)]
        return np.interp(self.model.grid.wavelength, found.wavelength, size)

    def _prepare(
        self, row: int, model: LabelModel | LatentModel
    ) -> PreparedSpectra | None:
        """Prepare the spectrum of a row, if it is known."""
        source: Any = self._spectra
        if isinstance(source, PreparedSpectra):
            same = source.grid.name == model.grid.name and source.recipe == model.recipe
            return source[row] if same else None
        if isinstance(source, Table):
            mine = np.flatnonzero(source["obs_id"] == self.table["obs_id"][row])
            source = source[mine[:1]] if mine.size else None
        elif isinstance(source, Sequence) and not isinstance(source, str):
            source = [source[row]]
        if source is None:
            return None
        velocity = np.nan
        if "velocity_used" in self.table.colnames:
            velocity = float(as_floats(self.table["velocity_used"])[row])
        return prepare_spectra(
            source, model.grid, model.recipe, radial_velocity=velocity, progress=False
        )


def _loaded(model: ModelLike | LabelModel | LatentModel) -> Any:
    return load_model(model) if isinstance(model, str | os.PathLike) else model


def _handles(model: LatentModel) -> dict[str, LabelHandle]:
    """Return what comes with the model, if anything does."""
    try:
        return read_handles(model.name)
    except WeightsNotFoundError:
        return {}
