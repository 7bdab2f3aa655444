# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What wavelengths are measured in: air or vacuum, and which frame.

The refractive index of air (Morton 2000) moves lines by nearly the same velocity at all
wavelengths: 83 km/s in the optical, 82 km/s in the H band. A spectrum at rest whose
lines lie there, or telluric lines that far from where the Earth's motion allows them,
betray a wrong label. Frames (observed, barycentric, rest) differ by relativistic
Doppler shifts.
"""

from functools import cache
from importlib.resources import as_file, files

import numpy as np
from astropy.io import fits

from ..utils.physics import add_velocities, doppler_factor
from ..utils.quality import QualityFlag
from .consistency import check_parts
from .grid import GRIDS, SpectralGrid, get_grid
from .prepared import Batch, Row
from .recipe import Settings
from .resample import Resampler
from .tellurics import AIR_SHIFT, O2_LINES, check_tellurics
from .velocity import measure_velocity

__all__ = [
    "air_to_vacuum",
    "check_medium",
    "convert_medium",
    "frame_factor",
    "shift_frame",
    "vacuum_to_air",
]

# By the convention of the IAU, wavelengths below 2000 Å are always given in vacuum.
_LIMIT = 2000.0
_FINE = np.array([-4.0, 4.0])  # around each of the three places
_TOGETHER = 16  # spectra that are compared with templates by one matrix product


def _refractive_index(vacuum: np.ndarray) -> np.ndarray:
    """Refractive index of standard air, Morton (2000), equation 8; Ångström in."""
    s2 = (1e4 / vacuum) ** 2
    return 1.0 + 8.34254e-5 + 2.406147e-2 / (130.0 - s2) + 1.5998e-4 / (38.9 - s2)


def vacuum_to_air(wavelength: np.ndarray) -> np.ndarray:
    """Convert vacuum wavelengths to air.

    Parameters
    ----------
    wavelength : ndarray
        Vacuum wavelengths, Ångström.

    Returns
    -------
    ndarray
        Air wavelengths, Ångström; unchanged below 2000 Å.

    Examples
    --------
    >>> from astro_latent.preparation import vacuum_to_air
    >>> round(float(vacuum_to_air(5001.39)), 2)
    4999.99
    """
    wavelength = np.asarray(wavelength, dtype=float)
    above = wavelength >= _LIMIT
    safe = np.where(above, wavelength, _LIMIT)
    return np.where(above, wavelength / _refractive_index(safe), wavelength)


def air_to_vacuum(wavelength: np.ndarray) -> np.ndarray:
    """Convert air wavelengths to vacuum, the exact inverse of `vacuum_to_air`.

    Parameters
    ----------
    wavelength : ndarray
        Air wavelengths, Ångström.

    Returns
    -------
    ndarray
        Vacuum wavelengths, Ångström; unchanged below 2000 Å.

    Examples
    --------
    >>> from astro_latent.preparation import air_to_vacuum
    >>> round(float(air_to_vacuum(5000.0)), 3)
    5001.394
    """
    wavelength = np.asarray(wavelength, dtype=float)
    above = wavelength * _refractive_index(np.maximum(wavelength, _LIMIT)) >= _LIMIT
    air = np.where(above, wavelength, _LIMIT)
    vacuum = air
    for _ in range(4):  # each round gains about five digits
        vacuum = air * _refractive_index(vacuum)
    return np.where(above, vacuum, wavelength)


def convert_medium(row: Row, settings: Settings, grid: SpectralGrid) -> None:
    """Bring a spectrum to the grid's medium; recipe step ``convert_medium``.

    An unknown medium is taken as the grid's and flagged; a grid whose medium is unknown
    takes spectra as they are.
    """
    if grid.medium == "unknown":
        return
    if row.medium == "unknown":
        row.flag(QualityFlag.MEDIUM_UNKNOWN)
    elif row.medium != grid.medium:
        convert = air_to_vacuum if grid.medium == "vacuum" else vacuum_to_air
        row.wavelength = convert(row.wavelength)
    row.medium = grid.medium


def frame_factor(
    frame: str, target: str, velocity: float, correction: float
) -> float | None:
    """Return what wavelengths are divided by to get from one frame to another.

    Parameters
    ----------
    frame, target : {"observed", "barycentric", "rest"}
        From where, to where.
    velocity : float
        Radial velocity of the star, km/s: barycentric; or observed, if the
        barycentric correction is NaN.
    correction : float
        Barycentric correction, km/s.

    Returns
    -------
    float or None
        The divisor; None if a velocity that is needed is NaN.
    """
    if frame == target or "unknown" in (frame, target):
        return 1.0
    star = doppler_factor(velocity)
    earth = doppler_factor(correction)
    # A spectrum at rest is a barycentric one of a star that does not move.
    to_barycentre = {"observed": 1.0 / earth, "barycentric": 1.0, "rest": 1.0}
    if target == "rest":
        if frame == "observed" and np.isnan(correction):
            factor = star
        else:
            factor = to_barycentre[frame] * star
    elif target == "barycentric":
        factor = to_barycentre[frame]
    else:
        factor = to_barycentre[frame] * earth
    return None if np.isnan(factor) else float(factor)


def _find_velocity(row: Row) -> tuple[float, str]:
    """Velocity of the star from the caller or the file, and whose it is."""
    correction = row.observation.barycentric_correction
    observed = row.frame == "observed"
    if np.isfinite(row.caller_velocity) and not (observed and np.isnan(correction)):
        return row.caller_velocity, "caller"
    velocity = row.observation.radial_velocity
    if np.isnan(velocity):
        return np.nan, "none"
    if observed and np.isfinite(correction):
        velocity = add_velocities(velocity, correction)
    return velocity, "file"


def _measure(row: Row, templates: str) -> tuple[float, str]:
    """Velocity by cross-correlation; NaN where there is no peak at all."""
    found = measure_velocity(
        row.wavelength, row.flux, valid=row.valid, templates=templates
    )
    if np.isnan(found.velocity):
        return np.nan, "none"
    row.flag(QualityFlag.RV_MEASURED)
    if not found.clear:
        text = (
            f"cross-correlation peak {found.peak:.2f}, significance "
            f"{found.significance:.1f}, next peak {found.second:.2f}"
        )
        row.flag(QualityFlag.RV_UNCERTAIN, text)
    velocity = found.velocity
    correction = row.observation.barycentric_correction
    if row.frame == "observed" and np.isfinite(correction):
        velocity = add_velocities(velocity, correction)
    return velocity, "cross-correlation"


def shift_frame(row: Row, settings: Settings, grid: SpectralGrid) -> None:
    """Shift a spectrum to the grid's frame; recipe step ``shift_frame``.

    The stellar velocity comes from the caller, else from the file, else, if the step
    names ``templates``, from cross-correlation. What is unknown is flagged and taken as
    zero. A grid whose frame is unknown takes spectra as they are.
    """
    if grid.frame == "unknown":
        return
    if row.frame == "unknown":
        row.flag(QualityFlag.FRAME_UNKNOWN)
        if grid.frame != "rest" or np.isnan(row.caller_velocity):
            row.velocity = np.nan if grid.frame == "rest" else 0.0
            row.frame = grid.frame
            return
        row.frame = "barycentric"  # the caller's velocities are barycentric
    if grid.frame == "rest" and row.frame != "rest":
        row.velocity, row.velocity_source = _find_velocity(row)
        if np.isnan(row.velocity) and settings["templates"]:
            row.velocity, row.velocity_source = _measure(row, settings["templates"])
    else:
        row.velocity = 0.0
    factor = frame_factor(
        row.frame, grid.frame, row.velocity, row.observation.barycentric_correction
    )
    if factor is None:
        what = "radial velocity" if grid.frame == "rest" else "barycentric correction"
        row.flag(QualityFlag.RV_UNKNOWN, f"no {what} is known")
    elif factor != 1.0:
        row.factor = factor
        row.wavelength = row.wavelength / factor
    row.frame = grid.frame


def check_medium(batch: Batch, settings: Settings) -> None:
    """Flag spectra whose lines contradict their wavelengths; step ``check_medium``.

    ``lines`` is ``"apogee"`` (templates at rest, on the grids known by name; the medium
    only where the velocity was known, as a measured one has taken up the shift) or
    ``"telluric_o2"`` (grids in the barycentric frame that reach 6910 Å; templates at
    any velocity on the grid of HARPS).
    """
    usable = [i for i, row in enumerate(batch.rows) if row.usable]
    if settings["lines"] == "telluric_o2":
        in_air = batch.grid.medium == "air"
        tellurics = O2_LINES if in_air else air_to_vacuum(O2_LINES)
        check_parts(batch, usable)
        for i in usable:
            check_tellurics(batch, i, tellurics)
        return
    at_rest = [i for i in usable if _is_at_rest(batch, i)]
    check_parts(batch, at_rest)
    _check_templates(
        batch,
        [i for i in at_rest if batch.rows[i].velocity_source != "cross-correlation"],
    )


@cache
def _trends(grid_name: str) -> tuple[np.ndarray, ...]:
    """Orthonormal cubics on each segment of a grid."""
    trends = []
    for first, last in get_grid(grid_name).segments:
        powers = np.polynomial.legendre.legvander(np.linspace(-1, 1, last - first), 3)
        trends.append(np.linalg.qr(powers)[0])
    return tuple(trends)


def _detrend(flux: np.ndarray, grid: SpectralGrid) -> np.ndarray:
    """Take a cubic off each segment of spectra, and normalise the rest."""
    out = np.zeros((len(flux), grid.n_pixels), dtype=np.float32)
    for (first, last), trend in zip(grid.segments, _trends(grid.name), strict=True):
        part = flux[:, first:last]
        out[:, first:last] = part - (part @ trend) @ trend.T
    norm = np.sqrt(np.vecdot(out, out))[:, None]
    out /= np.where(norm > 0, norm, 1.0)
    return out


@cache
def _shifted_templates(grid_name: str) -> np.ndarray:
    """Templates at 0 and on either side, shape (n_places * n_templates, n_pixels)."""
    grid = get_grid(grid_name)
    resource = files(__package__).joinpath("data", "apogee_templates.fits")
    with as_file(resource) as path, fits.open(path) as hdus:
        fluxes = hdus[0].data.astype(float) - 1.0
        source = get_grid(hdus[0].header["GRID"]).wavelength
    places = np.concatenate([_FINE - AIR_SHIFT, _FINE, _FINE + AIR_SHIFT])
    shifted = []
    for velocity in places:
        way = Resampler.between(
            source * doppler_factor(velocity), grid.wavelength, method="linear"
        )
        shifted.append(_detrend(np.array([way(flux)[0] for flux in fluxes]), grid))
    return np.concatenate(shifted)


def _is_at_rest(batch: Batch, i: int) -> bool:
    """Tell whether a spectrum lies on a known grid of APOGEE, at a known velocity."""
    grid, row = batch.grid, batch.rows[i]
    known = grid.name in GRIDS and grid.frame == "rest"
    return known and not row.flags & (QualityFlag.RV_UNKNOWN | QualityFlag.RV_UNCERTAIN)


def _check_templates(batch: Batch, rows: list[int]) -> None:
    """Flag media with which templates fit far better than at rest."""
    templates = _shifted_templates(batch.grid.name)
    for first in range(0, len(rows), _TOGETHER):
        some = rows[first : first + _TOGETHER]
        flux = np.clip(batch.flux[some], 0.0, 1.5) - 1.0
        seen = _detrend(np.where(batch.valid[some], flux, 0.0), batch.grid)
        scores = (seen @ templates.T).reshape(len(some), 3, -1).max(axis=2)
        for i, each in zip(some, scores.tolist(), strict=True):
            _compare_media(batch.rows[i], *each)


def _compare_media(row: Row, below: float, at_rest: float, above: float) -> None:
    """Flag a medium whose score is far above that of lines at rest."""
    velocity, best = (-AIR_SHIFT, below) if below > above else (AIR_SHIFT, above)
    if best > max(0.3, 1.5 * at_rest):
        other = "air" if velocity < 0 else "vacuum"  # shorter in air
        text = f"lines lie {velocity:+.0f} km/s off, as if taken in {other}"
        row.flag(QualityFlag.MEDIUM_SUSPECT, text)
