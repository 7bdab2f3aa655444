# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""When preparation fails: the spectrum at fault costs its own row only."""

from typing import Protocol

import numpy as np

from ..exceptions import SpectrumReadError
from ..spectra.observation import SpectrumArrays, placeholder
from ..utils.guard import guarding
from .prepared import Batch
from .resample import Resampler

__all__ = ["run_carefully"]

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
