# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The guards of preparation: against errors that lie, and spectra that make it fail.

A spectrum with which preparation fails costs its own row only.

Differences of neighbouring pixels hold noise and little else. The fourth difference
sees hardly anything of resolved lines: where even that is far larger than the errors
allow, they are too small. A wide second difference sees noise that neighbours share,
and lines: where even that is far smaller, the errors are too large. Resampled spectra
have shared noise and crowded ones unresolved lines, so only gross contradictions count.
Spectra without any noise are models, and are not judged.
"""

from typing import Protocol

import numpy as np

from ..exceptions import SpectrumReadError
from ..spectra.observation import SpectrumArrays, placeholder
from ..utils.guard import guarding
from ..utils.quality import QualityFlag
from .prepared import Batch, Row
from .resample import Resampler

__all__ = ["check_errors", "run_carefully"]

_CHUNK = 128  # pixels
_LONG, _SPARSE = 20_000, 1024  # of spectra longer than that, only a chunk of so many
_FOURTH = ((0, 6.0), (1, -4.0), (2, 1.0))  # distance and factor, on both sides
_WIDE = ((0, 2.0), (6, -1.0))
_NOISELESS = 1e-4  # scatter over error of what was computed, and is not judged
_SMALLEST, _LARGEST = 0.08, 5.0  # scatter over error in the quietest quarter
_RUN = 3  # chunks in a row
_NOISY, _NOISIER = 2.0, 3.0  # scatter over error there, and over the median of all
_SMOOTH = 0.2  # scatter there over that of the noisiest quarter
_INDEPENDENT = 0.3  # scatter over error where neighbours do not share their noise
_MAD = 1.482602

_FACTS = ("obs_id", "target_name", "survey", "ra", "dec", "source")


class _Run(Protocol):
    """A recipe and a grid, to be carried out on some spectra."""

    def __call__(
        self,
        chunk: list[SpectrumArrays],
        *,
        velocities: np.ndarray,
        resamplers: list[Resampler],
    ) -> Batch: ...


def run_carefully(
    run: _Run,
    chunk: list[SpectrumArrays],
    velocities: np.ndarray,
) -> Batch:
    """Carry out a recipe that failed; a spectrum at fault becomes an empty one.

    Parameters
    ----------
    run : callable
        Carries out the recipe. What it raises without any spectra is the recipe's
        fault, and comes through.
    chunk : list of SpectrumArrays
        The spectra.
    velocities : ndarray, shape (n_spectra,)
        As for `prepare_chunk`.

    Returns
    -------
    Batch
        One row for each spectrum.
    """
    run([], velocities=np.zeros(0), resamplers=[])
    whole = [
        _empty_if_bad(run, arrays, velocities[row : row + 1])
        for row, arrays in enumerate(chunk)
    ]
    return run(whole, velocities=velocities, resamplers=[])


def _empty_if_bad(
    run: _Run, arrays: SpectrumArrays, velocity: np.ndarray
) -> SpectrumArrays:
    seen = arrays.observation
    try:
        with guarding(
            seen.source or seen.obs_id or "the spectrum",
            SpectrumReadError,
            problem="cannot be prepared",
            remedy="look at its wavelengths, flux and errors",
        ):
            run([arrays], velocities=velocity, resamplers=[])
    except SpectrumReadError as error:
        facts = {name: getattr(seen, name) for name in _FACTS}
        return placeholder(str(error), **facts)
    return arrays


def check_errors(row: Row) -> None:
    """Flag a spectrum whose errors contradict its flux, or whose noise its noise.

    Parameters
    ----------
    row : Row
        A spectrum on its own pixels, before anything is done to it.
    """
    if row.variance is None:
        return
    with np.errstate(over="ignore", invalid="ignore"):
        _check(row)


def _check(row: Row) -> None:
    fourth = _compare(row, _FOURTH)
    if fourth is None or np.percentile(fourth[1], 25) < _NOISELESS:
        return
    scatter, ratio = fourth
    text = _compare_parts(scatter, ratio)
    if row.observation.noise == "file":
        text = _compare_errors(row, ratio) or text
    if text:
        row.flag(QualityFlag.ERRORS_SUSPECT, text)


def _compare_errors(row: Row, ratio: np.ndarray) -> str:
    """Say whether all errors are too small or too large."""
    quiet = float(np.percentile(ratio, 25))
    if quiet > _LARGEST:
        return f"the flux scatters {quiet:.1f} times as much as its errors say"
    wide = _compare(row, _WIDE) if quiet < _SMALLEST else None
    quiet = 1.0 if wide is None else float(np.percentile(wide[1], 25))
    if quiet < _SMALLEST:
        return f"the flux scatters only {quiet:.3f} times as its errors say"
    return ""


def _compare_parts(scatter: np.ndarray, ratio: np.ndarray) -> str:
    """Say whether some chunks in a row scatter unlike the others."""
    if len(ratio) <= _RUN:
        return ""
    run = np.lib.stride_tricks.sliding_window_view
    most = float(run(ratio, _RUN).min(axis=1).max())
    if most > max(_NOISY, _NOISIER * float(np.median(ratio))):
        return f"a part scatters {most:.1f} times as much as its errors say"
    high = float(np.percentile(ratio, 75))
    share = np.maximum(ratio / high, scatter / np.percentile(scatter, 75))
    least = float(run(share, _RUN).max(axis=1).min())
    if high > _INDEPENDENT and least < _SMOOTH:
        return f"a part scatters {least:.2f} times as much as others"
    return ""


def _compare(
    row: Row, factors: tuple[tuple[int, float], ...]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Scatter of a symmetric difference, and that over its error, chunk by chunk."""
    assert row.variance is not None
    reach, size = factors[-1][0], _CHUNK + 2 * factors[-1][0]
    stride = _CHUNK if len(row.flux) < _LONG else _SPARSE
    if len(row.flux) < size + stride:
        return None
    flux, variance, valid = (
        np.lib.stride_tricks.sliding_window_view(values, size)[::stride]
        for values in (row.flux, row.variance, row.valid)
    )
    total, spread = np.zeros((2, len(flux), _CHUNK))
    every = np.ones(total.shape, dtype=bool)
    for distance, factor in factors:
        for side in {reach - distance, reach + distance}:
            part = np.s_[:, side : side + _CHUNK]
            total += factor * flux[part]
            spread += factor**2 * variance[part]
            every &= valid[part]
    count = np.count_nonzero(every) // _CHUNK
    if count < 2:
        return None
    scatter = np.abs(total[every])[: count * _CHUNK].reshape(count, _CHUNK)
    error = np.sqrt(spread[every])[: count * _CHUNK].reshape(count, _CHUNK)
    return _typical(scatter), _typical(scatter / error)


def _typical(chunks: np.ndarray) -> np.ndarray:
    """Return the median of each chunk as a standard deviation."""
    middle = chunks.shape[1] // 2
    return _MAD * np.partition(chunks, middle, axis=1)[:, middle]
