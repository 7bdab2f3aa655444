# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What can be read off the latents together: probes from latents to labels.

A probe is a small regression; its score says how much of a label the latents hold, and
in how simple a form. Scores come from stars that the probe has not seen, and rows are
joined by identifier or not at all: both are errors of published analyses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from sklearn.base import RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..utils.physics import SIGMA_PER_MAD
from ..utils.short_repr import short_repr
from .samples import as_labels, as_latents, as_nodes, check_aligned, resample, star_rows

__all__ = ["Probe", "fit_probes", "probe_table"]

#: Penalties among which the linear probe chooses, by generalised cross-validation.
_PENALTIES = np.logspace(-4, 4, 17)

#: How far beyond the range of its training a probe may be used, in ranges.
_MARGIN = 0.05


@dataclass(frozen=True, kw_only=True, repr=False)
class Probe:
    """A regression from latents to one label, scored on stars it has not seen.

    Parameters
    ----------
    label : str
        Name of the label.
    kind : {"ridge", "boosting"}
        Linear or not.
    nodes : ndarray of int
        Latents that it reads.
    rows : ndarray of int, shape (n_used,)
        Rows with a label.
    truth, predicted : ndarray, shape (n_used,)
        Label, and its value from the fold in which the star was held out.
    fold : ndarray of int, shape (n_used,)
        Which fold that was.
    n_stars : int
        Number of different stars.
    scores : dict of str to tuple of float
        ``mae``, ``rmse``, ``bias`` (predicted less true), ``scatter`` (1.4826 times the
        median absolute deviation of the residuals), ``r2``, and ``mae_constant`` (that
        of the training stars' median, what a probe has to beat); each as value, lower
        and upper limit.
    confidence : float
        Probability content of the limits.
    estimator : object
        The regression fitted to all rows; used by `predict`.
    lowest, highest : ndarray, shape (n_nodes,)
        Range of each latent among the rows.
    """

    label: str
    kind: str
    nodes: np.ndarray
    rows: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray
    fold: np.ndarray
    n_stars: int
    scores: dict[str, tuple[float, float, float]]
    confidence: float
    estimator: RegressorMixin
    lowest: np.ndarray
    highest: np.ndarray

    __repr__ = short_repr

    def predict(self, latents: np.ndarray) -> np.ndarray:
        """Estimate the label of other spectra.

        Parameters
        ----------
        latents : ndarray, shape (n_spectra, n_latent)
            All latents, also those that the probe does not read.

        Returns
        -------
        ndarray, shape (n_spectra,)
            NaN where a latent is NaN or more than 5 % of its range outside the range
            that the probe was fitted to: it does not extrapolate.
        """
        values = as_latents(latents)[:, self.nodes]
        margin = _MARGIN * (self.highest - self.lowest)
        known = np.isfinite(values).all(axis=1)
        known &= (values >= self.lowest - margin).all(axis=1)
        known &= (values <= self.highest + margin).all(axis=1)
        predicted = np.full(len(values), np.nan)
        if known.any():
            predicted[known] = self.estimator.predict(values[known])
        return predicted


def fit_probes(
    latents: np.ndarray,
    labels: Mapping[str, np.ndarray] | Table,
    *,
    latent_id: Sequence[str],
    label_id: Sequence[str],
    star: Sequence[str],
    kind: str = "ridge",
    nodes: Sequence[int] | None = None,
    n_folds: int = 5,
    n_bootstrap: int = 500,
    confidence: float = 0.95,
    rng: np.random.Generator | int | None = None,
) -> dict[str, Probe]:
    """Fit one probe per label and score it on held-out stars.

    Parameters
    ----------
    latents : ndarray, shape (n_spectra, n_latent)
        Posterior means; rows with NaN are left out.
    labels : mapping of str to array_like, or `~astropy.table.Table`
        Labels; NaN or masked where not known.
    latent_id, label_id : sequence of str, shape (n_spectra,)
        Identifiers of the rows of both; they must agree row by row. `align_labels`
        brings a table into order.
    star : sequence of str, shape (n_spectra,)
        Star of each spectrum: no star is in both a fit and its test.
    kind : {"ridge", "boosting"}, optional
        Linear regression with a penalty, or gradient-boosted trees.
    nodes : sequence of int, optional
        Latents to read; by default all. Pass the informative ones.
    n_folds : int, optional
        Number of folds of stars.
    n_bootstrap : int, optional
        Resamples of stars for the intervals on the scores.
    confidence : float, optional
        Probability content of those intervals.
    rng : `numpy.random.Generator` or int, optional
        Source of randomness.

    Returns
    -------
    dict of str to Probe
        By label.

    Raises
    ------
    ValueError
        If rows are not aligned, a label has fewer stars than folds, or an argument has
        a wrong value.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.latent import fit_probes
    >>> latents = np.random.default_rng(0).normal(size=(200, 3))
    >>> names = [f"spectrum {i}" for i in range(200)]
    >>> probe = fit_probes(
    ...     latents, {"teff": 5500 + 300 * latents[:, 1]}, latent_id=names,
    ...     label_id=names, star=names, n_bootstrap=20, rng=0)["teff"]
    >>> probe.scores["mae"][0] < 1
    True
    """
    latents = as_latents(latents)
    check_aligned(latent_id, label_id)
    for name, sequence in (("latent_id", latent_id), ("star", star)):
        if len(sequence) != len(latents):
            msg = f"{name} has {len(sequence)} entries for {len(latents)} latents"
            raise ValueError(msg)
    chosen = as_nodes(nodes, latents.shape[1])
    rng = np.random.default_rng(rng)
    finite = np.isfinite(latents[:, chosen]).all(axis=1)
    return {
        label: _fit_one(
            latents[:, chosen],
            values,
            np.flatnonzero(finite & np.isfinite(values)),
            label=label,
            star=np.asarray(star),
            kind=kind,
            nodes=chosen,
            n_folds=n_folds,
            n_bootstrap=n_bootstrap,
            confidence=confidence,
            rng=rng,
        )
        for label, values in as_labels(labels, len(latents)).items()
    }


