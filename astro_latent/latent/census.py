# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How many nodes are informative, and how many of these no known label explains.

Both counts of Sedaghat et al. (2021) on one sample, each with what chance would count
and with an interval, and what is left when the nodes that a label explains are taken
away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from astropy.table import Table

from ..utils.short_repr import short_repr
from .census_steps import (
    FEWEST_STARS,
    Repeats,
    Shares,
    follow_labels,
    share_explained,
)
from .dispersion import median_deviation
from .informative import PUBLISHED_THRESHOLDS
from .samples import as_labels, as_latents, as_nodes, one_per_star

__all__ = ["Census", "take_census"]

#: Columns of the table of a census that count nodes.
_COUNTS = ("by_dispersion", "by_information", "explained", "unexplained")

_SHUFFLES = 25  # of each label in a resample; more make no other counts


@dataclass(frozen=True, kw_only=True, repr=False)
class Census:
    """Which nodes are informative, follow a label, are explained by one.

    Parameters
    ----------
    dispersion : ndarray, shape (n_latent,)
        Median absolute deviation of each node.
    p_repeat : ndarray, shape (n_latent,)
        Chance that *any* node would agree as well between two spectra of a star; NaN
        without repeated spectra.
    share : ndarray, shape (n_latent,)
        Share of the variance of a node that one label explains in stars that were not
        fitted, by the best label.
    label : tuple of str
        That label, for each node.
    share_together : ndarray, shape (n_latent,)
        Share that all labels explain together, each by a curve of its own.
    by_dispersion, by_information, explained : ndarray of bool, shape (n_latent,)
        Informative by either count; more than the required share explained.
    draws : dict of str to ndarray of bool, shape (n_bootstrap, n_latent)
        The same in each resample of stars.
    chance : dict of str to ndarray of bool, shape (n_permutations, n_latent)
        What the two counts find in shuffled samples.
    groups : dict of str to ndarray of int
        Nodes by what they are for.
    confidence : float
        Probability content of the intervals.
    n_stars, n_repeated : int
        Stars, and how many of them have two spectra.
    """

    dispersion: np.ndarray
    p_repeat: np.ndarray
    share: np.ndarray
    label: tuple[str, ...]
    share_together: np.ndarray
    by_dispersion: np.ndarray
    by_information: np.ndarray
    explained: np.ndarray
    draws: dict[str, np.ndarray]
    chance: dict[str, np.ndarray]
    groups: dict[str, np.ndarray]
    confidence: float
    n_stars: int
    n_repeated: int

    __repr__ = short_repr

    @property
    def unexplained(self) -> np.ndarray:
        """True for nodes informative by dispersion that no label explains."""
        return _select(vars(self), "unexplained")

    def count(
        self, name: str, nodes: Sequence[int] | None = None
    ) -> tuple[int, float, float]:
        """Count nodes, with an interval.

        Parameters
        ----------
        name : {"by_dispersion", "by_information", "explained", "unexplained"}
            What to count; explained are those that are informative by dispersion.
        nodes : sequence of int, optional
            Among which; by default all.

        Returns
        -------
        count, low, high : int, float, float
            The interval has the width of the counts in resamples and the count in its
            middle: a resample holds 63 % of the stars and finds fewer. NaN without
            resamples.
        """
        chosen = as_nodes(nodes, len(self.dispersion))
        count = int(np.count_nonzero(_select(vars(self), name)[..., chosen]))
        again = np.count_nonzero(_select(self.draws, name)[..., chosen], axis=-1)
        if not len(again):
            return count, np.nan, np.nan
        tails = [50 * (1 - self.confidence), 50 * (1 + self.confidence)]
        off = np.percentile(again, tails) - np.median(again)
        low, high = np.clip(count + off, 0, len(chosen)).tolist()
        return count, low, high

    def to_table(self, *, apart: Sequence[str] = ("shape",)) -> Table:
        """Return one row for all nodes, for those not apart, and for each group.

        Parameters
        ----------
        apart : sequence of str, optional
            Groups that the second row leaves out: nodes of the flux shape are of the
            instrument and of dust, not lines.

        Returns
        -------
        `~astropy.table.Table`
            Columns ``group, nodes``, and for each of ``by_dispersion, by_information,
            explained, unexplained`` the count, ``_low`` and ``_high``, and what chance
            counts on average, ``_chance``, for the first two.
        """
        every = np.arange(len(self.dispersion))
        rows = {"all": every}
        left_out = [self.groups[name] for name in apart if name in self.groups]
        if left_out:
            rows[f"without {', '.join(apart)}"] = np.setdiff1d(
                every, np.concatenate(left_out)
            )
        rows |= self.groups
        found = []
        for group, nodes in rows.items():
            row = {"group": group, "nodes": len(nodes)}
            for name in _COUNTS:
                count, low, high = self.count(name, nodes.tolist())
                row |= {name: count, f"{name}_low": low, f"{name}_high": high}
                if name in self.chance:
                    by_chance = self.chance[name][:, nodes].sum(axis=1)
                    row[f"{name}_chance"] = (
                        float(by_chance.mean()) if len(by_chance) else np.nan
                    )
            found.append(row)
        table = Table(found)
        table.meta = {"n_stars": self.n_stars, "n_repeated": self.n_repeated}
        return table

    def node_table(self) -> Table:
        """Return one row per node.

        Returns
        -------
        `~astropy.table.Table`
            Columns ``node, group, dispersion, p_repeat, by_dispersion, by_information,
            label, share, share_together, explained``.
        """
        table = Table({"node": np.arange(len(self.dispersion))})
        group = np.full(len(table), "", dtype="U32")
        for name, nodes in self.groups.items():
            group[nodes] = name
        table["group"] = group
        for name in (
            "dispersion", "p_repeat", "by_dispersion", "by_information", "label",
            "share", "share_together", "explained",
        ):  # fmt: skip
            table[name] = getattr(self, name)
        return table


