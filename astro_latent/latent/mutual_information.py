# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Which label each latent follows: the count by mutual information.

This is the second of the two counts of Sedaghat et al. (2021): histograms with 5 to
160 bins, each row of the map divided by its largest value. Beside it stand what they
left out: a permutation null, corrected values, significance over all pairs of latent
and label, and an estimator that has no bins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.stats import sigma_clip
from astropy.table import Table

from ..utils.short_repr import short_repr
from .estimators import (
    false_discoveries,
    histogram_information,
    neighbour_information,
    p_tail,
    p_value,
    permuted_information,
)
from .samples import as_labels, as_latents, as_nodes, one_per_star

__all__ = ["PUBLISHED_BINNINGS", "MutualInformation", "measure_mutual_information"]

#: Bins per axis of Sedaghat et al. (2021).
PUBLISHED_BINNINGS = (5, 10, 20, 40, 80, 160)

#: A label with fewer usable spectra gets no value.
_FEWEST = 30


@dataclass(frozen=True, kw_only=True, repr=False)
class MutualInformation:
    """Mutual information of latents and labels, in nats, with its significance.

    Arrays have the axes (label, binning, latent) or (label, latent). NaN stands for a
    label with fewer than 30 usable spectra and for what was not asked for.

    Parameters
    ----------
    labels : tuple of str
        Names of the labels.
    nodes : ndarray of int, shape (n_nodes,)
        Indices of the latents.
    binnings : tuple of int
        Bins per axis.
    information : ndarray, shape (n_labels, n_binnings, n_nodes)
        Histogram estimate as published: no correction, never negative.
    corrected : ndarray, shape (n_labels, n_binnings, n_nodes)
        The same less its bias: the mean over permutations if there were any, else the
        first-order bias of Miller and Madow. May be negative.
    p_value : ndarray, shape (n_labels, n_binnings, n_nodes)
        Fraction of permutations that reach the estimate, itself counted as one.
    p_family : ndarray, shape (n_labels, n_binnings, n_nodes)
        Fraction of permutations in which *any* latent reaches the estimate: corrected
        for the number of nodes without losing resolution.
    p_tail : ndarray, shape (n_labels, n_binnings, n_nodes)
        Like ``p_value``, from a gamma distribution with the mean, variance and skewness
        of the permutations: it does not stop at one over their number.
    q_value : ndarray, shape (n_labels, n_binnings, n_nodes)
        ``p_tail`` after Benjamini and Hochberg over all latents and labels.
    neighbours : ndarray, shape (n_labels, n_nodes)
        Estimate by nearest neighbours.
    n_used : ndarray of int, shape (n_labels,)
        Spectra with a label, after clipping and after drawing one per star.
    n_permutations, n_neighbors : int
        As asked for; 0 for none.
    """

    labels: tuple[str, ...]
    nodes: np.ndarray
    binnings: tuple[int, ...]
    information: np.ndarray
    corrected: np.ndarray
    p_value: np.ndarray
    p_family: np.ndarray
    p_tail: np.ndarray
    q_value: np.ndarray
    neighbours: np.ndarray
    n_used: np.ndarray
    n_permutations: int
    n_neighbors: int

    __repr__ = short_repr

    @property
    def indicator(self) -> np.ndarray:
        """The published map: each row of latents over its largest value."""
        largest = self.information.max(axis=2, keepdims=True)
        return self.information / np.where(largest > 0, largest, 1.0)

    def significant(self, *, level: float = 0.01) -> np.ndarray:
        """Tell which latents follow which label, in every binning.

        Parameters
        ----------
        level : float, optional
            Largest ``q_value``: the share of false discoveries that is accepted.

        Returns
        -------
        ndarray of bool, shape (n_labels, n_nodes)
            False where a value is NaN.

        Raises
        ------
        ValueError
            If there were no permutations.
        """
        if not self.n_permutations:
            msg = "no permutations were made: set n_permutations to get significance"
            raise ValueError(msg)
        return np.all(self.q_value <= level, axis=1)

    def informative(self, *, level: float = 0.01) -> np.ndarray:
        """Return the latents that follow at least one label.

        Parameters
        ----------
        level : float, optional
            Largest ``q_value``.

        Returns
        -------
        ndarray of int
            Indices of latents; their number is the count by mutual information.
        """
        return self.nodes[self.significant(level=level).any(axis=0)]

    def owner(self, label: str) -> int | None:
        """Return the latent that is first for a label in every binning.

        Parameters
        ----------
        label : str
            Name of a label.

        Returns
        -------
        int or None
            Index of the latent; None if the binnings disagree or there is no value.

        Raises
        ------
        ValueError
            If there is no such label.
        """
        if label not in self.labels:
            msg = f"no label is called {label!r}; known: {', '.join(self.labels)}"
            raise ValueError(msg)
        rows = self.information[self.labels.index(label)]
        first = np.unique(np.argmax(rows, axis=1))
        if len(first) > 1 or np.isnan(rows).any():
            return None
        return int(self.nodes[first[0]])

    def to_table(self) -> Table:
        """Return one row per pair of label and latent, binnings as array columns.

        Returns
        -------
        `~astropy.table.Table`
            Columns ``label, node, n_used, information, corrected, indicator, p_value,
            p_family, p_tail, q_value, neighbours``; binnings and settings in ``meta``.
        """
        n_labels, n_nodes = len(self.labels), len(self.nodes)
        table = Table(
            {
                "label": np.repeat(np.array(self.labels, dtype=str), n_nodes),
                "node": np.tile(self.nodes, n_labels),
                "n_used": np.repeat(self.n_used, n_nodes),
            }
        )
        for name in (
            "information", "corrected", "indicator", "p_value", "p_family", "p_tail",
            "q_value",
        ):  # fmt: skip
            values = getattr(self, name)
            table[name] = values.swapaxes(1, 2).reshape(-1, len(self.binnings))
        table["neighbours"] = self.neighbours.ravel()
        for name in ("information", "corrected", "neighbours"):
            table[name].description = "Mutual information, nats"
        table.meta = {
            "binnings": list(self.binnings),
            "n_permutations": self.n_permutations,
            "n_neighbors": self.n_neighbors,
        }
        return table


