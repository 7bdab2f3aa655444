# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Templates of stars at rest, with which the parts of spectra are compared.

They lie on pixels of equal velocity, to which the pixels of a model's grid are copied
(APOGEE) or over which they are averaged (HARPS). A running mean is divided out of
spectra and templates alike, so that only lines are left.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import as_file, files
from itertools import pairwise

import numpy as np
from astropy.io import fits
from scipy import fft

from ..utils.physics import SPEED_OF_LIGHT
from .grid import GRIDS, SpectralGrid, get_grid
from .normalise import Lines, divide_mean_out

__all__ = [
    "LAGS",
    "Parts",
    "Reference",
    "get_reference",
    "integrate",
]

#: Shifts at which the lines of a part are compared, pixels of equal velocity.
LAGS = tuple(range(-6, 7))
_ROUGHLY = 4  # pixels joined to find a velocity roughly


@dataclass(frozen=True, eq=False)
class Reference:
    """Templates on pixels of equal velocity, and the parts that are compared.

    Parameters
    ----------
    templates : Lines
        At rest, shape (n_templates, n_pixels).
    edges : ndarray of int, shape (n_parts, 2)
        First pixel of each part and the one after its last.
    step : float
        Width of a pixel, km/s.
    half : int
        Half the width of the running mean, pixels.
    reach : int
        Largest shift of a star that is looked for, pixels.
    at_rest : bool
        Whether spectra are at rest and normalised.
    sides : ndarray
        Sides of the pixels in pixels of the grid, shape (n_pixels + 1,), where those
        are averaged; else the pixel of each pixel of the grid, shape (n_grid,), int.
    samples : ndarray of int, shape (n_parts, n_samples)
        Pixels of the grid that tell the noise of a part.
    covered : ndarray, shape (n_pixels,)
        Pixels of the grid in each, if all of its segments are valid.
    """

    templates: Lines
    edges: np.ndarray
    step: float
    half: int
    reach: int
    at_rest: bool
    sides: np.ndarray
    samples: np.ndarray
    covered: np.ndarray

    @cached_property
    def inside(self) -> np.ndarray:
        """True for the pixels of the parts, shape (n_pixels,)."""
        inside = np.zeros(self.templates.values.shape[1], dtype=bool)
        for first, last in self.edges:
            inside[first:last] = True
        return inside

    @cached_property
    def places(self) -> np.ndarray:
        """Pixels of each part, shape (n_parts, n_longest); 0 beyond its end."""
        first, last = self.edges[:, :1], self.edges[:, 1:]
        at = first + np.arange(np.max(last - first))
        return np.where(at < last, at, 0)

    @cached_property
    def around(self) -> np.ndarray:
        """The same with those from which `LAGS` shift pixels to there."""
        n_pixels, size = self.templates.values.shape[1], self.places.shape[1]
        at = self.edges[:, :1] + np.arange(-LAGS[-1], size + LAGS[-1])
        return at.clip(max=n_pixels - 1)

    @cached_property
    def copies(self) -> list[tuple[slice, slice]]:
        """Runs of pixels, and of those of the grid that are copied there."""
        if self.sides.dtype.kind != "i":
            return []
        ends = [0, *(np.flatnonzero(np.diff(self.sides) != 1) + 1), len(self.sides)]
        return [
            (slice(self.sides[a], self.sides[a] + b - a), slice(a, b))
            for a, b in pairwise(ends)
        ]

    @cached_property
    def products(self) -> np.ndarray:
        """Products of the templates, shape (n_templates, n_templates)."""
        values = self.templates.values[:, self.inside]
        return (values @ values.T).astype(float)

    @cached_property
    def middle(self) -> np.ndarray:
        """Mean of the templates, shape (n_pixels,)."""
        return self.templates.values.mean(axis=0)

    @cached_property
    def rough(self) -> tuple[int, np.ndarray]:
        """Fourier transform of the mean template on joined pixels, and its length."""
        joined = _join(self.middle)
        size = fft.next_fast_len(len(joined) + self.reach // _ROUGHLY + 1, real=True)
        return size, fft.rfft(joined, size)

    def average(
        self, flux: np.ndarray, valid: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Average a spectrum where the pixels are not those of the grid.

        Parameters
        ----------
        flux : ndarray, shape (n_grid,)
            Prepared flux; zero where not valid.
        valid : ndarray of bool, shape (n_grid,)
            Which pixels count.

        Returns
        -------
        flux, weight : ndarray, shape (n_pixels,)
            Means, zero where half of a pixel or less counts, and one elsewhere.
        """
        count = self.covered
        if not valid[int(self.sides[0]) : int(self.sides[-1]) + 1].all():
            count = integrate(valid, self.sides)
        weight = count > 0.5 * np.maximum(self.covered, 0.5)
        return integrate(flux, self.sides) * weight / np.maximum(count, 0.25), weight

    def find_shift(self, lines: Lines) -> int:
        """Find the velocity of a star by cross-correlation.

        Parameters
        ----------
        lines : Lines
            One spectrum, at any velocity.

        Returns
        -------
        int
            In pixels.
        """
        seen, template = lines.values[0], self.middle
        reach, (size, template_at) = self.reach // _ROUGHLY, self.rough
        cross = fft.irfft(fft.rfft(_join(seen), size) * template_at.conj(), size)
        near = np.concatenate([cross[-reach:], cross[: reach + 1]])
        rough = (int(np.argmax(near)) - reach) * _ROUGHLY
        places = range(
            max(rough - _ROUGHLY, -self.reach), min(rough + _ROUGHLY, self.reach) + 1
        )
        inner = template[self.reach : -self.reach]
        scores = [seen[self.reach + k :][: len(inner)] @ inner for k in places]
        return places[int(np.argmax(scores))]


@dataclass(frozen=True)
class Parts:
    """What the parts of one spectrum show; one value each.

    Parameters
    ----------
    depth : ndarray
        Depth of the lines over that of the templates.
    depth_error : ndarray
        Its standard error, from what the templates leave.
    place : ndarray
        Where the lines lie, pixels of equal velocity from where they should.
    place_error : ndarray
        Its standard error.
    residual : ndarray
        Root mean square of what the templates leave.
    noise : ndarray
        The same that the errors of the flux make expect; 0 if not known.
    explained : float
        Share of the variance, noise aside, that the templates explain in the best
        quarter of the parts; 0 if there are no lines above the noise.
    jump : float
        Largest step of ln flux, lines aside.
    step : float
        Width of a pixel of equal velocity, km/s.
    at_rest : bool
        Whether the velocity was known, so that places are absolute.
    """

    depth: np.ndarray
    depth_error: np.ndarray
    place: np.ndarray
    place_error: np.ndarray
    residual: np.ndarray
    noise: np.ndarray
    explained: float
    jump: float
    step: float
    at_rest: bool


def _join(values: np.ndarray) -> np.ndarray:
    """Add up neighbours, to find a velocity roughly; what is left over is dropped."""
    whole = len(values) // _ROUGHLY * _ROUGHLY
    return values[:whole].reshape(-1, _ROUGHLY).sum(axis=1)


def _cut(first: int, last: int, size: int) -> np.ndarray:
    """Cut a range into parts of about one size."""
    count = max(1, round((last - first) / size))
    edges = np.linspace(first, last, count + 1).astype(int)
    return np.stack([edges[:-1], edges[1:]], axis=1)


@cache
def get_reference(grid_name: str) -> Reference | None:
    """Return the templates for a grid.

    Parameters
    ----------
    grid_name : str
        One of those known by name.

    Returns
    -------
    Reference or None
        None if there are no templates for it.
    """
    survey = grid_name.split("_")[0]
    if grid_name not in GRIDS or survey not in ("apogee", "harps"):
        return None
    resource = files(__package__).joinpath("data", f"{survey}_templates.fits")
    with as_file(resource) as path, fits.open(path) as hdus:
        values, header = hdus[0].data.astype(float), hdus[0].header
    load = _load_apogee if survey == "apogee" else _load_harps
    return load(get_grid(grid_name), values, header)


_APOGEE_STEP = 6e-6 * np.log(10.0)  # ln(wavelength)
_APOGEE_PART, _APOGEE_HALF = 240, 120  # pixels
_APOGEE_REACH = 330  # pixels


def _load_apogee(
    grid: SpectralGrid, fluxes: np.ndarray, header: fits.Header
) -> Reference:
    """Give each pixel of the grid its place among all, the gaps included."""
    start = np.log(grid.wavelength[0]) - LAGS[-1] * _APOGEE_STEP

    def place(wavelength: np.ndarray) -> np.ndarray:
        return np.rint((np.log(wavelength) - start) / _APOGEE_STEP).astype(int)

    where = place(grid.wavelength)
    size = int(where[-1]) + LAGS[-1] + 1
    source = place(get_grid(header["GRID"]).wavelength)
    inside = (source >= 0) & (source < size)
    values, known = np.zeros((2, len(fluxes), size))
    values[:, source[inside]], known[:, source[inside]] = fluxes[:, inside], 1.0
    edges = np.concatenate(
        [
            _cut(where[first], where[last - 1] + 1, _APOGEE_PART)
            for first, last in grid.segments
        ]
    )
    samples = np.searchsorted(where, edges[:, :1] + np.arange(_APOGEE_PART))
    covered = np.zeros(size)
    covered[where] = 1.0
    return Reference(
        templates=divide_mean_out(values, known, _APOGEE_HALF), edges=edges,
        step=_APOGEE_STEP * SPEED_OF_LIGHT, half=_APOGEE_HALF, reach=_APOGEE_REACH,
        at_rest=True, sides=where, samples=samples.clip(max=grid.n_pixels - 1),
        covered=covered,
    )  # fmt: skip


_HARPS_PART, _HARPS_HALF = 840, 60  # pixels
_HARPS_REACH = 400.0  # km/s
_SAMPLES = 32


def _load_harps(
    grid: SpectralGrid, depths: np.ndarray, header: fits.Header
) -> Reference:
    """Average the equidistant pixels of the grid."""
    values, step = 1.0 - depths / 255.0, header["LOGSTEP"]
    size = values.shape[1]
    sides = np.exp(header["LOGSTART"] + (np.arange(size + 1) - 0.5) * step)
    sides = np.clip((sides - grid.start) / grid.step + 0.5, 0.0, grid.n_pixels - 1.0)
    reach = int(_HARPS_REACH / (step * SPEED_OF_LIGHT))
    edges = _cut(reach + LAGS[-1], size - reach - LAGS[-1], _HARPS_PART)
    some = np.linspace(edges[:, 0], edges[:, 1] - 1, _SAMPLES).astype(int).T
    return Reference(
        templates=divide_mean_out(values, np.ones_like(values), _HARPS_HALF),
        edges=edges, step=step * SPEED_OF_LIGHT, half=_HARPS_HALF, reach=reach,
        at_rest=False, sides=sides, samples=np.rint(sides[some]).astype(int),
        covered=integrate(grid.valid, sides),
    )  # fmt: skip


def integrate(values: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Integrate over pixels.

    Parameters
    ----------
    values : ndarray, shape (n,)
        In pixels of width one; of bool, which is exact and faster, how many are true.
    sides : ndarray, shape (m + 1,)
        Increasing, from 0 to n - 1.

    Returns
    -------
    ndarray, shape (m,)
        From each side to the next.
    """
    first, last = int(sides[0]), int(sides[-1]) + 1
    values, whole = values[first:last], sides.astype(np.intp) - first
    total = np.zeros(len(values) + 1, np.int32 if values.dtype == bool else float)
    np.cumsum(values, dtype=total.dtype, out=total[1:])
    return np.diff(total[whole] + (sides - first - whole) * values[whole])