def take_census(
    latents: np.ndarray,
    labels: Mapping[str, np.ndarray] | Table,
    *,
    star: Sequence[str] | None = None,
    groups: Mapping[str, Sequence[int]] | None = None,
    threshold: float = PUBLISHED_THRESHOLDS["median"],
    share: float = 0.5,
    level: float = 0.01,
    n_permutations: int = 199,
    n_bootstrap: int = 100,
    confidence: float = 0.95,
    rng: np.random.Generator | int | None = None,
) -> Census:
    """Count informative nodes in two ways, and those that no label explains.

    Parameters
    ----------
    latents : ndarray, shape (n_spectra, n_latent)
        Posterior means; rows with NaN are left out.
    labels : mapping of str to array_like, or `~astropy.table.Table`
        Labels of the same spectra; NaN or masked where not known.
    star : sequence of str, shape (n_spectra,), optional
        Star of each spectrum. One spectrum of each counts; a second one of the same
        star tells whether a node spreads for a reason, or by noise.
    groups : mapping of str to sequence of int, optional
        Nodes by what they are for, as ``model.latent_groups``, to be counted apart.
    threshold : float, optional
        By dispersion a node is informative whose median absolute deviation is above
        it, and, if stars were repeated, that agrees between two spectra of a star.
    share : float, optional
        A label explains a node if a smooth curve in it predicts so much of the node's
        variance, for stars that were not fitted.
    level : float, optional
        Of significance: of the agreement of repeats, for any node; and the share of
        false discoveries among the nodes that follow a label in every binning.
    n_permutations : int, optional
        Shuffles for both nulls.
    n_bootstrap : int, optional
        Resamples of stars for the intervals; 0 for none.
    confidence : float, optional
        Probability content of the intervals.
    rng : `numpy.random.Generator` or int, optional
        Source of randomness.

    Returns
    -------
    Census
        Decisions for each node, and tables of counts.

    Raises
    ------
    ValueError
        If shapes disagree, a node does not exist or fewer than 30 stars are left.

    Notes
    -----
    The published census is six informative nodes, of which about four follow none of
    the known labels. The shuffles of labels are shared by all nodes and binnings, so
    that what chance counts is counted under the same rule.

    References
    ----------
    Sedaghat et al. 2021, MNRAS 501, 6026, sections 6.1 and 6.2.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.latent import take_census
    >>> latents = np.random.default_rng(0).normal(size=(400, 6))
    >>> latents[:, 3:] *= 1e-3  # collapsed
    >>> labels = {"teff": 5500 + 400 * latents[:, 2]}
    >>> census = take_census(latents, labels, n_permutations=99, n_bootstrap=0, rng=1)
    >>> [census.count(n)[0] for n in ("by_dispersion", "explained", "unexplained")]
    [3, 1, 2]
    """
    latents = as_latents(latents)
    arrays = as_labels(labels, len(latents))
    if star is not None and len(star) != len(latents):
        msg = f"{len(star)} star names for {len(latents)} spectra"
        raise ValueError(msg)
    rng = np.random.default_rng(rng)
    finite, names, first = _one_of_each(latents, star, rng)
    repeats = Repeats.find(latents[finite], names, first, n_permutations, rng=rng)
    rows = finite[first]
    sample = _Sample(
        latents=latents[rows],
        labels={name: values[rows] for name, values in arrays.items()},
        agreeing=repeats.judge(level)[0],
        threshold=threshold,
        share=share,
        level=level,
    )
    shares = share_explained(sample.latents, sample.labels, rng=rng)
    every = np.arange(len(rows))
    found, by_chance = sample.count(shares, every, n_permutations, rng=rng)
    best, label = shares.best(every)
    spreads = median_deviation(sample.latents)
    return Census(
        dispersion=spreads,
        p_repeat=repeats.p_value(),
        share=best,
        label=label,
        share_together=shares.together(every),
        **found,
        draws=sample.resample(shares, n_bootstrap, rng=rng),
        chance={
            "by_dispersion": repeats.judge(level)[1] & (spreads > threshold),
            "by_information": by_chance,
        },
        groups=_as_groups(groups or {}, latents.shape[1]),
        confidence=confidence,
        n_stars=len(rows),
        n_repeated=repeats.count,
    )


