# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Whether the lines of the Earth's atmosphere lie where its motion puts them.

Oxygen absorbs in every exposure, and its lines stand still on Earth. In the barycentric
frame they lie at the barycentric correction, to 0.2 km/s (winds, and the positions of
the lines). A shift of all wavelengths, which no star betrays, moves them as well.
"""

import numpy as np

from ..utils.physics import SIGMA_PER_MAD, doppler_factor
from ..utils.quality import QualityFlag
from .prepared import Batch

__all__ = ["AIR_SHIFT", "O2_LINES", "check_tellurics"]

#: Velocity between air and vacuum, km/s, 5000-17000 Å to 0.6 km/s.
AIR_SHIFT = 82.4
#: Strong resolved lines of the O2 B band, P branch, in air, Ångström: Moore, Minnaert
#: & Houtgast (1966), The Solar Spectrum 2935 A to 8770 A, NBS Monograph 61.
O2_LINES = np.array(
    [
        6883.83, 6885.76, 6886.74, 6888.95, 6889.90, 6892.38, 6893.31, 6896.05,
        6896.96, 6899.96, 6900.87, 6904.12, 6905.02, 6908.54, 6909.44,
    ]
)  # fmt: skip
_RANGE = (6878.0, 6910.0)
_FEWEST = 8  # lines
_VELOCITIES = np.arange(-125.0, 125.5, 0.5)  # km/s
_FACTORS = np.array([doppler_factor(velocity) for velocity in _VELOCITIES])
_NEAR = 12  # steps on either side of the deepest place
_EARTH = 35.0  # km/s, more than the Earth's motion can do
_ZERO = -0.16  # km/s: where HARPS sees these lines, within 0.05 in twelve nights
_TOLERANCE = 0.75  # km/s
_DEEP = 0.6  # depth in any single exposure; less where several were combined


def check_tellurics(batch: Batch, i: int, lines: np.ndarray) -> None:
    """Flag a spectrum in which the atmosphere's lines are where they cannot be.

    Parameters
    ----------
    batch : Batch
        Spectra in the barycentric frame; others are not judged.
    i : int
        Which of them.
    lines : ndarray, shape (n_lines,)
        `O2_LINES` in the medium of the grid, Ångström.
    """
    if batch.grid.frame != "barycentric":
        return
    found = _measure(batch, i, lines)
    if found is None:
        return
    row, (velocity, depth) = batch.rows[i], found
    known = np.isfinite(row.observation.barycentric_correction)
    centre, reach = (
        (row.observation.barycentric_correction, 8.0) if known else (0.0, _EARTH)
    )
    offset = velocity - centre
    if abs(abs(offset) - AIR_SHIFT) <= reach:
        other = "air" if offset < 0 else "vacuum"  # shorter in air
        shift = np.copysign(AIR_SHIFT, offset)
        text = f"lines lie {shift:+.0f} km/s off, as if taken in {other}"
        row.flag(QualityFlag.MEDIUM_SUSPECT, text)
        return
    allowed = _TOLERANCE if known else _EARTH
    single = depth > _DEEP and row.observation.frame != "unknown"
    if single and abs(offset - _ZERO) > allowed:
        text = f"lines of the atmosphere lie {offset:+.1f} km/s off"
        row.flag(QualityFlag.WAVELENGTHS_SUSPECT, text)


def _measure(batch: Batch, i: int, lines: np.ndarray) -> tuple[float, float] | None:
    """Velocity of the lines, km/s, and their depth; None if they are not clear."""
    wavelength = batch.grid.wavelength
    part = slice(*np.searchsorted(wavelength, _RANGE))
    valid, flux, wavelength = (
        batch.valid[i, part],
        batch.flux[i, part],
        wavelength[part],
    )
    if len(valid) < 500 or valid.sum() < 0.8 * len(valid):
        return None
    at = lines * _FACTORS[:, None]
    nearest = np.clip(np.searchsorted(wavelength, at), 0, len(valid) - 1)
    usable = valid[nearest] & (at > wavelength[0]) & (at < wavelength[-1])
    depth = np.where(usable, 1.0 - flux[nearest] / np.median(flux[valid]), np.nan)
    depth[usable.sum(axis=1) < _FEWEST] = 0.0
    score = _median_rows(depth)  # all lines must be there, not a few
    score -= np.median(score)
    scatter = SIGMA_PER_MAD * np.median(np.abs(score))
    best = int(np.argmax(score))
    if score[best] <= max(0.1, 6.0 * scatter):
        return None
    near = slice(max(best - _NEAR, 0), best + _NEAR + 1)
    upper = np.clip(score[near] - 0.5 * score[best], 0.0, None)
    return float(upper @ _VELOCITIES[near] / upper.sum()), float(score[best])


def _median_rows(values: np.ndarray) -> np.ndarray:
    """Return the median of each row, NaN aside, as `numpy.nanmedian` does in longer."""
    last = np.count_nonzero(~np.isnan(values), axis=1)[:, None] - 1
    middle = np.hstack([last // 2, (last + 1) // 2])
    return np.take_along_axis(np.sort(values, axis=1), middle, axis=1).mean(axis=1)
