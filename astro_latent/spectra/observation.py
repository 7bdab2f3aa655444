# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What is known about a spectrum, and the plain arrays that carry one.

`Observation` holds what would otherwise be convention in someone's head: medium,
frame, normalisation, resolving power. Unknown is a value of its own, never a guess.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

import numpy as np
from astropy import units as u

from ..utils.guard import printable
from ..utils.quality import QualityFlag

__all__ = [
    "FRAMES",
    "MEDIA",
    "NORMALISATIONS",
    "MadeWhenAsked",
    "Observation",
    "SpectrumArrays",
    "placeholder",
]

MEDIA = ("air", "vacuum", "unknown")
FRAMES = ("observed", "barycentric", "rest", "unknown")
NORMALISATIONS = ("none", "continuum", "unknown")
_TEXTS = ("obs_id", "target_name", "survey", "obs_publisher_did", "source", "message")


@dataclass(frozen=True, kw_only=True)
class Observation:
    """Facts about one spectrum; NaN and ``"unknown"`` mean that nobody said.

    Parameters
    ----------
    obs_id : str
        Identifier that travels to the results; by default the file name's stem.
    target_name : str
        Name of the star as the file or archive gives it.
    survey : str
        Survey or instrument that took it, such as ``"harps"``; "" if unknown.
    ra, dec : float
        ICRS position in degrees.
    time : float
        Mid-exposure time as MJD (UTC), days.
    exposure_time : float
        Seconds.
    medium : {"air", "vacuum", "unknown"}
        What the wavelengths are measured in.
    frame : {"observed", "barycentric", "rest", "unknown"}
        Which motion has been removed from the wavelengths.
    normalisation : {"none", "continuum", "unknown"}
        Whether the continuum has been divided out.
    resolving_power : float
        Wavelength over full width at half maximum.
    snr : float
        Median signal-to-noise ratio per pixel.
    radial_velocity : float
        Velocity of the star in the frame of the wavelengths, km/s: 0 once removed.
    barycentric_correction : float
        Velocity to add to an observed velocity to reach the barycentre, km/s.
    noise : {"file", "estimated", "none"}
        Where the uncertainty comes from.
    obs_publisher_did : str
        IVOA dataset identifier, where the archive gives one.
    source : str
        Path or URL the spectrum was read from.
    flags : int
        Quality bits set so far, see `~astro_latent.spectra.QUALITY_FLAGS`.
    message : str
        Why the spectrum is flagged, for a person.
    """

    obs_id: str = ""
    target_name: str = ""
    survey: str = ""
    ra: float = np.nan
    dec: float = np.nan
    time: float = np.nan
    exposure_time: float = np.nan
    medium: str = "unknown"
    frame: str = "unknown"
    normalisation: str = "unknown"
    resolving_power: float = np.nan
    snr: float = np.nan
    radial_velocity: float = np.nan
    barycentric_correction: float = np.nan
    noise: str = "none"
    obs_publisher_did: str = ""
    source: str = ""
    flags: int = 0
    message: str = ""

    def __post_init__(self) -> None:
        for name in _TEXTS:  # they go into tables, whatever a file or its name held
            text = getattr(self, name)
            if not text.isprintable():
                object.__setattr__(self, name, printable(text))
        for name, value, allowed in (
            ("medium", self.medium, MEDIA),
            ("frame", self.frame, FRAMES),
            ("normalisation", self.normalisation, NORMALISATIONS),
        ):
            if value not in allowed:
                msg = f"{name} must be one of {allowed}, not {value!r}"
                raise ValueError(msg)

    def flagged(self, bits: int, message: str = "") -> "Observation":
        """Return a copy with more quality bits set.

        Parameters
        ----------
        bits : int
            Bits to add to `flags`.
        message : str, optional
            Added to `message`.

        Returns
        -------
        Observation
            The new observation.
        """
        text = "; ".join(part for part in (self.message, message) if part)
        return replace(self, flags=self.flags | int(bits), message=text)

    def remarked(self, message: str) -> "Observation":
        """Return a copy with a remark that is no reason to flag it.

        Parameters
        ----------
        message : str
            Added to `message`.

        Returns
        -------
        Observation
            The new observation.
        """
        return self.flagged(0, message)


@dataclass(frozen=True, kw_only=True)
class SpectrumArrays:
    """One spectrum as arrays: what readers make and what preparation takes.

    Parameters
    ----------
    wavelength : ndarray, shape (n_pixels,)
        Ångström, float64, strictly increasing, finite.
    flux : ndarray, shape (n_pixels,)
        Flux density in ``flux_unit``.
    sigma : ndarray, shape (n_pixels,), or None
        One standard deviation of the flux, or None where nothing is known.
    mask : ndarray of bool, shape (n_pixels,)
        True where a pixel must not be used.
    flux_unit : `~astropy.units.Unit`
        Unit of the flux and of ``sigma``.
    observation : Observation
        Everything else.
    meta : dict
        The header or other extras, passed on to ``Spectrum.meta``.
    """

    wavelength: np.ndarray
    flux: np.ndarray
    mask: np.ndarray
    sigma: np.ndarray | None = None
    flux_unit: u.UnitBase = u.dimensionless_unscaled
    observation: Observation = field(default_factory=Observation)
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = np.shape(self.wavelength)
        for name in ("flux", "mask", "sigma"):
            value = getattr(self, name)
            if value is not None and np.shape(value) != shape:
                msg = f"{name} has shape {np.shape(value)}, wavelength has {shape}"
                raise ValueError(msg)


def placeholder(message: str, **facts: Any) -> SpectrumArrays:
    """Return an empty spectrum that stands for one that could not be read.

    Parameters
    ----------
    message : str
        What was wrong.
    **facts
        Fields of `Observation`.

    Returns
    -------
    SpectrumArrays
        No pixels, flag ``UNREADABLE``.
    """
    observation = Observation(**facts).flagged(QualityFlag.UNREADABLE, message)
    nothing = np.empty(0)
    return SpectrumArrays(
        wavelength=nothing,
        flux=nothing.copy(),
        mask=np.empty(0, dtype=bool),
        observation=observation,
    )


class MadeWhenAsked(Sequence[SpectrumArrays]):
    """The spectra of a file of many, each made when it is asked for and not kept.

    A million rows are a few GB as columns, and several times that as objects.

    Parameters
    ----------
    count : int
        How many there are.
    make : callable
        ``make(number)`` returns one of them.
    """

    def __init__(self, count: int, make: Callable[[int], SpectrumArrays]) -> None:
        self._numbers = range(count)
        self._make = make

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> SpectrumArrays: ...

    @overload
    def __getitem__(self, index: slice) -> list[SpectrumArrays]: ...

    def __getitem__(self, index: int | slice) -> SpectrumArrays | list[SpectrumArrays]:
        if isinstance(index, slice):
            return [self._make(number) for number in self._numbers[index]]
        return self._make(self._numbers[index])
