# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What a census asks of a node: it agrees with itself, follows, and is explained.

With itself when a star is seen again; it follows a label by mutual information; and a
label explains it by a smooth curve.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from astropy.stats import sigma_clip
from scipy.stats import rankdata
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, SplineTransformer

from .estimators import drawn_information, false_discoveries, p_tail, p_value
from .mutual_information import PUBLISHED_BINNINGS

__all__ = ["FEWEST_STARS", "Repeats", "Shares", "follow_labels", "share_explained"]

#: Stars without which nothing can be said of a label.
FEWEST_STARS = 30

_FEWEST_REPEATS = 10
_CLIP = 5.0  # standard deviations of a label, as published
_KNOTS = 8
_FOLDS = 5


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """Rank correlation of each node between two spectra of a star, and its null.

    Parameters
    ----------
    agreement : ndarray, shape (n_latent,)
        Rank correlation.
    null : ndarray, shape (n_permutations, n_latent)
        The same with partners of other stars.
    count : int
        Stars with two spectra; with fewer than ten nothing is judged.
    """

    agreement: np.ndarray
    null: np.ndarray
    count: int

    @classmethod
    def find(
        cls,
        latents: np.ndarray,
        star: np.ndarray,
        first: np.ndarray,
        n_permutations: int,
        *,
        rng: np.random.Generator,
    ) -> "Repeats":
        """Pair the first spectrum of each star with another of it.

        Parameters
        ----------
        latents : ndarray, shape (n_spectra, n_latent)
            Posterior means.
        star : ndarray, shape (n_spectra,)
            Star of each.
        first : ndarray of int, shape (n_stars,)
            One row of each star.
        n_permutations : int
            Shuffles of the partners.
        rng : `numpy.random.Generator`
            Source of randomness.

        Returns
        -------
        Repeats
            Correlations.
        """
        others = np.setdiff1d(np.arange(len(star)), first)
        names, rows = np.unique(star[others], return_index=True)
        paired = first[np.isin(star[first], names)]
        second = others[rows][np.searchsorted(names, star[paired])]
        if len(paired) < _FEWEST_REPEATS:
            nothing = np.full(latents.shape[1], np.nan)
            return cls(agreement=nothing, null=nothing[None][:0], count=len(paired))
        one, other = _scaled_ranks(latents[paired]), _scaled_ranks(latents[second])
        null = [
            np.sum(one * other[rng.permutation(len(other))], axis=0)
            for _ in range(n_permutations)
        ]
        return cls(
            agreement=np.sum(one * other, axis=0),
            null=np.array(null).reshape(-1, latents.shape[1]),
            count=len(paired),
        )

    def p_value(self) -> np.ndarray:
        """Return the chance that any node agrees so well, shape (n_latent,)."""
        if not len(self.null):
            return np.full(len(self.agreement), np.nan)
        return p_value(self.agreement, self.null.max(axis=1, keepdims=True))

    def judge(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Tell which nodes agree, and which do so by chance.

        Parameters
        ----------
        level : float
            Of significance, for any node.

        Returns
        -------
        agreeing : ndarray of bool, shape (n_latent,)
            All of them, if nothing can be judged.
        chance : ndarray of bool, shape (n_permutations, n_latent)
            The same for each shuffle.
        """
        if not len(self.null):
            every = np.ones(len(self.agreement), dtype=bool)
            return every, every[None][:0]
        limit = np.quantile(self.null.max(axis=1), 1.0 - level)
        return self.p_value() <= level, self.null > limit


def follow_labels(
    latents: np.ndarray,
    labels: Mapping[str, np.ndarray],
    drawn: np.ndarray,
    n_permutations: int,
    *,
    level: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Tell which nodes follow a label in every published binning.

    Parameters
    ----------
    latents : ndarray, shape (n_stars, n_latent)
        One row for each star.
    labels : mapping of str to ndarray, shape (n_stars,)
        NaN where not known.
    drawn : ndarray of int
        Stars that count, with repetitions.
    n_permutations : int
        Shuffles of each label.
    level : float
        Share of false discoveries.
    rng : `numpy.random.Generator`
        Source of randomness.

    Returns
    -------
    following : ndarray of bool, shape (n_latent,)
        By mutual information.
    chance : ndarray of bool, shape (n_permutations, n_latent)
        The same for shuffled labels.
    """
    shape = (len(labels), len(PUBLISHED_BINNINGS), latents.shape[1])
    tails = np.full(shape, np.nan)
    by_chance = np.full((n_permutations, *shape), np.nan)
    for place, values in enumerate(labels.values()):
        known = _usable(values)
        place_of = np.cumsum(known) - 1
        mine = place_of[drawn[known[drawn]]]
        seed = int(rng.integers(2**31))
        if len(np.unique(mine)) < FEWEST_STARS:
            continue
        for k, n_bins in enumerate(PUBLISHED_BINNINGS):
            observed, null = drawn_information(
                latents[known], values[known], mine, n_bins=n_bins,
                n_permutations=n_permutations,
                rng=np.random.default_rng(seed),  # the same shuffles in each binning
            )  # fmt: skip
            tails[place, k] = p_tail(observed, null)
            by_chance[:, place, k] = p_tail(null, null)
    chance = [_significant(each, level) for each in by_chance]
    return _significant(tails, level), np.array(chance).reshape(-1, shape[-1])


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Squared errors of nodes as predicted from labels, for stars not fitted.

    Parameters
    ----------
    latents : ndarray, shape (n_stars, n_latent)
        The nodes.
    labels : tuple of str
        What they were predicted from.
    squares : ndarray, shape (n_labels + 1, n_stars, n_latent)
        From each label, and from all together; NaN where a label is not known.
    """

    latents: np.ndarray
    labels: tuple[str, ...]
    squares: np.ndarray

    def best(self, drawn: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        """Find the label that explains most of each node.

        Parameters
        ----------
        drawn : ndarray of int
            Stars that count, with repetitions.

        Returns
        -------
        share : ndarray, shape (n_latent,)
            Of the variance of the node; not below 0.
        label : tuple of str
            For each node.
        """
        shares = np.array([self._share(squares, drawn) for squares in self.squares])
        which = shares[:-1].argmax(axis=0)
        best = shares[which, np.arange(len(which))]
        return best, tuple(self.labels[k] for k in which)

    def together(self, drawn: np.ndarray) -> np.ndarray:
        """Return the share that all labels explain together, shape (n_latent,).

        Parameters
        ----------
        drawn : ndarray of int
            Stars that count, with repetitions.

        Returns
        -------
        ndarray, shape (n_latent,)
            Not below 0.
        """
        return self._share(self.squares[-1], drawn)

    def _share(self, squares: np.ndarray, drawn: np.ndarray) -> np.ndarray:
        rows = drawn[np.isfinite(squares[drawn, 0])]
        if not len(rows):
            return np.zeros(squares.shape[1])
        variance = self.latents[rows].var(axis=0)
        left = squares[rows].mean(axis=0) / np.where(variance > 0, variance, 1.0)
        return np.where(variance > 0, np.maximum(1.0 - left, 0.0), 0.0)


def share_explained(
    latents: np.ndarray,
    labels: Mapping[str, np.ndarray],
    *,
    rng: np.random.Generator,
) -> Shares:
    """Predict all nodes from each label, and from all, by smooth curves.

    Parameters
    ----------
    latents : ndarray, shape (n_stars, n_latent)
        One row for each star.
    labels : mapping of str to ndarray, shape (n_stars,)
        NaN where not known.
    rng : `numpy.random.Generator`
        Divides the stars into five folds.

    Returns
    -------
    Shares
        Squared errors of stars in other folds than those fitted.
    """
    values = np.column_stack(list(labels.values()))
    sets = [values[:, [k]] for k in range(values.shape[1])] + [values]
    folds = KFold(_FOLDS, shuffle=True, random_state=int(rng.integers(2**31)))
    squares = np.full((len(sets), *latents.shape), np.nan)
    for place, columns in enumerate(sets):
        columns = columns[:, np.nanmin(columns, axis=0) < np.nanmax(columns, axis=0)]
        rows = np.flatnonzero(np.isfinite(columns).all(axis=1))
        if not columns.shape[1] or len(rows) < FEWEST_STARS:
            continue
        for train, test in folds.split(rows):
            fit = make_pipeline(
                QuantileTransformer(n_quantiles=min(100, len(train))),
                SplineTransformer(n_knots=_KNOTS),
                RidgeCV(alphas=np.logspace(-3, 3, 7), alpha_per_target=True),
            )
            fit.fit(columns[rows[train]], latents[rows[train]])
            found = fit.predict(columns[rows[test]])
            squares[place, rows[test]] = (latents[rows[test]] - found) ** 2
    return Shares(latents=latents, labels=tuple(labels), squares=squares)


def _scaled_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks of each column, centred, of unit length."""
    ranks = rankdata(values, axis=0)
    ranks -= ranks.mean(axis=0)
    length = np.sqrt(np.sum(ranks**2, axis=0))
    return ranks / np.where(length > 0, length, 1.0)


def _usable(values: np.ndarray) -> np.ndarray:
    """Which labels are known and no outliers."""
    known = np.isfinite(values)
    if known.any():
        clipped = sigma_clip(values[known], sigma=_CLIP, masked=True)
        known[known] = ~np.ma.getmaskarray(clipped)
    return known


def _significant(tails: np.ndarray, level: float) -> np.ndarray:
    """Which nodes follow any label in every binning, from (label, binning, node)."""
    return np.all(false_discoveries(tails) <= level, axis=1).any(axis=0)
