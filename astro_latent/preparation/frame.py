# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Observed, barycentric and rest frame: relativistic Doppler shifts of wavelengths."""

import numpy as np

from ..utils.physics import add_velocities, doppler_factor
from ..utils.quality import QualityFlag
from .grid import SpectralGrid
from .prepared import Row
from .recipe import Step
from .velocity import measure_velocity

__all__ = ["frame_factor", "shift_frame"]


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


def _known_velocity(row: Row) -> tuple[float, str]:
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
        row.wavelength, row.flux, good=row.good, templates=templates
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


def shift_frame(row: Row, step: Step, grid: SpectralGrid) -> None:
    """Shift a spectrum to the grid's frame; recipe step ``shift_frame``.

    The stellar velocity comes from the caller, else from the file, else, if the step
    names ``templates``, from cross-correlation. What is unknown is flagged and taken as
    zero.
    """
    if row.frame == "unknown":
        row.flag(QualityFlag.FRAME_UNKNOWN)
        if grid.frame != "rest" or np.isnan(row.caller_velocity):
            row.velocity = np.nan if grid.frame == "rest" else 0.0
            row.frame = grid.frame
            return
        row.frame = "barycentric"  # the caller's velocities are barycentric
    if grid.frame == "rest" and row.frame != "rest":
        row.velocity, row.velocity_source = _known_velocity(row)
        if np.isnan(row.velocity) and step["templates"]:
            row.velocity, row.velocity_source = _measure(row, step["templates"])
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