def measure_mutual_information(
    latents: np.ndarray,
    labels: Mapping[str, np.ndarray] | Table,
    *,
    nodes: Sequence[int] | None = None,
    binnings: Sequence[int] = PUBLISHED_BINNINGS,
    n_permutations: int = 0,
    n_neighbors: int = 0,
    clip_sigma: float | None = 5.0,
    star: Sequence[str] | None = None,
    rng: np.random.Generator | int | None = None,
) -> MutualInformation:
    """Measure what each latent says about each label.

    Parameters
    ----------
    latents : ndarray, shape (n_spectra, n_latent)
        Posterior means; rows with NaN are left out.
    labels : mapping of str to array_like, or `~astropy.table.Table`
        Labels in the same order as the latents (see `align_labels`); NaN or masked
        where not known. Columns of a table that are not numeric are passed over.
    nodes : sequence of int, optional
        Latents to look at; by default all of them.
    binnings : sequence of int, optional
        Bins per axis.
    n_permutations : int, optional
        Shuffles of each label for the null, shared by all latents; 200 or more. With
        999, ``p_value`` goes down to 0.001.
    n_neighbors : int, optional
        Neighbours of the estimator without bins; 0 leaves it out (it takes about 15 ms
        per pair of latent and label with 4,000 spectra).
    clip_sigma : float, optional
        Labels further out than this many standard deviations are left out, as
        published; None keeps all.
    star : sequence of str, shape (n_spectra,), optional
        Star of each spectrum: one spectrum per star is drawn, as published. Without
        that, repeated spectra of a star make p-values too small.
    rng : `numpy.random.Generator` or int, optional
        Source of randomness.

    Returns
    -------
    MutualInformation
        Values, null and significance.

    Raises
    ------
    ValueError
        If shapes disagree or a latent does not exist.

    References
    ----------
    Sedaghat et al. 2021, MNRAS 501, 6026, section 6.2;
    Westfall & Young 1993, Resampling-Based Multiple Testing (``p_family``);
    Winkler et al. 2016, NeuroImage 141, 502 (``p_tail``);
    Benjamini & Hochberg 1995, J. R. Stat. Soc. B 57, 289.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.latent import measure_mutual_information
    >>> latents = np.random.default_rng(0).normal(size=(500, 4))
    >>> labels = {"teff": 5500 + 400 * latents[:, 2]}
    >>> result = measure_mutual_information(
    ...     latents, labels, binnings=(5, 10), n_permutations=199, rng=1)
    >>> result.owner("teff"), result.informative(level=0.05).tolist()
    (2, [2])
    """
    latents = as_latents(latents)
    arrays = as_labels(labels, len(latents))
    chosen = as_nodes(nodes, latents.shape[1])
    if star is not None and len(star) != len(latents):
        msg = f"{len(star)} star names for {len(latents)} spectra"
        raise ValueError(msg)
    rng = np.random.default_rng(rng)
    keep = np.isfinite(latents[:, chosen]).all(axis=1)
    rows = []
    for values in arrays.values():
        used = _usable(values, keep, star=star, clip_sigma=clip_sigma, rng=rng)
        rows.append(
            _one_label(
                latents[used][:, chosen],
                values[used],
                binnings=binnings,
                n_permutations=n_permutations,
                n_neighbors=n_neighbors,
                rng=rng,
            )
        )
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return MutualInformation(
        labels=tuple(arrays),
        nodes=chosen,
        binnings=tuple(binnings),
        q_value=false_discoveries(columns["p_tail"]),
        n_permutations=n_permutations,
        n_neighbors=n_neighbors,
        **columns,
    )


