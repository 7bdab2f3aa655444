# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What moves a label: one latent where one owns it, else a direction among them all."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from astropy import units as u
from astropy.table import Table
from scipy.stats import spearmanr

from ..exceptions import UnknownNameError
from ..utils.short_repr import short_repr
from .monotone import MonotoneRange, find_monotone_range
from .samples import as_labels, as_latents

__all__ = ["LabelHandle", "fit_handles"]

#: A latent owns a label if their rank correlation is so large ...
_OWNS = 0.9

#: ... and its monotone range holds so many of the stars.
_COVERS = 0.9


@dataclass(frozen=True, kw_only=True, repr=False)
class LabelHandle:
    """How latents move with a label.

    Parameters
    ----------
    label : str
        Its name.
    unit : str
        Its unit; "" for none, or if nobody said.
    low, high : float
        Range of the label within which the handle is known.
    direction : ndarray, shape (n_latent,)
        Change of the latents per unit of the label, other labels held.
    node : int or None
        The latent that owns the label; None if none does.
    knots, values : ndarray, shape (n_knots,)
        Labels, ascending, and the values of the owner there, strictly monotone; empty
        without an owner.
    spearman : float
        Rank correlation of the label with the latent that follows it best.
    n_used : int
        Spectra that it was found from.
    score : float or None, optional
        What moving the label leaves over what moving nothing leaves, by RVIS or GIS
        (`score_velocity_node`, `score_label_handle`); None if nobody has measured it.

    Raises
    ------
    ValueError
        If shapes or values are none of a handle.
    """

    label: str
    unit: str
    low: float
    high: float
    direction: np.ndarray
    node: int | None = None
    knots: np.ndarray
    values: np.ndarray
    spearman: float
    n_used: int
    score: float | None = None

    __repr__ = short_repr

    def __post_init__(self) -> None:
        u.Unit(self.unit)  # raises ValueError
        for name in ("direction", "knots", "values"):
            array = np.asarray(getattr(self, name), dtype=float)
            object.__setattr__(self, name, array)
            if array.ndim != 1 or not np.isfinite(array).all():
                msg = f"{name} of {self.label!r} must be a row of finite numbers"
                raise ValueError(msg)
        if self.score is not None and not self.score >= 0:
            msg = f"the score of {self.label!r} must be 0 or more, not {self.score}"
            raise ValueError(msg)
        if self.node is None:
            return
        steps = np.diff(self.values)
        known = len(self.knots) == len(self.values) > 1
        if not (known and (np.diff(self.knots) > 0).all() and self.node >= 0):
            msg = f"{self.label!r} has node {self.node} and no map with ascending knots"
            raise ValueError(msg)
        monotone = (steps > 0).all() or (steps < 0).all()
        if self.node >= len(self.direction) or not monotone:
            msg = f"node {self.node} of {self.label!r} does not exist or turns back"
            raise ValueError(msg)

    def read(self, latents: np.ndarray) -> np.ndarray:
        """Read the label off the latent that owns it.

        Parameters
        ----------
        latents : ndarray, shape (n_spectra, n_latent)
            Posterior means.

        Returns
        -------
        ndarray, shape (n_spectra,)
            In `unit`; NaN outside of the range, and everywhere without an owner.
        """
        if self.node is None:
            return np.full(len(latents), np.nan)
        order = slice(None, None, 1 if self.values[0] < self.values[-1] else -1)
        return np.interp(
            latents[:, self.node], self.values[order], self.knots[order],
            left=np.nan, right=np.nan,
        )  # fmt: skip

    def step(self, latents: np.ndarray, change: float | np.ndarray) -> np.ndarray:
        """Return what a change of the label adds to the latents.

        Parameters
        ----------
        latents : ndarray, shape (n_spectra, n_latent)
            Where to start from.
        change : float or ndarray, shape (n_spectra,)
            In `unit`.

        Returns
        -------
        ndarray, shape (n_spectra, n_latent)
            NaN where the owner of the label would leave its range.
        """
        change = np.broadcast_to(np.asarray(change, dtype=float), len(latents))
        if self.node is None:
            return change[:, None] * self.direction
        wanted = np.interp(
            self.read(latents) + change, self.knots, self.values,
            left=np.nan, right=np.nan,
        )  # fmt: skip
        step = np.zeros_like(latents)
        step[:, self.node] = wanted - latents[:, self.node]
        return np.where(np.isfinite(wanted)[:, None], step, np.nan)


