# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Pictures of spectra: with errors and mask, or beside a reconstruction."""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Union

import numpy as np
from astropy import units as u

from .style import (
    BLUE,
    GREY,
    ORANGE,
    VERMILLION,
    break_at_gaps,
    flux_limits,
    new_axes,
    new_figure,
    with_unit,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from specutils import Spectrum

    from ..preparation import PreparedSpectra
    from ..spectra import SpectrumArrays

__all__ = ["HARPS_WINDOWS", "plot_reconstruction", "plot_spectrum"]

#: Windows in which to judge a HARPS spectrum, Ångström in air.
HARPS_WINDOWS = {
    r"H$\alpha$": (6552.0, 6574.0),
    "Na D": (5884.0, 5902.0),
    "Mg b": (5160.0, 5190.0),
    r"O$_2$ (telluric)": (6276.0, 6294.0),
}


def plot_spectrum(
    spectrum: Union["Spectrum", "SpectrumArrays", "PreparedSpectra", str, os.PathLike],
    *,
    ax: "Axes | None" = None,
    window: tuple[float, float] | None = None,
    colour: str = BLUE,
    label: str | None = None,
) -> "Axes":
    """Draw a spectrum, a band of one standard deviation, and its masked pixels.

    Parameters
    ----------
    spectrum : Spectrum, SpectrumArrays, PreparedSpectra or path-like
        A spectrum or reconstruction, a prepared one such as ``prepared[3]``, or a file.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw.
    window : tuple of float, optional
        Wavelengths to show, Ångström.
    colour : str, optional
        Of the line.
    label : str, optional
        For a legend; by default the target's name in the title.

    Returns
    -------
    `~matplotlib.axes.Axes`
        Masked pixels are shaded grey and do not set the limits.

    Raises
    ------
    ValueError
        If the window holds no pixel, or there are several prepared spectra.
    SpectrumReadError
        If the file cannot be read as one spectrum.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.plotting import plot_spectrum
    >>> from astro_latent.spectra import SpectrumArrays
    >>> wavelength = np.linspace(5000, 5100, 200)
    >>> flux = 1 - 0.5 * np.exp(-((wavelength - 5040) / 2) ** 2)
    >>> ax = plot_spectrum(SpectrumArrays(
    ...     wavelength=wavelength, flux=flux, mask=flux > 2, sigma=0.02 * flux))
    >>> ax.get_ylabel()
    'Flux'
    """
    arrays = _to_arrays(spectrum)
    inside = _inside(arrays.wavelength, window)
    wavelength, flux = arrays.wavelength[inside], arrays.flux[inside]
    masked = np.asarray(arrays.mask)[inside]
    shown = np.where(masked, np.nan, flux)
    ax = new_axes(ax)
    if arrays.sigma is not None:
        sigma = np.where(masked, np.nan, arrays.sigma[inside])
        x, low, high = break_at_gaps(wavelength, shown - sigma, shown + sigma)
        ax.fill_between(
            x, low, high, color=ORANGE, alpha=0.5, lw=0, label=r"$\pm1\sigma$"
        )
    ax.plot(*break_at_gaps(wavelength, shown), color=colour, lw=0.8, label=label)
    if masked.any():
        ax.fill_between(
            wavelength, 0, 1, where=masked, step="mid", color=GREY, alpha=0.3, lw=0,
            transform=ax.get_xaxis_transform(), label="masked",
        )  # fmt: skip
    observation = arrays.observation
    ax.set_xlabel(_wavelength_text(observation.medium, observation.frame))
    ax.set_ylabel(with_unit("Flux", _unit_text(arrays.flux_unit)))
    ax.set_xlim(wavelength[0], wavelength[-1])
    ax.set_ylim(*flux_limits(shown))
    if label is None and observation.target_name:
        ax.set_title(observation.target_name)
    if len(ax.get_legend_handles_labels()[0]) > (label is None):
        ax.legend(loc="best", fontsize="small")
    return ax


def plot_reconstruction(
    wavelength: np.ndarray,
    flux: np.ndarray,
    reconstruction: np.ndarray,
    *,
    windows: Mapping[str, tuple[float, float]] = HARPS_WINDOWS,
    valid: np.ndarray | None = None,
    sigma: np.ndarray | None = None,
    figure: "Figure | SubFigure | None" = None,
) -> "Figure | SubFigure":
    """Draw a spectrum and what an autoencoder makes of it, with the residuals.

    Parameters
    ----------
    wavelength : ndarray, shape (n_pixels,)
        Ångström.
    flux, reconstruction : ndarray, shape (n_pixels,)
        Prepared and reconstructed flux, in units of the median flux.
    windows : mapping of str to tuple of float, optional
        Title and wavelengths of each column; windows without pixels are left out.
    valid : ndarray of bool, shape (n_pixels,), optional
        False for pixels that were not measured.
    sigma : ndarray, shape (n_pixels,), optional
        Standard deviation of the flux, drawn as lines around zero residual.
    figure : `~matplotlib.figure.Figure` or SubFigure, optional
        Where to draw.

    Returns
    -------
    `~matplotlib.figure.Figure`
        Two rows of axes: spectra, and input less reconstruction.

    Raises
    ------
    ValueError
        If no window holds a pixel, or shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.plotting import plot_reconstruction
    >>> wavelength = np.arange(6540.0, 6590.0, 0.1)
    >>> flux = 1 - 0.7 * np.exp(-((wavelength - 6562.8) / 1.5) ** 2)
    >>> figure = plot_reconstruction(wavelength, flux, flux + 0.01)
    >>> len(figure.axes)
    2
    """
    wavelength, flux = np.asarray(wavelength, float), np.asarray(flux, float)
    reconstruction = np.asarray(reconstruction, dtype=float)
    if not wavelength.shape == flux.shape == reconstruction.shape:
        msg = (
            f"wavelength, flux and reconstruction have shapes {wavelength.shape}, "
            f"{flux.shape} and {reconstruction.shape}"
        )
        raise ValueError(msg)
    if valid is not None:
        flux = np.where(valid, flux, np.nan)
    shown = _windows_with_pixels(windows, wavelength, flux)
    figure = new_figure(figure, width=2.2 + 2.7 * len(shown), height=4.6)
    axes = figure.subplots(
        2, len(shown), sharex="col", sharey="row", squeeze=False, height_ratios=(3, 1)
    )
    for column, (title, inside) in zip(axes.T, shown.items(), strict=True):
        _reconstruction_column(
            column,
            wavelength[inside],
            flux[inside],
            reconstruction[inside],
            None if sigma is None else np.asarray(sigma, float)[inside],
        )
        column[0].set_title(title)
    together = np.logical_or.reduce(list(shown.values()))
    axes[0, 0].set_ylim(*flux_limits(flux[together], reconstruction[together]))
    largest = np.nanpercentile(np.abs(flux - reconstruction)[together], 99.5)
    axes[1, 0].set_ylim(-1.3 * largest or -1, 1.3 * largest or 1)
    axes[0, 0].set_ylabel("Flux / median")
    axes[1, 0].set_ylabel("Input - model")
    axes[0, -1].legend(loc="lower right", fontsize="small")
    figure.align_ylabels(axes[:, 0])
    figure.supxlabel("Wavelength [Å]", fontsize="medium")
    return figure


def _windows_with_pixels(
    windows: Mapping[str, tuple[float, float]], wavelength: np.ndarray, flux: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the pixels of each window in which something was measured."""
    shown = {
        title: inside
        for title, (low, high) in windows.items()
        if np.isfinite(flux[inside := (wavelength >= low) & (wavelength <= high)]).any()
    }
    if not shown:
        msg = f"none of the windows {dict(windows)} holds a measured pixel"
        raise ValueError(msg)
    return shown


def _reconstruction_column(
    axes: np.ndarray,
    wavelength: np.ndarray,
    flux: np.ndarray,
    reconstruction: np.ndarray,
    sigma: np.ndarray | None,
) -> None:
    """Draw one window: spectra above, residuals below."""
    above, below = axes
    above.plot(wavelength, flux, color="black", lw=0.9, label="input")
    above.plot(wavelength, reconstruction, color=VERMILLION, lw=0.9, label="model")
    if sigma is not None:
        for side in (-1, 1):
            below.plot(wavelength, side * sigma, color=VERMILLION, lw=0.8, zorder=3)
    below.axhline(0.0, color="black", lw=0.6)
    below.plot(wavelength, flux - reconstruction, color=BLUE, lw=0.8)
    below.set_xlim(wavelength[0], wavelength[-1])
    below.locator_params(axis="x", nbins=4)


def _to_arrays(
    spectrum: Union["Spectrum", "SpectrumArrays", "PreparedSpectra", str, os.PathLike],
) -> "SpectrumArrays":
    """Return arrays of whatever holds one spectrum."""
    from ..preparation import PreparedSpectra
    from ..spectra import SpectrumArrays, iter_arrays

    if isinstance(spectrum, SpectrumArrays):
        return spectrum
    if isinstance(spectrum, PreparedSpectra):
        return _prepared_arrays(spectrum)
    found = list(iter_arrays(spectrum, on_error="raise"))
    if len(found) != 1:
        msg = f"{spectrum} holds {len(found)} spectra; read_spectra gives each of them"
        raise ValueError(msg)
    return found[0]


def _prepared_arrays(prepared: "PreparedSpectra") -> "SpectrumArrays":
    """Return the one spectrum as a model sees it."""
    from ..spectra import SpectrumArrays

    if len(prepared) != 1:
        msg = f"there are {len(prepared)} prepared spectra; prepared[0] is the first"
        raise ValueError(msg)
    grid, (observation,) = prepared.grid, prepared.observations
    return SpectrumArrays(
        wavelength=grid.wavelength,
        flux=prepared.flux[0],
        mask=~prepared.valid[0],
        sigma=np.sqrt(prepared.variance[0]),
        observation=replace(observation, medium=grid.medium, frame=grid.frame),
    )


def _unit_text(unit: u.UnitBase) -> str:
    if unit == u.dimensionless_unscaled:
        return ""
    return unit.to_string("latex_inline")


def _inside(wavelength: np.ndarray, window: tuple[float, float] | None) -> np.ndarray:
    low, high = (-np.inf, np.inf) if window is None else window
    inside = (wavelength >= low) & (wavelength <= high)
    if not inside.any():
        msg = f"the spectrum has no pixel within {window} Ångström"
        raise ValueError(msg)
    return inside


def _wavelength_text(medium: str, frame: str) -> str:
    """Return the label of the axis, with what is known about it."""
    frame = {"rest": "rest frame"}.get(frame, frame)
    known = [fact for fact in (medium, frame) if fact != "unknown"]
    return f"Wavelength [Å{''.join(', ' + fact for fact in known)}]"