def _one_label(
    x: np.ndarray,
    y: np.ndarray,
    *,
    binnings: Sequence[int],
    n_permutations: int,
    n_neighbors: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Measure all latents against one label."""
    shape = (len(binnings), x.shape[1])
    names = ("information", "corrected", "p_value", "p_family", "p_tail")
    row: dict[str, Any] = {name: np.full(shape, np.nan) for name in names}
    row["neighbours"] = np.full(shape[1], np.nan)
    row["n_used"] = len(y)
    if len(y) < _FEWEST:
        return row
    for i, n_bins in enumerate(binnings):
        information = histogram_information(x, y, n_bins=n_bins)
        row["information"][i] = information
        if not n_permutations:
            row["corrected"][i] = histogram_information(
                x, y, n_bins=n_bins, correction="miller-madow"
            )
            continue
        null = permuted_information(
            x, y, n_bins=n_bins, n_permutations=n_permutations, rng=rng
        )
        row["corrected"][i] = information - null.mean(axis=0)
        row["p_value"][i] = p_value(information, null)
        row["p_family"][i] = p_value(information, null.max(axis=1, keepdims=True))
        row["p_tail"][i] = p_tail(information, null)
    if n_neighbors:
        row["neighbours"] = neighbour_information(
            x, y, n_neighbors=n_neighbors, rng=rng
        )
    return row


def _usable(
    values: np.ndarray,
    keep: np.ndarray,
    *,
    star: Sequence[str] | None,
    clip_sigma: float | None,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return rows with latents and label, one per star, outliers clipped."""
    rows = np.flatnonzero(keep & np.isfinite(values))
    if star is not None:
        rows = rows[one_per_star(np.asarray(star)[rows], rng=rng)]
    if clip_sigma is None or not len(rows):
        return rows
    clipped = sigma_clip(values[rows], sigma=clip_sigma, masked=True)
    return rows[~np.ma.getmaskarray(clipped)]