def fit_handles(
    latents: np.ndarray,
    labels: Mapping[str, np.ndarray] | Table,
    *,
    units: Mapping[str, str] | None = None,
    nodes: Mapping[str, int | None] | None = None,
) -> dict[str, LabelHandle]:
    """Find what moves each label, from spectra whose labels are known.

    A latent owns a label if their rank correlation is at least 0.9 and its monotone
    range holds 90 % of the spectra; the label is then moved along the map between
    both. Any other label is moved along the direction in which the latents change with
    it while the other labels are held: the regression of all latents on all labels.

    Parameters
    ----------
    latents : ndarray, shape (n_spectra, n_latent)
        Posterior means; rows with NaN are left out.
    labels : mapping of str to ndarray, or Table
        Labels of the same spectra. What else shapes the spectra should be among them:
        a label that is not is part of every direction that it goes along with.
    units : mapping of str to str, optional
        Units; by default those of the columns.
    nodes : mapping of str to int or None, optional
        The owner of a label, or None for a label that is to have none.

    Returns
    -------
    dict of str to LabelHandle
        By label.

    Raises
    ------
    UnknownNameError
        If ``nodes`` names a label that is not there.
    ValueError
        If shapes disagree, a node does not exist or does not follow its label, or
        labels are known of too few spectra: of fewer than two
        for each of them, or than the map of an owner needs (five for each of eight
        bins).

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.latent import fit_handles
    >>> teff, m_h = np.random.default_rng(0).uniform(-1, 1, (2, 400))
    >>> latents = np.stack([teff, 0.5 * m_h, m_h + teff], axis=1)
    >>> labels = {"teff": 5500 + 1000 * teff, "m_h": m_h}
    >>> handles = fit_handles(latents, labels, units={"teff": "K", "m_h": "dex"})
    >>> handles["teff"].node, handles["teff"].unit
    (0, 'K')
    """
    latents = as_latents(latents)
    if isinstance(labels, Table):
        units = {n: str(labels[n].unit or "") for n in labels.colnames} | dict(
            units or {}
        )
    columns = as_labels(labels, len(latents))
    known = np.isfinite(latents).all(axis=1)
    for values in columns.values():
        known &= np.isfinite(values)
    count = int(known.sum())
    if count < 2 * (len(columns) + 1):
        msg = (
            f"{count} of {len(latents)} spectra have finite latents and all of "
            f"{', '.join(columns)}: too few to find {len(columns)} directions"
        )
        raise ValueError(msg)
    latents, columns = latents[known], {n: v[known] for n, v in columns.items()}
    directions = _directions(latents, np.column_stack(list(columns.values())))
    owners, ranks = _owners(latents, columns)
    owners |= _check_nodes(nodes or {}, list(columns), latents.shape[1])
    return {
        name: _handle(
            name, (units or {}).get(name, ""), latents, values, owners[name],
            direction, ranks[name],
        )
        for (name, values), direction in zip(columns.items(), directions, strict=True)
    }  # fmt: skip


def _check_nodes(
    nodes: Mapping[str, int | None], labels: list[str], n_latent: int
) -> dict[str, int | None]:
    for label, node in nodes.items():
        if label not in labels:
            raise UnknownNameError("label with a node", label, labels)
        if node is not None and not 0 <= node < n_latent:
            msg = f"there is no node {node} for {label!r}, of {n_latent} latents"
            raise ValueError(msg)
    return dict(nodes)


def _directions(latents: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return how latents change with each label, shape (n_labels, n_latent)."""
    scale = labels.std(axis=0)
    scale[scale == 0] = 1.0
    design = np.column_stack([np.ones(len(labels)), (labels - labels.mean(0)) / scale])
    return np.linalg.lstsq(design, latents, rcond=None)[0][1:] / scale[:, None]


def _owners(
    latents: np.ndarray, columns: Mapping[str, np.ndarray]
) -> tuple[dict[str, int | None], dict[str, float]]:
    """Return the latent that owns each label, if one does, and how well it follows."""
    owners: dict[str, int | None] = {}
    ranks: dict[str, float] = {}
    alive = np.flatnonzero(np.ptp(latents, axis=0) > 0)
    for name, values in columns.items():
        owners[name], ranks[name] = None, 0.0
        if not alive.size or np.ptp(values) == 0:
            continue
        found = np.array([spearmanr(latents[:, node], values)[0] for node in alive])
        best = int(np.abs(found).argmax())
        ranks[name] = float(found[best])
        if abs(ranks[name]) >= _OWNS:
            window = find_monotone_range(latents[:, alive[best]], values)
            if window.n_inside >= _COVERS * window.n_used:
                owners[name] = int(alive[best])
    return owners, ranks


def _handle(
    name: str,
    unit: str,
    latents: np.ndarray,
    label: np.ndarray,
    node: int | None,
    direction: np.ndarray,
    spearman: float,
) -> LabelHandle:
    """Make the handle of a label, with the map of its owner if it has one."""
    low, high = float(label.min()), float(label.max())
    knots = values = np.empty(0)
    if node is not None:
        window = find_monotone_range(latents[:, node], label)
        if window.direction == 0:
            msg = f"node {node} does not follow {name!r}: it cannot be its owner"
            raise ValueError(msg)
        low, high = window.low, window.high
        knots, values = _map(window)
    return LabelHandle(
        label=name, unit=unit, low=low, high=high, direction=direction, node=node,
        knots=knots, values=values, spearman=spearman, n_used=len(label),
    )  # fmt: skip


def _map(window: MonotoneRange) -> tuple[np.ndarray, np.ndarray]:
    """Return medians of a latent by label, made monotone and led on to the limits."""
    inside = window.contains(window.centre)
    rising = np.maximum.accumulate(window.direction * window.median[inside])
    new = np.concatenate([[True], np.diff(rising) > 0])
    knots, values = window.centre[inside][new], rising[new]
    ends, next_to = [0, -1], [1, -2]
    slope = (values[ends] - values[next_to]) / (knots[ends] - knots[next_to])
    limits = np.array([window.low, window.high])
    outer = values[ends] + slope * (limits - knots[ends])
    first, last = int(limits[0] < knots[0]), int(limits[1] > knots[-1])
    knots = np.concatenate([limits[:first], knots, limits[2 - last :]])
    values = np.concatenate([outer[:first], values, outer[2 - last :]])
    return knots, window.direction * values
