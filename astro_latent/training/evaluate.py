# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Labels against labels: a model or a catalogue against another catalogue."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from astropy.table import Table

from ..matching.moving import EACH_ROW, bring_together, find_pairs_row_by_row
from ..matching.pairs import find_pairs
from ..models import ModelLike
from ..models.error_shape import TWO_SIDED_95
from ..pipeline import predict_parameters
from ..spectra.reading import SpectraLike
from ..tables.columns import LABELS
from .gather import gather_spectra
from .kinds import check_kinds
from .listing import as_word, row_name
from .omissions import Omissions
from .report import score_bins
from .stars import find_places
from .targets import Targets, plain_numbers, read_targets
from .velocities import VelocityLike, find_velocities

__all__ = ["Evaluation", "compare_labels", "evaluate_model"]

_IDS = ("obs_id", "source_id", "gaia_source_id", "apogee_id", "obsid", "target_name")
_ARCSEC = 1.0 / 3600.0


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How one set of labels compares with another.

    Parameters
    ----------
    scores : `~astropy.table.Table`
        Bias, scatter and coverage of each label: of all stars, and in bins of noise
        and labels; see `~astro_latent.training.report.score_bins`.
    rows : `~astropy.table.Table`
        Each star: ``<label>_given``, ``<label>``, ``<label>_error`` and what else is
        known of it.
    omissions : Omissions
        What could not be compared, and why.
    """

    scores: Table
    rows: Table
    omissions: Omissions

    def __repr__(self) -> str:
        every = self.scores[self.scores["by"] == "all"]
        words = [
            f"{row['label']} {row['bias']:+.3g} +- {row['scatter']:.3g}"
            for row in every
        ]
        return f"<Evaluation of {len(self.rows)} rows: {', '.join(words)}>"


def evaluate_model(
    model: ModelLike,
    spectra: SpectraLike | Mapping[str, Any],
    labels: Sequence[str] | None = None,
    *,
    table: Table | None = None,
    folder: str | os.PathLike[str] | None = None,
    facts: Mapping[str, Any] | None = None,
    radial_velocity: VelocityLike | None = None,
    by: Sequence[str] = (),
    device: str | None = None,
    progress: bool | None = None,
) -> Evaluation:
    """Compare what a model predicts with labels from elsewhere.

    Parameters
    ----------
    model : str, path-like or SpectralModel
        Name or folder of weights, or a loaded model.
    spectra : object
        As for `~astro_latent.train_model`.
    labels : sequence of str, optional
        Columns to compare; by default all labels that model and table share.
    table : `~astropy.table.Table`, optional
        Where the labels are, if not in ``spectra``.
    folder, facts, radial_velocity
        As for `~astro_latent.train_model`.
    by : sequence of str, optional
        Columns of the table whose bins are scored too.
    device : str, optional
        Where the model runs.
    progress : bool, optional
        Show a bar.

    Returns
    -------
    Evaluation
        Tables of scores and of stars.

    Raises
    ------
    ValueError
        If model and table share no label.

    Examples
    --------
    >>> from astro_latent import evaluate_model
    >>> found = evaluate_model("my_survey_v1", "test.ecsv")  # doctest: +SKIP
    >>> found.scores["label", "by", "n", "bias", "scatter"]  # doctest: +SKIP
    """
    check_kinds(locals())
    gathered = gather_spectra(spectra, table=table, folder=folder, facts=facts)
    predicted = predict_parameters(
        gathered.source, model=model, facts=gathered.facts, device=device,
        radial_velocity=find_velocities(radial_velocity, gathered), progress=progress,
    )  # fmt: skip
    at = gathered.match(Table(predicted, copy=False))
    known = np.flatnonzero(at >= 0)
    about = cast(Table, gathered.table)[at[known]]
    if labels is None:
        labels = [n for n in predicted.meta["labels"] if n in about.colnames]
    return compare_labels(
        predicted[known], about, labels, by=by, matched=True,
        omissions=gathered.omissions,
    )  # fmt: skip


def compare_labels(
    predicted: Table,
    given: Table,
    labels: Sequence[str] | None = None,
    *,
    by: Sequence[str] = (),
    matched: bool = False,
    omissions: Omissions | None = None,
) -> Evaluation:
    """Compare two tables of labels, star by star.

    Parameters
    ----------
    predicted, given : `~astropy.table.Table`
        Results of a model, or catalogues.
    labels : sequence of str, optional
        Columns of both; by default all of `~astro_latent.tables.LABELS` that both
        have.
    by : sequence of str, optional
        Columns of ``given`` whose bins are scored too.
    matched : bool, optional
        Rows correspond to each other. By default they are matched by an identifier
        that both have, else by positions within one arcsecond.
    omissions : Omissions, optional
        What was left out before.

    Returns
    -------
    Evaluation
        Of ``predicted`` less ``given``.

    Raises
    ------
    ValueError
        If the tables share no label, or no star.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_latent.training import compare_labels
    >>> one = Table({"obs_id": ["a", "b", "c"], "teff": [5000.0, 5100.0, 5300.0]})
    >>> two = Table({"obs_id": ["b", "a", "c"], "teff": [5090.0, 5010.0, 5270.0]})
    >>> compare_labels(one, two)
    <Evaluation of 3 rows: teff +10 +- 29.7>
    """
    check_kinds(locals())
    omissions = omissions or Omissions()
    if not matched:
        predicted, given = _match(predicted, given, omissions)
    chosen = list(labels or _shared_labels(predicted, given))
    if not chosen:
        msg = (
            f"the tables share no label: {', '.join(predicted.colnames)} and "
            f"{', '.join(given.colnames)}"
        )
        raise ValueError(msg)
    found = read_targets(predicted, chosen)
    truth = read_targets(given, chosen, like=found)
    without = ~np.isfinite(found.values).any(axis=1)
    if "obs_id" in predicted.colnames:
        omissions.add("no label was predicted", predicted["obs_id"][without])
    interval = _intervals(predicted, found)
    bins = (
        {"snr": plain_numbers(predicted["snr"])} if "snr" in predicted.colnames else {}
    )
    bins |= dict(zip(truth.names, truth.values.T, strict=True))
    bins |= {name: plain_numbers(given[name]) for name in by}
    known = np.hypot(found.errors, truth.errors) > 0
    scores = score_bins(
        found.values - truth.values, np.where(known, found.errors, np.nan), interval,
        names=chosen, by=bins, given=truth.errors,
    )  # fmt: skip
    return Evaluation(
        scores=scores,
        rows=_lay_out(predicted, found, truth),
        omissions=omissions,
    )


def _shared_labels(predicted: Table, given: Table) -> list[str]:
    both = {*predicted.colnames} & {*given.colnames}
    return [name for name in LABELS if name in both]


def _intervals(table: Table, found: Targets) -> np.ndarray:
    """Half widths of 95 % intervals; those of a Gaussian where none are known."""
    widths = TWO_SIDED_95 * found.errors
    for k, name in enumerate(found.names):
        if f"{name}_interval_95" in table.colnames:
            widths[:, k] = plain_numbers(table[f"{name}_interval_95"])
    return widths


def _match(predicted: Table, given: Table, omissions: Omissions) -> tuple[Table, Table]:
    """Rows of both tables that are of one star."""
    at = np.full(len(predicted), -1)
    both = [n for n in _IDS if n in predicted.colnames and n in given.colnames]
    for name in both:
        rows = {as_word(v): i for i, v in reversed(list(enumerate(given[name])))}
        rows.pop("", None)
        at = np.array([rows.get(as_word(v), -1) for v in predicted[name]], dtype=int)
        if (at >= 0).any():
            break
    places = [find_places(table) for table in (predicted, given)]
    if (at < 0).all() and places[0] is not None and places[1] is not None:
        first, second, epoch = bring_together(places[0], places[1])
        find_them = find_pairs_row_by_row if epoch == EACH_ROW else find_pairs
        pairs = find_them(first, second, np.radians(_ARCSEC))
        # the nearest comes first, and is written last
        at[pairs.first[::-1]] = pairs.second[::-1]
    elif not both:
        msg = "the tables share neither an identifier nor positions to match them by"
        raise ValueError(msg)
    there = np.flatnonzero(at >= 0)
    if not len(there):
        msg = f"of {len(predicted)} and {len(given)} rows none are of the same star"
        raise ValueError(msg)
    lost = np.flatnonzero(at < 0)
    omissions.add("not in the other table", (row_name(predicted, int(i)) for i in lost))
    return predicted[there], given[at[there]]


def _lay_out(predicted: Table, found: Targets, truth: Targets) -> Table:
    """One row for each star."""
    kept = ("obs_id", "snr", "model", "domain_score", "flags", "usable")
    columns: dict[str, Any] = {
        name: predicted[name] for name in kept if name in predicted.colnames
    }
    for k, name in enumerate(found.names):
        columns[f"{name}_given"] = truth.values[:, k]
        columns[name] = found.values[:, k]
        columns[f"{name}_error"] = found.errors[:, k]
    return Table(columns)
