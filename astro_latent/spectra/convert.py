# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Between plain arrays and `specutils.Spectrum`, without loss in either direction."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u

from ..exceptions import SpectrumReadError
from ..utils.quality import QualityFlag
from .checks import finish_arrays, sigma_from_ivar
from .facts import facts_from_header, number, stated_frame, stated_medium
from .observation import Observation, SpectrumArrays
from .units import to_angstrom

if TYPE_CHECKING:
    from specutils import Spectrum

__all__ = ["finish_again", "from_spectrum", "split_spectrum", "to_spectrum"]

_KEY = "observation"


def to_spectrum(arrays: SpectrumArrays) -> "Spectrum":
    """Turn arrays into a `specutils.Spectrum`.

    The `Observation` goes into ``meta["observation"]``; a spectrum that could not be
    read becomes one without pixels.

    Parameters
    ----------
    arrays : SpectrumArrays
        The spectrum.

    Returns
    -------
    `~specutils.Spectrum`
        The same, with ``StdDevUncertainty`` and mask (True = bad).

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.spectra import SpectrumArrays, to_spectrum
    >>> arrays = SpectrumArrays(
    ...     wavelength=np.array([5000.0, 5001.0]),
    ...     flux=np.array([1.0, 0.9]),
    ...     mask=np.array([False, False]),
    ... )
    >>> to_spectrum(arrays).spectral_axis.unit
    Unit("Angstrom")
    """
    from astropy.nddata import StdDevUncertainty
    from specutils import Spectrum

    sigma = arrays.sigma
    velocity = arrays.observation.radial_velocity
    extra = {"radial_velocity": velocity * u.km / u.s} if _is_moving(velocity) else {}
    return Spectrum(
        spectral_axis=u.Quantity(arrays.wavelength, u.AA),
        flux=u.Quantity(arrays.flux, arrays.flux_unit),
        uncertainty=None if sigma is None else StdDevUncertainty(sigma),
        mask=arrays.mask,
        meta={**arrays.meta, _KEY: arrays.observation},
        **extra,
    )


def _is_moving(velocity: float) -> bool:
    return bool(np.isfinite(velocity) and velocity != 0)


def from_spectrum(spectrum: "Spectrum") -> SpectrumArrays:
    """Turn any one-dimensional `specutils.Spectrum` into arrays.

    What is not in ``meta["observation"]`` is looked for in ``meta["header"]``, and is
    unknown otherwise. A non-zero ``radial_velocity`` of the spectrum counts.

    Parameters
    ----------
    spectrum : `~specutils.Spectrum`
        With a spectral axis in any unit of wavelength, frequency, energy or wave
        number, in either direction.

    Returns
    -------
    SpectrumArrays
        Wavelengths in Ångström, increasing.

    Raises
    ------
    SpectrumReadError
        If the axis is a velocity or repeats itself, or flux is not one-dimensional.

    Examples
    --------
    >>> from astropy import units as u
    >>> from specutils import Spectrum
    >>> from astro_latent.spectra import from_spectrum
    >>> spectrum = Spectrum(spectral_axis=[501, 500] * u.nm, flux=[2.0, 1.0] * u.Jy)
    >>> from_spectrum(spectrum).wavelength
    array([5000., 5010.])
    """
    observation = _read_observation(spectrum)
    flux = np.asarray(spectrum.flux.value)
    if flux.ndim != 1:
        msg = f"the flux has shape {flux.shape}; give one spectrum at a time"
        raise SpectrumReadError(msg)
    if flux.dtype.kind != "f":
        flux = flux.astype(np.float64)
    mask = _read_mask(spectrum.mask, flux.shape)
    meta = {key: value for key, value in spectrum.meta.items() if key != _KEY}
    if not flux.size and observation.flags & QualityFlag.UNREADABLE:
        return SpectrumArrays(
            wavelength=np.empty(0),
            flux=flux,
            mask=mask,
            flux_unit=spectrum.flux.unit,
            observation=observation,
            meta=meta,
        )
    sigma, unusable = _read_sigma(spectrum)
    return finish_arrays(
        _read_wavelength(spectrum),
        flux,
        sigma=sigma,
        mask=mask if unusable is None else mask | unusable,
        flux_unit=spectrum.flux.unit,
        observation=observation,
        meta=meta,
    )


