# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How well labels are met: all stars, and by noise and label, as tables and words."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from astropy.table import Row, Table

from ..models.error_shape import TWO_SIDED_95
from .scores import score_residuals

__all__ = ["bin_edges", "describe_failures", "score_bins", "score_coverage"]

_FEWEST = 10  # stars in a bin worth a number
_MOST_BINS = 6
_BAD_SCATTER, _BAD_BIAS, _BAD_COVERAGE = 1.7, 0.7, 0.08


def bin_edges(values: np.ndarray, *, n_bins: int = _MOST_BINS) -> np.ndarray:
    """Return round numbers that divide values into bins of about equal counts.

    Parameters
    ----------
    values : ndarray
        What is divided; NaN do not count.
    n_bins : int, optional
        How many at most; fewer if there are few values.

    Returns
    -------
    ndarray
        Increasing, the outermost as far as the values go.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.training.report import bin_edges
    >>> bin_edges(np.linspace(4003.0, 6007.0, 100), n_bins=2)
    array([4000., 5000., 6100.])
    """
    known = values[np.isfinite(values)]
    count = max(1, min(n_bins, len(known) // (3 * _FEWEST)))
    if not len(known) or np.ptp(known) == 0:
        return np.array([])
    unit = 10.0 ** np.floor(np.log10(np.ptp(known) / (2 * count)))
    edges = np.round(np.quantile(known, np.linspace(0, 1, count + 1)) / unit) * unit
    edges[0] = np.floor(known.min() / unit) * unit
    edges[-1] = (np.floor(known.max() / unit) + 1.0) * unit
    return np.unique(np.round(edges, 10))


def score_coverage(
    residual: np.ndarray, error: np.ndarray, interval: np.ndarray
) -> dict[str, float]:
    """Return the shares of residuals within the error and within the interval.

    Parameters
    ----------
    residual, error, interval : ndarray, shape (n_spectra,)
        Of one label.

    Returns
    -------
    dict
        ``"68"`` and ``"95"``, what each should be, and ``"n"``; NaN if no error is
        known.
    """
    known = np.isfinite(residual) & np.isfinite(error)
    inside = [np.abs(residual[known]) < width[known] for width in (error, interval)]
    if not known.any():
        return {"68": np.nan, "95": np.nan, "n": 0}
    count = int(known.sum())
    shares = [float(np.count_nonzero(each)) / count for each in inside]
    return {"68": round(shares[0], 3), "95": round(shares[1], 3), "n": count}


def score_bins(
    residual: np.ndarray,
    error: np.ndarray,
    interval: np.ndarray,
    *,
    names: Sequence[str],
    by: Mapping[str, np.ndarray],
    given: np.ndarray | None = None,
) -> Table:
    """Score residuals of all spectra, and of bins.

    Parameters
    ----------
    residual, error, interval : ndarray, shape (n_spectra, n_labels)
        Predicted less given labels; NaN where a label is missing. Errors, and half
        widths of 95 % intervals.
    names : sequence of str
        The labels.
    by : mapping of str to ndarray, shape (n_spectra,)
        What bins are of: signal-to-noise ratio, labels.
    given : ndarray, shape (n_spectra, n_labels), optional
        Errors of the given labels, which are no errors of the prediction: coverage
        counts both.

    Returns
    -------
    `~astropy.table.Table`
        Columns ``label``, ``by`` (``"all"`` first), ``low``, ``high``, ``n``,
        ``bias``, ``scatter``, ``scatter_error``, ``coverage_68``, ``coverage_95``.
    """
    if given is not None:
        error = np.hypot(error, given)
        interval = np.hypot(interval, TWO_SIDED_95 * given)
    bins: list[tuple[str, float, float, np.ndarray]] = [
        ("all", np.nan, np.nan, np.ones(len(residual), dtype=bool))
    ]
    for quantity, values in by.items():
        bins += [
            (quantity, low, high, (values >= low) & (values < high))
            for low, high in pairwise(bin_edges(values))
        ]
    rows = []
    for label, name in enumerate(names):
        for quantity, low, high, inside in bins:
            rest = residual[inside, label]
            if np.isfinite(rest).sum() < _FEWEST and quantity != "all":
                continue
            if not np.isfinite(rest).any():
                continue
            score = score_residuals(rest[:, None], np.zeros((len(rest), 1)), [name])
            inner = score_coverage(rest, error[inside, label], interval[inside, label])
            found = score[name]
            rows.append(
                (
                    name, quantity, low, high, found["n"], found["bias"],
                    found["scatter"], found["scatter_error"], inner["68"], inner["95"],
                )
            )  # fmt: skip
    names_types = {
        "label": str, "by": str, "low": float, "high": float, "n": int, "bias": float,
        "scatter": float, "scatter_error": float, "coverage_68": float,
        "coverage_95": float,
    }  # fmt: skip
    return Table(
        rows=rows or None, names=list(names_types), dtype=list(names_types.values())
    )


def describe_scores(table: Table) -> dict[str, Any]:
    """Return scores as nested dictionaries for a model card.

    Parameters
    ----------
    table : `~astropy.table.Table`
        From `score_bins`.

    Returns
    -------
    dict
        For all spectra and for each kind of bins: bin to label to scores.
    """
    record: dict[str, Any] = {}
    for row in table:
        where = "held-out stars" if row["by"] == "all" else f"by {row['by']}"
        within = "all" if row["by"] == "all" else f"{row['low']:g} to {row['high']:g}"
        names = ("bias", "scatter", "scatter_error", "n")
        score = {name: row[name].item() for name in names}
        shares = [row["coverage_68"].item(), row["coverage_95"].item()]
        record.setdefault(where, {}).setdefault(within, {})[row["label"]] = score
        covered = f"coverage {where}"
        record.setdefault(covered, {}).setdefault(within, {})[row["label"]] = shares
    return record


def describe_failures(table: Table) -> str:
    """Say where a model does clearly worse than elsewhere, and what is bad overall.

    Parameters
    ----------
    table : `~astropy.table.Table`
        From `score_bins`.

    Returns
    -------
    str
        Sentences; that nothing stands out, or that too few stars can tell, if so.
    """
    every, bins = table[table["by"] == "all"], table[table["by"] != "all"]
    compared = [row for row in bins if _has_others(row, bins)]
    overall = {row["label"]: row["scatter"] for row in every}
    as_a_whole = [(row, _fault(row, overall)) for row in every if row["n"] >= _FEWEST]
    here = [(row, _fault(row, overall)) for row in compared]
    whole = [f"{row['label']}: {fault}" for row, fault in as_a_whole if fault]
    found = [
        f"{row['label']} at {row['by']} {row['low']:g} to {row['high']:g}: {fault}"
        for row, fault in here
        if fault
    ]
    said = [f"All held-out stars together: {'; '.join(whole)}."] if whole else []
    if found:
        where = "Clearly worse than elsewhere on held-out stars: "
        said.append(f"{where}{'; '.join(found)}.")
    elif compared:
        said.append("No bin of the held-out stars does clearly worse than the others.")
    else:
        said.append("Too few stars are held out to tell where it does worse.")
    return " ".join(said)


def _has_others(row: Row, bins: Table) -> bool:
    """Whether there is more than one bin of this kind."""
    alike = (bins["label"] == row["label"]) & (bins["by"] == row["by"])
    return int(np.count_nonzero(alike)) > 1


def _fault(row: Row, overall: Mapping[str, float]) -> str:
    """Say what is bad about the scores of some stars; nothing, if nothing is."""
    noise = 3.0 * row["scatter_error"]
    share_noise = 3.0 * np.sqrt(0.68 * 0.32 / row["n"])
    if row["scatter"] - noise > _BAD_SCATTER * overall[row["label"]]:
        return f"scatter {row['scatter']:.3g}"
    if abs(row["bias"]) - noise > _BAD_BIAS * row["scatter"]:
        return f"bias {row['bias']:.3g}"
    if abs(row["coverage_68"] - 0.6827) > max(_BAD_COVERAGE, share_noise):
        return f"{row['coverage_68']:.0%} within the error"
    return ""
