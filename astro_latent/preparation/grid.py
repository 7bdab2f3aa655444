# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The wavelength grid that a model expects, with everything said that is assumed."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from ..exceptions import UnknownNameError
from ..spectra.observation import FRAMES, MEDIA, SpectrumArrays
from .axes import common_axis
from .pixels import Pixels

__all__ = ["GRIDS", "SpectralGrid", "get_grid"]


@dataclass(frozen=True, kw_only=True)
class SpectralGrid:
    """Wavelengths of a model's input, in Ångström, and what they are measured in.

    The grid has ``n_pixels`` pixels. Those outside ``segments`` are padding or gaps:
    they exist for the network and hold zeros.

    Parameters
    ----------
    name : str
        Short name, such as ``"apogee_7214"``.
    spacing : {"linear", "log10", "listed"}
        Pixel ``i`` lies at ``start + step * i``, at ``10**(start + step * i)``, or at
        ``values[i]``.
    start, step : float
        Of the spacing; unused for ``"listed"``.
    n_pixels : int
        Number of pixels, padding included.
    medium : {"air", "vacuum", "unknown"}
        What the wavelengths are measured in. Where a survey does not say it, a model
        takes its spectra as they come, and so its grid does not know either.
    frame : {"observed", "barycentric", "rest", "unknown"}
        Frame that the model expects.
    segments : tuple of (int, int)
        Half-open pixel ranges that carry data: detectors, chips.
    resolving_power : float
        Resolving power of the training spectra.
    values : tuple of float
        Wavelengths of a listed grid.

    Examples
    --------
    >>> from astro_latent.preparation import get_grid
    >>> grid = get_grid("harps_327680")
    >>> grid.n_pixels, int(grid.valid.sum())
    (327680, 309060)
    >>> round(float(grid.wavelength[7589]), 6)
    3785.0
    """

    name: str
    spacing: str
    n_pixels: int
    medium: str
    frame: str
    segments: tuple[tuple[int, int], ...]
    resolving_power: float
    start: float = 0.0
    step: float = 0.0
    values: tuple[float, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.spacing not in ("linear", "log10", "listed"):
            msg = f"spacing must be linear, log10 or listed, not {self.spacing!r}"
            raise ValueError(msg)
        if self.medium not in MEDIA:
            msg = f"medium must be one of {', '.join(MEDIA)}, not {self.medium!r}"
            raise ValueError(msg)
        if self.frame not in FRAMES:
            msg = f"frame must be one of {', '.join(FRAMES)}, not {self.frame!r}"
            raise ValueError(msg)
        if self.spacing == "listed" and len(self.values) != self.n_pixels:
            msg = f"{len(self.values)} listed wavelengths for {self.n_pixels} pixels"
            raise ValueError(msg)
        edges = [edge for segment in self.segments for edge in segment]
        if edges != sorted(edges) or not edges or edges[-1] > self.n_pixels:
            ranges = f"ordered ranges in 0..{self.n_pixels}"
            msg = f"segments must be {ranges}: {self.segments}"
            raise ValueError(msg)

    @cached_property
    def wavelength(self) -> np.ndarray:
        """Wavelength of every pixel, Ångström, float64, shape (n_pixels,)."""
        if self.spacing == "listed":
            wavelength = np.array(self.values, dtype=float)
        else:
            wavelength = self.start + self.step * np.arange(self.n_pixels)
            if self.spacing == "log10":
                wavelength = 10.0**wavelength
        wavelength.flags.writeable = False
        return wavelength

    @cached_property
    def valid(self) -> np.ndarray:
        """True for pixels that carry data, shape (n_pixels,)."""
        valid = np.zeros(self.n_pixels, dtype=bool)
        for first, last in self.segments:
            valid[first:last] = True
        valid.flags.writeable = False
        return valid

    @cached_property
    def pixels(self) -> Pixels:
        """The pixels of the segments, with their edges."""
        return Pixels(self.wavelength, self.segments)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain data, ready for JSON.

        Returns
        -------
        dict
            Argument of `from_dict`.
        """
        record = {
            key: getattr(self, key)
            for key in (
                "name", "spacing", "start", "step", "n_pixels", "medium", "frame",
                "resolving_power",
            )
        }  # fmt: skip
        record["segments"] = [list(segment) for segment in self.segments]
        if self.spacing == "listed":
            record["values"] = list(self.values)
        return record

    def padded(self, multiple: int) -> "SpectralGrid":
        """Return the grid with more pixels at its end, which carry nothing.

        Parameters
        ----------
        multiple : int
            What the number of pixels shall be a multiple of.

        Returns
        -------
        SpectralGrid
            The same grid, or a longer one.

        Examples
        --------
        >>> from astro_latent.preparation import get_grid
        >>> get_grid("apogee_7214").padded(512).n_pixels
        7680
        """
        more = -self.n_pixels % multiple
        values = self.values
        if values:
            step = values[-1] - values[-2]
            values += tuple(values[-1] + step * (i + 1) for i in range(more))
        return replace(self, n_pixels=self.n_pixels + more, values=values)

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> "SpectralGrid":
        """Build a grid from plain data.

        Parameters
        ----------
        record : dict
            As from `to_dict`.

        Returns
        -------
        SpectralGrid
            The grid.
        """
        record = dict(record)
        record["segments"] = tuple(tuple(map(int, s)) for s in record["segments"])
        record["values"] = tuple(record.get("values", ()))
        return cls(**record)

    @classmethod
    def from_spectra(
        cls,
        spectra: Iterable[SpectrumArrays],
        *,
        name: str = "own",
        medium: str | None = None,
        frame: str | None = None,
        resolving_power: float | None = None,
    ) -> "SpectralGrid":
        """Make the grid that spectra lie on, or nearly do.

        Parameters
        ----------
        spectra : iterable of SpectrumArrays
            Some hundred suffice.
        name : str, optional
            Of the grid.
        medium, frame : str, optional
            By default what most spectra say: ``"unknown"`` if none does.
        resolving_power : float, optional
            By default the median of what the spectra say, else that of a line as wide
            as two pixels.

        Returns
        -------
        SpectralGrid
            Evenly spaced, or listed if the one axis of all spectra is not; segments
            end where pixels are missing.

        Raises
        ------
        GridMismatchError
            If the spectra are of two kinds.

        Examples
        --------
        >>> import numpy as np
        >>> from astro_latent.preparation import SpectralGrid
        >>> from astro_latent.spectra import SpectrumArrays
        >>> spectrum = SpectrumArrays(
        ...     wavelength=np.arange(3360.0, 10201.0, 20.0),
        ...     flux=np.ones(343), mask=np.zeros(343, dtype=bool),
        ... )
        >>> grid = SpectralGrid.from_spectra([spectrum], medium="vacuum")
        >>> grid.spacing, grid.n_pixels, grid.frame
        ('linear', 343, 'unknown')
        """
        seen = [arrays for arrays in spectra if len(arrays.wavelength) > 1]
        axis = common_axis([arrays.wavelength for arrays in seen])
        about = [arrays.observation for arrays in seen]
        sharpness = [o.resolving_power for o in about if o.resolving_power > 0]
        grid = cls(
            name=name,
            medium=medium or _most([o.medium for o in about]),
            frame=frame or _most([o.frame for o in about]),
            resolving_power=1.0,
            **axis,
        )
        if resolving_power is None:
            step = float(np.median(np.diff(np.log(grid.wavelength))))
            resolving_power = float(np.median(sharpness)) if sharpness else 0.5 / step
        return replace(grid, resolving_power=resolving_power)


def _most(words: list[str]) -> str:
    """Return the commonest word that is not "unknown", if there is one."""
    known = Counter(word for word in words if word != "unknown")
    return known.most_common(1)[0][0] if known else "unknown"


def _apogee_listed(name: str, chips: tuple[tuple[int, int], ...]) -> SpectralGrid:
    """Cut the chips out of the 8,575-pixel apStar grid and join them."""
    full = 10.0 ** (4.179 + 6e-6 * np.arange(8575))
    lengths = [last - first for first, last in chips]
    ends = np.cumsum(lengths).tolist()
    return SpectralGrid(
        name=name,
        spacing="listed",
        values=tuple(np.concatenate([full[a:b] for a, b in chips]).tolist()),
        n_pixels=ends[-1],
        medium="vacuum",
        frame="rest",
        segments=tuple(zip([0, *ends[:-1]], ends, strict=True)),
        resolving_power=22500.0,
    )


#: Pixel ranges of the three APOGEE detectors on the 8,575-pixel apStar grid.
APOGEE_CHIPS = {
    "apogee_7214": ((322, 3242), (3648, 6048), (6412, 8306)),  # DR11, DR12: StarNet
    "apogee_7514": ((246, 3274), (3585, 6080), (6344, 8335)),  # DR13 to DR17
}


def _harps_327680() -> SpectralGrid:
    """Grid of Sedaghat et al. (2021): 0.01 Å steps, zero-padded to 20 * 2**14."""
    return SpectralGrid(
        name="harps_327680",
        spacing="linear",
        start=3785.0 - 0.01 * 7589,
        step=0.01,
        n_pixels=327_680,
        medium="air",
        frame="barycentric",
        segments=((7589, 159_453), (162_894, 320_090)),  # the gap between two CCDs
        resolving_power=115_000.0,
    )


def _apogee_8575() -> SpectralGrid:
    """Grid of apStar and aspcapStar files."""
    return SpectralGrid(
        name="apogee_8575",
        spacing="log10",
        start=4.179,
        step=6e-6,
        n_pixels=8575,
        medium="vacuum",
        frame="rest",
        segments=APOGEE_CHIPS["apogee_7514"],
        resolving_power=22500.0,
    )


#: Grids known by name: name -> function that builds one.
GRIDS: dict[str, Callable[[], SpectralGrid]] = {
    "harps_327680": _harps_327680,
    "apogee_8575": _apogee_8575,
    **{
        name: partial(_apogee_listed, name, chips)
        for name, chips in APOGEE_CHIPS.items()
    },
}

_built: dict[str, SpectralGrid] = {}


def get_grid(name: str) -> SpectralGrid:
    """Return a grid by its name.

    Parameters
    ----------
    name : str
        One of ``harps_327680``, ``apogee_8575``, ``apogee_7514``, ``apogee_7214``.

    Returns
    -------
    SpectralGrid
        The grid; the same object each time.

    Raises
    ------
    UnknownNameError
        If there is no such grid.

    Examples
    --------
    >>> from astro_latent.preparation import get_grid
    >>> get_grid("apogee_7214").segments
    ((0, 2920), (2920, 5320), (5320, 7214))
    """
    if name not in GRIDS:
        raise UnknownNameError("grid", name, list(GRIDS))
    if name not in _built:
        _built[name] = GRIDS[name]()
    return _built[name]
