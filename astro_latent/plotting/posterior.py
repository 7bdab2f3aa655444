# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Corner plots of what models believe of a star."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .style import BLUE, GREEN, GREY, VERMILLION, axis_text, pad_limits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_posterior"]

_COLOURS = (BLUE, VERMILLION, GREEN)
_SHOWN = (0.002, 0.998)  # quantiles of the draws at the edges of a panel
_LEVELS = (0.393, 0.865)  # within one and two standard deviations of a Gaussian
_FEWEST = 20  # draws that a label has to have for a histogram


def plot_posterior(
    draws: np.ndarray | Mapping[str, np.ndarray],
    labels: Sequence[str],
    *,
    given: Sequence[float] | None = None,
    given_name: str = "given",
    figure: "Figure | None" = None,
) -> "Figure":
    """Draw what models believe of the labels of one star, each label with each.

    Parameters
    ----------
    draws : ndarray, shape (n_draws, n_labels), or mapping of str to ndarray
        Draws for one star, such as ``model.sample(prepared, 2000)[0]``; or such
        draws of up to three models by name, one over the other.
    labels : sequence of str
        Names of the labels.
    given : sequence of float, optional
        Values to be marked, one for each label; NaN where there is none.
    given_name : str, optional
        What the marks are, for the legend.
    figure : `~matplotlib.figure.Figure`, optional
        Where to draw; an empty one.

    Returns
    -------
    `~matplotlib.figure.Figure`
        Histograms on the diagonal; below it, lines around 39 and 86 % of the draws, as
        one and two standard deviations of a Gaussian hold.

    Raises
    ------
    ValueError
        If there are no labels, or shapes and labels do not agree, there are fewer than
        20 draws or more than three models, or draws are not finite, as of a spectrum
        that cannot be used.
    ImportError
        If corner is not installed, which comes with the extra ``plot``.

    Notes
    -----
    The panels are those of corner (Foreman-Mackey 2016, JOSS 1, 24).

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.plotting import plot_posterior
    >>> draws = np.random.default_rng(1).normal([5772, 4.44], [50, 0.1], (500, 2))
    >>> figure = plot_posterior(draws, ["teff", "logg"], given=[5772, 4.44])
    >>> len(figure.axes)
    4
    """
    named = draws if isinstance(draws, Mapping) else {"": draws}
    samples = {name: np.asarray(values, float) for name, values in named.items()}
    _check(samples, len(labels), given)
    try:
        import corner
    except ImportError as error:
        msg = "corner plots need corner: pip install 'astro_latent[plot]'"
        raise ImportError(msg) from error
    if figure is None:
        from matplotlib import pyplot as plt

        figure = plt.figure(figsize=(1.0 + 1.7 * len(labels),) * 2)
    marks = np.full(len(labels), np.nan) if given is None else np.asarray(given, float)
    for values, colour in zip(samples.values(), _COLOURS, strict=False):
        corner.corner(
            values, fig=figure, labels=[axis_text(label) for label in labels],
            color=colour, truth_color=GREY, levels=_LEVELS, smooth=1.0, max_n_ticks=3,
            truths=[value if np.isfinite(value) else None for value in marks],
            range=_limits(samples, marks), plot_datapoints=False, plot_density=False,
            hist_kwargs={"density": True},
        )  # fmt: skip
    for ax in figure.axes[:: len(labels) + 1]:  # corner thinks of the last alone
        ax.set_ylim(0.0, 1.1 * ax.dataLim.y1)
    names = {name: c for name, c in zip(samples, _COLOURS, strict=False) if name}
    if np.isfinite(marks).any():
        names[given_name] = GREY
    _explain(figure, names)
    return figure


def _limits(
    samples: Mapping[str, np.ndarray], marks: np.ndarray
) -> list[tuple[float, float]]:
    """Return what each label's axis shows: nearly all draws, and the mark."""
    low, high = np.quantile(np.concatenate(list(samples.values())), _SHOWN, axis=0)
    edges = zip(np.fmin(low, marks), np.fmax(high, marks), strict=True)
    return [pad_limits(float(first), float(last)) for first, last in edges]


def _explain(figure: "Figure", names: Mapping[str, str]) -> None:
    """Say which colour is what, if there are several."""
    from matplotlib.lines import Line2D

    if names:
        lines = [Line2D([], [], color=colour) for colour in names.values()]
        figure.legend(lines, list(names), loc="upper right")


def _check(
    samples: Mapping[str, np.ndarray], n_labels: int, given: Sequence[float] | None
) -> None:
    """Say what does not fit."""
    if not n_labels:
        msg = "no labels are named; give one name for each column of the draws"
        raise ValueError(msg)
    if not 1 <= len(samples) <= len(_COLOURS):
        msg = f"draws of {len(samples)} models; one to {len(_COLOURS)} can be drawn"
        raise ValueError(msg)
    for name, values in samples.items():
        of = f" of {name}" if name else ""
        if values.ndim != 2 or values.shape[1] != n_labels:
            msg = (
                f"draws{of} have shape {values.shape}; give those of one star, "
                f"(n_draws, {n_labels}) for {n_labels} labels"
            )
            raise ValueError(msg)
        if len(values) < _FEWEST:
            msg = f"{len(values)} draws{of} are too few: {_FEWEST} at least"
            raise ValueError(msg)
        if not np.isfinite(values).all():
            msg = (
                f"draws{of} are not finite: the spectrum cannot be used, see its flags"
            )
            raise ValueError(msg)
    if given is not None and len(given) != n_labels:
        msg = f"{len(given)} values are given for {n_labels} labels"
        raise ValueError(msg)