def _one_of_each(
    latents: np.ndarray, star: Sequence[str] | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows that are finite, their stars, and one of these rows for each star."""
    finite = np.flatnonzero(np.isfinite(latents).all(axis=1))
    names = finite if star is None else np.asarray(star)[finite]
    first = one_per_star(names, rng=rng)
    if len(first) < FEWEST_STARS:
        msg = f"{len(first)} stars with finite latents; {FEWEST_STARS} are needed"
        raise ValueError(msg)
    return finite, names, first


def _as_groups(
    groups: Mapping[str, Sequence[int]], n_latent: int
) -> dict[str, np.ndarray]:
    return {name: as_nodes(list(nodes), n_latent) for name, nodes in groups.items()}


@dataclass(frozen=True, kw_only=True)
class _Sample:
    """Stars, and by what rule their nodes are counted."""

    latents: np.ndarray
    labels: dict[str, np.ndarray]
    agreeing: np.ndarray
    threshold: float
    share: float
    level: float

    def count(
        self,
        shares: Shares,
        drawn: np.ndarray,
        n_permutations: int,
        *,
        rng: np.random.Generator,
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Decide on each node by drawn stars; and what chance would decide."""
        follows, chance = follow_labels(
            self.latents, self.labels, drawn, n_permutations, level=self.level, rng=rng
        )
        spreads = median_deviation(self.latents[drawn]) > self.threshold
        return {
            "by_dispersion": self.agreeing & spreads,
            "by_information": follows,
            "explained": shares.best(drawn)[0] >= self.share,
        }, chance

    def resample(
        self, shares: Shares, n_bootstrap: int, *, rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Decide again by stars drawn with replacement."""
        n_stars, n_latent = self.latents.shape
        draws = [
            self.count(shares, drawn, _SHUFFLES, rng=rng)[0]
            for drawn in rng.integers(n_stars, size=(n_bootstrap, n_stars))
        ]
        return {
            name: np.array([draw[name] for draw in draws], dtype=bool).reshape(
                -1, n_latent
            )
            for name in _COUNTS[:3]
        }


def _select(decisions: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """Which nodes are counted under a name, shape (..., n_latent)."""
    if name not in _COUNTS:
        msg = f"a census counts {', '.join(_COUNTS)}, not {name!r}"
        raise ValueError(msg)
    if name == "unexplained":
        return decisions["by_dispersion"] & ~decisions["explained"]
    if name == "explained":
        return decisions["by_dispersion"] & decisions["explained"]
    return decisions[name]
