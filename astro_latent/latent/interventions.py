# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Moving latents by labels with units, and whether the lines move as velocities do."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from astropy import units as u

from ..exceptions import AstroLatentWarning, UnknownNameError
from ..models import ModelLike
from ..utils.physics import SPEED_OF_LIGHT
from ..utils.short_repr import short_repr
from .handle_files import read_handles
from .handles import LabelHandle
from .samples import as_latents
from .traversal import Decoder, get_decode

__all__ = ["VelocityScore", "doppler_shift", "intervene", "score_velocity_node"]

#: Window of Cvrček et al. (2025), Ångström: free of tellurics.
_WINDOW = (6050.0, 6250.0)

#: Their velocities, km/s.
_VELOCITIES = tuple(np.linspace(-40.0, 40.0, 20).tolist())


@dataclass(frozen=True, kw_only=True, repr=False)
class VelocityScore:
    """How well a latent stands for the radial velocity.

    Parameters
    ----------
    velocities : ndarray, shape (n_velocities,)
        Imposed changes, km/s.
    by_velocity : ndarray, shape (n_velocities,)
        Mean absolute difference from the shifted spectrum, in units of the decoded
        flux, when the latent is moved.
    ignored_by_velocity : ndarray, shape (n_velocities,)
        The same for a model that ignores the latent: its spectrum stays where it was.
    n_spectra, n_pixels : int
        Size of the sample and of the window.
    """

    velocities: np.ndarray
    by_velocity: np.ndarray
    ignored_by_velocity: np.ndarray
    n_spectra: int
    n_pixels: int

    __repr__ = short_repr

    @property
    def score(self) -> float:
        """The score RVIS: mean over spectra, velocities and pixels; 0 is perfect."""
        return float(self.by_velocity.mean())

    @property
    def ignored(self) -> float:
        """The score of a model that ignores the latent."""
        return float(self.ignored_by_velocity.mean())


def intervene(
    model: ModelLike | Mapping[str, LabelHandle],
    latents: np.ndarray,
    **changes: float | np.ndarray | u.Quantity,
) -> np.ndarray:
    """Change labels of spectra, by their latents.

    Where one latent owns a label, it alone is moved, along the map between both; else
    all are, along the direction in which they change with the label. Several changes
    are added up.

    Parameters
    ----------
    model : str, path-like, SpectralModel, or mapping of str to LabelHandle
        A model that comes with handles of its labels, or such handles, see
        `fit_handles`.
    latents : ndarray, shape (n_spectra, n_latent) or (n_latent,)
        Where to start from.
    **changes : float, ndarray of shape (n_spectra,) or Quantity
        What to add to each label; numbers are in the unit of its handle.

    Returns
    -------
    ndarray, shape as ``latents``
        The latents moved; NaN for spectra whose label lies outside of the range of its
        owner, before or after, of which a warning tells. Another warning names labels
        that are known to be moved no better than not at all.

    Raises
    ------
    UnknownNameError
        If there is no handle of a label.
    `~astropy.units.UnitConversionError`
        If a change has another kind of unit.
    ValueError
        If the latents are not as many as those of the handles, or shapes disagree.
    WeightsNotFoundError
        If no handles come with the model.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy import units as u
    >>> from astro_latent.latent import intervene, read_handles
    >>> latents = np.zeros((1, 48))
    >>> moved = intervene("harps_dae_fast_v1", latents, radial_velocity=5 * u.km / u.s)
    >>> handle = read_handles("harps_dae_fast_v1")["radial_velocity"]
    >>> (handle.read(moved) - handle.read(latents)).round(2)  # km/s
    array([5.])
    """
    handles = model if isinstance(model, Mapping) else read_handles(model)
    start = as_latents(np.atleast_2d(latents))
    moved = start.copy()
    for label, change in changes.items():
        if label not in handles:
            raise UnknownNameError("label with a handle", label, list(handles))
        handle = handles[label]
        if len(handle.direction) != start.shape[1]:
            msg = f"handles for {len(handle.direction)} latents, not {start.shape[1]}"
            raise ValueError(msg)
        _warn_if_poor(handle)
        step = handle.step(start, _in_unit(change, handle))
        lost = int(np.isnan(step).any(axis=1).sum() - np.isnan(start).any(axis=1).sum())
        if lost > 0:
            msg = (
                f"{lost} of {len(start)} spectra would leave the range of {label}, "
                f"{handle.low:.5g} to {handle.high:.5g} {handle.unit}: NaN"
            )
            warnings.warn(msg, AstroLatentWarning, stacklevel=2)
        moved += step
    return moved[0] if np.ndim(latents) == 1 else moved


def _warn_if_poor(handle: LabelHandle) -> None:
    """Warn of a label that leads no nearer to true spectra than not to move it."""
    if handle.score is not None and handle.score >= 1:
        msg = (
            f"{handle.label} moved leaves {handle.score:.2f} times the difference from "
            "true spectra that not moving it leaves: take another label or model"
        )
        warnings.warn(msg, AstroLatentWarning, stacklevel=3)


