# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What autoencoders make of spectra, as spectra on the pixels of the input."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from astropy import units as u

from ..models import ModelLike
from ..preparation.chunks import iter_chunks, prepare_chunk
from ..preparation.inverse import restore_spectrum
from ..preparation.resample import Resampler
from ..spectra.convert import to_spectrum
from ..spectra.observation import SpectrumArrays
from ..spectra.reading import SpectraLike
from .loop import Chooser, as_spectra
from .verbs import as_chooser

if TYPE_CHECKING:
    from specutils import Spectrum, SpectrumList

__all__ = ["reconstruct_spectra"]


def reconstruct_spectra(
    spectra: SpectraLike,
    *,
    model: ModelLike | None = None,
    radial_velocity: float | np.ndarray | u.Quantity | None = None,
    facts: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
    device: str | None = None,
    progress: bool | None = None,
) -> "SpectrumList":
    """Encode and decode spectra; the results have the pixels and units of the input.

    Parameters
    ----------
    spectra : object
        As for `encode_spectra`.
    model : str, path-like or SpectralModel, optional
        Name or folder of weights, or a loaded model. By default one is found for each
        spectrum.
    radial_velocity, facts, batch_size, device, progress
        As for `encode_spectra`.

    Returns
    -------
    `~specutils.SpectrumList`
        One spectrum for each, in order, with medium, frame and flux unit of the input.
        Pixels that the model does not cover are masked and hold NaN; of a spectrum
        that cannot be used, or that no model suits, all are, and
        ``meta["observation"]`` has the flag and the message.

    Raises
    ------
    UnknownNameError
        If there is no such model.
    TypeError
        If the model cannot decode, or the input is nothing that holds spectra.

    Examples
    --------
    >>> from astro_latent.pipeline import reconstruct_spectra
    >>> from astro_latent.surveys import get_survey
    >>> sample = get_survey("sample").table()
    >>> harps = sample[sample["survey"] == "harps"][:1]
    >>> (spectrum,) = reconstruct_spectra(harps)
    >>> spectrum.spectral_axis.unit
    Unit("Angstrom")
    """
    from specutils import SpectrumList

    chooser = as_chooser(model, "encode", device)
    kept: dict[str, list[Resampler]] = {}
    made = SpectrumList()
    for chunk, velocities in iter_chunks(
        as_spectra(spectra),
        batch_size,
        radial_velocity=radial_velocity,
        facts=facts,
        progress=progress,
    ):
        for arrays, velocity in zip(chunk, velocities, strict=True):
            made.append(_reconstruct(arrays, velocity, chooser, kept))
    return made


def _reconstruct(
    arrays: SpectrumArrays,
    velocity: float,
    chooser: Chooser,
    kept: dict[str, list[Resampler]],
) -> "Spectrum":
    choice = chooser.choose(arrays)
    if choice.flag:
        seen = arrays.observation.flagged(choice.flag, choice.message)
        arrays = replace(arrays, observation=seen)
    model = choice.model
    if model is None:
        return _without_flux(arrays)
    if "reconstruct" not in model.capabilities:
        can = ", ".join(model.capabilities)
        msg = f"model {model.name!r} can {can}, not reconstruct"
        raise TypeError(msg)
    resamplers = kept.setdefault(model.name, [])
    prepared = prepare_chunk(
        [arrays], model.grid, model.recipe, np.array([velocity]), resamplers
    )
    if not prepared.usable[0]:
        return _without_flux(replace(arrays, observation=prepared.observations[0]))
    flux = cast("np.ndarray", model.reconstruct(prepared).flux)
    return restore_spectrum(flux[0], prepared, 0, like=arrays)


def _without_flux(arrays: SpectrumArrays) -> "Spectrum":
    """Keep the place of a spectrum of which there is no reconstruction."""
    nothing = np.full(len(arrays.wavelength), np.nan)
    masked = np.ones(len(nothing), dtype=bool)
    return to_spectrum(replace(arrays, flux=nothing, mask=masked, sigma=None))