def finish_again(arrays: SpectrumArrays) -> SpectrumArrays:
    """Put arrays that somebody else may have made through the checks of readers.

    Parameters
    ----------
    arrays : SpectrumArrays
        The spectrum; one that could not be read stays as it is.

    Returns
    -------
    SpectrumArrays
        The same with all masked that a file's reader would mask.

    Raises
    ------
    SpectrumReadError
        As a reader of files does.
    """
    if not arrays.flux.size:
        return arrays
    return finish_arrays(
        arrays.wavelength,
        arrays.flux,
        sigma=arrays.sigma,
        mask=arrays.mask,
        flux_unit=arrays.flux_unit,
        observation=arrays.observation,
        meta=arrays.meta,
    )


def split_spectrum(spectrum: "Spectrum") -> "Iterator[Spectrum]":
    """Yield the one-dimensional spectra of one whose flux has more dimensions.

    Parameters
    ----------
    spectrum : `~specutils.Spectrum`
        With a flux of any number of dimensions.

    Yields
    ------
    `~specutils.Spectrum`
        One after the other; the spectrum itself if it has one dimension.
    """
    if spectrum.flux.ndim <= 1:
        yield spectrum
        return
    first = getattr(spectrum, "spectral_axis_index", -1) == 0
    for row in range(spectrum.flux.shape[-1 if first else 0]):
        where = (slice(None),) * (spectrum.flux.ndim - 1) + (row,) if first else row
        yield from split_spectrum(spectrum[where])


def _read_wavelength(spectrum: "Spectrum") -> np.ndarray:
    axis = spectrum.spectral_axis
    kind = axis.unit.physical_type
    if kind == "speed":
        msg = (
            f"the spectral axis is a velocity ({axis.unit}); wavelengths are needed, "
            "convert it with spectrum.spectral_axis.to('Angstrom', doppler_rest=...)"
        )
        raise SpectrumReadError(msg)
    wavelength = to_angstrom(axis.value, axis.unit)
    if wavelength is None:
        msg = f"the spectral axis has the unit {axis.unit}, which is no wavelength"
        raise SpectrumReadError(msg)
    return wavelength


def _read_mask(mask: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    """Return a boolean mask; of a bit mask any bit counts."""
    if mask is None:
        return np.zeros(shape, dtype=bool)
    return np.broadcast_to(np.asarray(mask) != 0, shape).copy()


def _read_sigma(spectrum: "Spectrum") -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return standard deviations, and where they mean that there are no data."""
    uncertainty = spectrum.uncertainty
    if uncertainty is None or uncertainty.array is None:
        return None, None
    power = {"std": 1, "var": 2, "ivar": -2}.get(uncertainty.uncertainty_type)
    if power is None:
        msg = f"uncertainty of type {uncertainty.uncertainty_type!r} is not understood"
        raise SpectrumReadError(msg)
    values = np.asarray(uncertainty.array)
    unit = spectrum.flux.unit**power
    if uncertainty.unit is not None and uncertainty.unit != unit:
        values = values * uncertainty.unit.to(unit)
    if power == 1:
        return values, None
    if power == -2:
        return sigma_from_ivar(values)
    with np.errstate(invalid="ignore"):
        return np.sqrt(values), None


def _read_observation(spectrum: "Spectrum") -> Observation:
    observation = spectrum.meta.get(_KEY)
    if not isinstance(observation, Observation):
        # of what specutils reads the header is one of the extras; of others it is all
        header = spectrum.meta.get("header", spectrum.meta)
        header = header if isinstance(header, Mapping) else _to_mapping(header)
        observation = Observation(
            **facts_from_header(header, ""),
            survey=str(header.get("INSTRUME") or "").strip().lower(),
            medium=stated_medium(header),
            frame=stated_frame(header),
            resolving_power=number(header, "SPEC_RES"),
            snr=number(header, "SNR"),
        )
    velocity = getattr(spectrum, "radial_velocity", None)
    if velocity is None or not np.isscalar(velocity.value):
        return observation
    value = float(velocity.to_value(u.km / u.s))
    return (
        replace(observation, radial_velocity=value)
        if _is_moving(value)
        else observation
    )


def _to_mapping(header: Any) -> Mapping[str, Any]:
    """Return a header that is not a mapping (astropy's) as one, or nothing."""
    try:
        return {key: header[key] for key in header if key not in ("COMMENT", "HISTORY")}
    except (TypeError, KeyError):
        return {}