def _in_unit(
    change: float | np.ndarray | u.Quantity, handle: LabelHandle
) -> np.ndarray:
    """Return a change as numbers in the unit of the handle."""
    if isinstance(change, u.Quantity):
        return np.asarray(change.to_value(u.Unit(handle.unit)), dtype=float)
    return np.asarray(change, dtype=float)


def doppler_shift(
    wavelength: np.ndarray, flux: np.ndarray, *, velocity: float, at: np.ndarray
) -> np.ndarray:
    """Shift spectra by a velocity as Cvrček et al. (2025) do.

    Parameters
    ----------
    wavelength : ndarray, shape (n_pixels,)
        Ångström, ascending.
    flux : ndarray, shape (n_spectra, n_pixels)
        Spectra.
    velocity : float
        km/s, positive to the red.
    at : ndarray, shape (n_out,)
        Wavelengths at which the shifted spectra are wanted.

    Returns
    -------
    ndarray, shape (n_spectra, n_out)
        Flux over ``1 + v/c``, interpolated linearly.

    Raises
    ------
    ValueError
        If a shifted spectrum does not cover ``at``.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.latent import doppler_shift
    >>> x = np.linspace(4000, 5000, 1001)
    >>> line = np.exp(-((x - 4500) / 5) ** 2)[None]
    >>> moved = doppler_shift(x, line, velocity=100, at=x[200:800])
    >>> float(x[200:800][moved[0].argmax()])  # 4500 (1 + 100 / 299792)
    4502.0
    """
    factor = 1.0 + velocity / SPEED_OF_LIGHT
    shifted = wavelength * factor
    if at[0] < shifted[0] or at[-1] > shifted[-1]:
        msg = (
            f"a spectrum over {wavelength[0]:.1f}-{wavelength[-1]:.1f} does not cover "
            f"{at[0]:.1f}-{at[-1]:.1f} when shifted by {velocity} km/s"
        )
        raise ValueError(msg)
    return np.array([np.interp(at, shifted, row) for row in flux]) / factor


def score_velocity_node(
    model: Decoder,
    latents: np.ndarray,
    *,
    move: Callable[[np.ndarray, float], np.ndarray],
    wavelength: np.ndarray | None = None,
    velocities: tuple[float, ...] = _VELOCITIES,
    window: tuple[float, float] = _WINDOW,
) -> VelocityScore:
    """Score how closely moving a latent shifts the decoded spectrum.

    Parameters
    ----------
    model : LatentModel or callable
        Anything with ``decode(latents) -> flux``, or such a function.
    latents : ndarray, shape (n_spectra, n_latent)
        Posterior means: nothing is sampled, so that the score has no noise.
    move : callable
        ``move(latents, velocity)`` returns latents after an intervention by
        ``velocity`` km/s; for a latent that is linear in velocity, a copy with
        ``slope * velocity`` added to its column.
    wavelength : ndarray, shape (n_pixels,), optional
        Ångström; by default that of ``model.grid``.
    velocities : sequence of float, optional
        km/s; by default 20 between -40 and 40, as published.
    window : tuple of float, optional
        Ångström; by default 6050 to 6250, as published.

    Returns
    -------
    VelocityScore
        The score, beside that of a model that ignores the latent.

    Raises
    ------
    ValueError
        If there are no wavelengths, or they do not cover the window.

    Notes
    -----
    RVIS of Cvrček et al. 2025, A&A 693, A256. Here the reference is decoded from the
    posterior mean, as the intervention is; their code decodes it from a random draw.
    The division by ``1 + v/c`` is theirs: spectra scaled to their median, which does
    not change with velocity, cannot score below about 7e-5.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.latent import doppler_shift, score_velocity_node
    >>> x = np.arange(6000.0, 6300.0, 0.1)
    >>> def decode(z):  # one line, moved by z km/s
    ...     return 1 - np.exp(-(((x / (1 + z / 299792.458) - 6150) / 2) ** 2))
    >>> result = score_velocity_node(
    ...     decode, np.zeros((1, 1)), move=lambda z, v: z + v, wavelength=x)
    >>> result.score < 0.02 * result.ignored
    True
    """
    latents = as_latents(latents)
    grid = getattr(model, "grid", None)
    wavelength = getattr(grid, "wavelength", None) if wavelength is None else wavelength
    if wavelength is None:
        msg = "the model has no grid: pass wavelength"
        raise ValueError(msg)
    decode = get_decode(model)
    inside = (wavelength >= window[0]) & (wavelength <= window[1])
    if not inside.any():
        msg = f"no pixel lies within {window[0]}-{window[1]} Ångström"
        raise ValueError(msg)
    at = wavelength[inside]
    unmoved = np.asarray(decode(latents.astype(np.float32)), dtype=float)
    scores, ignored = [], []
    for velocity in velocities:
        wanted = doppler_shift(wavelength, unmoved, velocity=velocity, at=at)
        moved = np.asarray(decode(move(latents, velocity).astype(np.float32)), float)
        scores.append(np.mean(np.abs(moved[:, inside] - wanted)))
        ignored.append(np.mean(np.abs(unmoved[:, inside] - wanted)))
    return VelocityScore(
        velocities=np.array(velocities),
        by_velocity=np.array(scores),
        ignored_by_velocity=np.array(ignored),
        n_spectra=len(latents),
        n_pixels=int(inside.sum()),
    )