def probe_table(probes: Mapping[str, Probe]) -> Table:
    """Return the scores of probes, one row per label.

    Parameters
    ----------
    probes : mapping of str to Probe
        As from `fit_probes`.

    Returns
    -------
    `~astropy.table.Table`
        Columns ``label, kind, n_used, n_stars`` and each score with ``_low`` and
        ``_high``, in the unit of the label (``r2`` without).
    """
    rows = []
    for probe in probes.values():
        row = {
            "label": probe.label,
            "kind": probe.kind,
            "n_used": len(probe.rows),
            "n_stars": probe.n_stars,
        }
        for name, (value, low, high) in probe.scores.items():
            row |= {name: value, f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    return Table(rows)


def _estimator(kind: str, rng: np.random.Generator) -> RegressorMixin:
    if kind == "ridge":
        return make_pipeline(StandardScaler(), RidgeCV(alphas=_PENALTIES))
    if kind == "boosting":
        seed = int(rng.integers(2**31))
        return HistGradientBoostingRegressor(
            learning_rate=0.08, max_iter=200, early_stopping=False, random_state=seed
        )
    msg = f"kind must be ridge or boosting, not {kind!r}"
    raise ValueError(msg)


def _fit_one(
    values: np.ndarray,
    label_values: np.ndarray,
    rows: np.ndarray,
    *,
    label: str,
    star: np.ndarray,
    kind: str,
    nodes: np.ndarray,
    n_folds: int,
    n_bootstrap: int,
    confidence: float,
    rng: np.random.Generator,
) -> Probe:
    """Predict each star from a fit to others, then fit all."""
    x, truth, group = values[rows], label_values[rows], star[rows]
    n_stars = len(np.unique(group))
    if n_stars < n_folds:
        msg = (
            f"label {label!r} is known for {n_stars} stars: too few for {n_folds} folds"
        )
        raise ValueError(msg)
    predicted, constant = np.empty(len(rows)), np.empty(len(rows))
    fold = np.empty(len(rows), dtype=int)
    splitter = GroupKFold(n_folds, shuffle=True, random_state=int(rng.integers(2**31)))
    for i, (train, test) in enumerate(splitter.split(x, truth, group)):
        predicted[test] = (
            _estimator(kind, rng).fit(x[train], truth[train]).predict(x[test])
        )
        constant[test], fold[test] = np.median(truth[train]), i
    return Probe(
        label=label,
        kind=kind,
        nodes=nodes,
        rows=rows,
        truth=truth,
        predicted=predicted,
        fold=fold,
        n_stars=n_stars,
        scores=_scores_with_limits(
            truth, predicted, constant, star_rows(group), n_bootstrap, confidence, rng
        ),
        confidence=confidence,
        estimator=_estimator(kind, rng).fit(x, truth),
        lowest=x.min(axis=0),
        highest=x.max(axis=0),
    )


def _scores(
    truth: np.ndarray, predicted: np.ndarray, constant: np.ndarray
) -> dict[str, float]:
    residual = predicted - truth
    spread = np.median(np.abs(residual - np.median(residual)))
    variance = np.var(truth)
    return {
        "mae": float(np.mean(np.abs(residual))),
        "rmse": float(np.sqrt(np.mean(residual**2))),
        "bias": float(np.mean(residual)),
        "scatter": float(SIGMA_PER_MAD * spread),
        "r2": float(1 - np.mean(residual**2) / variance) if variance > 0 else np.nan,
        "mae_constant": float(np.mean(np.abs(constant - truth))),
    }


def _scores_with_limits(
    truth: np.ndarray,
    predicted: np.ndarray,
    constant: np.ndarray,
    units: list[np.ndarray],
    n_bootstrap: int,
    confidence: float,
    rng: np.random.Generator,
) -> dict[str, tuple[float, float, float]]:
    """Score the predictions, with percentile limits from resampled stars."""
    scores = _scores(truth, predicted, constant)
    again = []
    for _ in range(n_bootstrap):
        drawn = resample(units, rng)
        again.append(_scores(truth[drawn], predicted[drawn], constant[drawn]))
    tails = [50 * (1 - confidence), 50 * (1 + confidence)]
    limits = {
        name: np.nanpercentile([one[name] for one in again], tails).tolist()
        if again
        else [np.nan, np.nan]
        for name in scores
    }
    return {name: (value, *limits[name]) for name, value in scores.items()}
