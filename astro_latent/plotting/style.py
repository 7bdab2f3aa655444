# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What all pictures share: colours, names of axes, lines broken at gaps."""

from typing import TYPE_CHECKING

import numpy as np

from ..tables.columns import LABELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

#: Colours of Okabe & Ito (2008), told apart by colour-blind readers.
BLUE, VERMILLION, GREEN, ORANGE, SKY, PURPLE, GREY = (
    "#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7", "#8C8C8C",
)  # fmt: skip

#: A map that is read the same by all and in grey.
SEQUENTIAL = "cividis"

_SYMBOLS = {
    "teff": r"$T_{\mathrm{eff}}$",
    "logg": r"$\log g$",
    "fe_h": "[Fe/H]",
    "m_h": "[M/H]",
    "alpha_fe": r"[$\alpha$/Fe]",
    "alpha_m": r"[$\alpha$/M]",
    "vmicro": r"$v_{\mathrm{micro}}$",
    "vmacro": r"$v_{\mathrm{macro}}$",
    "vsini": r"$v\,\sin i$",
    "a_k": r"$A_K$",
    "snr": "S/N",
    "berv": "BERV",
    "pwv": "PWV",
}


def symbol(name: str) -> str:
    """Return the usual symbol of a label, or its name if it has none."""
    if name in _SYMBOLS:
        return _SYMBOLS[name]
    if name in LABELS and name.endswith("_h"):
        return f"[{name[:-2].capitalize()}/H]"
    text = name.replace("_", " ")
    return text[:1].upper() + text[1:]


def unit_of(name: str) -> str:
    """Return the unit of a label, "" if it has none or is not known."""
    return LABELS[name].unit if name in LABELS else ""


def with_unit(text: str, unit: str) -> str:
    """Return text for an axis, such as ``"flux [Jy]"``."""
    unit = {"km/s": r"km s$^{-1}$"}.get(unit, unit)
    return f"{text} [{unit}]" if unit else text


def axis_text(name: str) -> str:
    """Return symbol and unit of a label for an axis."""
    return with_unit(symbol(name), unit_of(name))


def new_figure(
    figure: "Figure | SubFigure | None", *, width: float = 7.0, height: float = 4.5
) -> "Figure | SubFigure":
    """Return the figure, or a new one of this size in inches.

    A notebook shows what a cell returns, and besides every figure that pyplot knows of:
    there, a figure that is returned is not one of pyplot's, or it would be shown twice.
    """
    if figure is not None:
        return figure
    from matplotlib import pyplot as plt
    from matplotlib.figure import Figure

    size = (width, height)
    if "inline" in plt.get_backend():
        return Figure(figsize=size, layout="constrained")
    return plt.figure(figsize=size, layout="constrained")


def new_axes(ax: "Axes | None", *, width: float = 7.0, height: float = 4.5) -> "Axes":
    """Return the axes, or those of a new figure of pyplot, which notebooks show."""
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    return plt.figure(figsize=(width, height), layout="constrained").subplots()


def break_at_gaps(
    wavelength: np.ndarray, *values: np.ndarray, factor: float = 20.0
) -> tuple[np.ndarray, ...]:
    """Put a NaN into every gap of the wavelengths, so that no line bridges it."""
    wavelength = np.asarray(wavelength, dtype=float)
    step = np.diff(wavelength)
    if not step.size:
        return (wavelength, *values)
    gaps = np.flatnonzero(step > factor * np.median(step)) + 1
    return tuple(
        np.insert(np.asarray(array, dtype=float), gaps, np.nan)
        for array in (wavelength, *values)
    )


def pad_limits(
    low: float, high: float, *, fraction: float = 0.06
) -> tuple[float, float]:
    """Return limits with a margin; equal values get room too."""
    margin = fraction * (high - low) or max(abs(high), 1.0) * fraction
    return low - margin, high + margin


def flux_limits(*fluxes: np.ndarray) -> tuple[float, float]:
    """Return limits that show the flux and not its few worst pixels."""
    values = np.concatenate([np.ravel(flux) for flux in fluxes])
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, [0.05, 99.95])
    return pad_limits(float(low), float(high), fraction=0.08)
