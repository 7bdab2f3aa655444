# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What a training is made of: prepared spectra, labels, stars and their parts."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import log
from astropy.table import Table

from ..exceptions import UnknownNameError
from ..preparation import Recipe, SpectralGrid, get_grid
from ..spectra.reading import SpectraLike
from ..utils.quality import FATAL_FLAGS, decode_flags
from .defaults import find_recipe
from .gather import Gathered, gather_spectra
from .like_grid import say_who_differs, stay_on_grid
from .omissions import Omissions
from .prepared_file import PreparedFile, prepare_file
from .stars import (
    OUTSIDE,
    PARTS,
    check_split,
    find_places,
    group_stars,
    spare_none,
    split_stars,
)
from .targets import Targets, read_targets
from .velocities import VelocityLike, find_velocities

__all__ = ["Plan", "Preparation", "plan_training"]

_FEW_STARS = 1000  # below, a larger share is held out
_VERY_FEW_STARS = 100  # below, none is left to choose the epoch by


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How spectra come to a grid; what is None follows from the spectra.

    Parameters
    ----------
    grid : SpectralGrid, str or None
        Where they go.
    recipe : Recipe, mapping, str or None
        How.
    facts : mapping or None
        What the spectra do not say themselves.
    radial_velocity : float, array_like, Quantity, str or None
        As for `find_velocities`.
    folder : path-like or None
        What paths in a table begin at.
    like : tuple of SpectralGrid and Recipe, or None
        Grid and recipe of weights to begin with: taken if the spectra cover the grid.
    halvings : bool
        Lengthen a grid, so that its pixels can be halved down to about twenty.
    """

    grid: SpectralGrid | str | None = None
    recipe: Recipe | Mapping[str, Any] | str | None = None
    facts: Mapping[str, Any] | None = None
    radial_velocity: VelocityLike | None = None
    folder: str | os.PathLike[str] | None = None
    like: tuple[SpectralGrid, Recipe] | None = None
    halvings: bool = False

    def apply(
        self, gathered: Gathered, work: Path, *, progress: bool | None
    ) -> PreparedFile:
        """Prepare spectra into a file in a folder, or find them there.

        Parameters
        ----------
        gathered : Gathered
            The spectra.
        work : Path
            The folder.
        progress : bool or None
            Show a bar.

        Returns
        -------
        PreparedFile
            The spectra.
        """
        velocity, grid = find_velocities(self.radial_velocity, gathered), self.grid
        if isinstance(grid, str):
            grid = get_grid(grid)
        known, recipe = True, self.recipe
        if grid is None:
            some = gathered.some()
            if self.like is not None:
                grid = stay_on_grid(self.like[0], some)
                recipe = recipe or (None if grid is None else self.like[1])
        if grid is None:
            known = any(s.observation.resolving_power > 0 for s in some)
            frame = "rest" if velocity is not None else None
            grid = SpectralGrid.from_spectra(some, frame=frame)
            say_who_differs(grid, some)
            _say_what_is_unknown(grid)
        if self.halvings:
            grid = grid.padded(2 ** max(1, int(np.log2(grid.n_pixels / 20))))
        return prepare_file(
            gathered,
            grid,
            find_recipe(recipe, known=known),
            work,
            radial_velocity=velocity,
            progress=progress,
        )


def _say_what_is_unknown(grid: SpectralGrid) -> None:
    """Warn of what no spectrum says: such a model takes spectra as they come."""
    for name in ("medium", "frame"):
        if getattr(grid, name) == "unknown":
            log.warning(
                f"no spectrum says its {name}: this model will take spectra as they "
                f"come; if you know it, give facts={{'{name}': ...}} or --{name}"
            )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that a training is made of.

    Parameters
    ----------
    file : PreparedFile
        The spectra.
    targets : Targets
        Labels, one row for each spectrum of the file.
    stars : ndarray of int, shape (n_spectra,)
        The star of each.
    who : Table
        What tells them apart, a row for each spectrum.
    parts : ndarray of str, shape (n_spectra,)
        What each is for; ``""`` for what is left out.
    told_apart_by : str
        How spectra of one star were found.
    omissions : Omissions
        What was left out.
    """

    file: PreparedFile
    targets: Targets
    stars: np.ndarray
    who: Table
    parts: np.ndarray
    told_apart_by: str
    omissions: Omissions

    def rows(self, part: str) -> np.ndarray:
        """Return the rows of a part.

        Parameters
        ----------
        part : str
            One of `~astro_latent.training.stars.PARTS`.

        Returns
        -------
        ndarray of int
            Rows of the file.
        """
        return np.flatnonzero(self.parts == part)

    def describe(self) -> dict[str, Any]:
        """Return what a card says of the training set.

        Returns
        -------
        dict
            Counts, the split and what was left out.
        """
        described: dict[str, Any] = {"stars told apart by": self.told_apart_by}
        for part in PARTS:
            rows = self.rows(part)
            n_stars = len(np.unique(self.stars[rows]))
            described[part.replace("_", " ")] = f"{n_stars} stars, {len(rows)} spectra"
        outside = np.count_nonzero(self.parts == OUTSIDE)
        if outside:
            described["to be flagged"] = f"{outside} spectra"
        known = np.isfinite(self.targets.values[np.isin(self.parts, PARTS)]).sum(0)
        described["labels known"] = dict(
            zip(self.targets.names, known.tolist(), strict=True)
        )
        counts = self.omissions.counts()
        described["left out"] = counts or "nothing"
        return described


def plan_training(
    spectra: SpectraLike | Mapping[str, Any],
    labels: Sequence[str],
    *,
    preparation: Preparation,
    work: Path,
    table: Table | None = None,
    star: str | None = None,
    split: str | Sequence[str] | None = None,
    held_out: float | None = None,
    validation: float | None = None,
    folds: bool = False,
    all_teach: Callable[[SpectralGrid, int], bool] | None = None,
    seed: int = 0,
    progress: bool | None = None,
) -> Plan:
    """Prepare spectra, match labels, and deal out stars.

    Parameters
    ----------
    spectra, labels, table, star, split, held_out, validation, seed, progress
        As for `~astro_latent.train_model`.
    preparation : Preparation
        How spectra come to a grid.
    work : Path
        Where the prepared spectra are kept.
    folds : bool, optional
        Each star is to be held out once, so none may be held out for good.
    all_teach : callable, optional
        Told the grid and the number of spectra, says whether no star is spared.

    Returns
    -------
    Plan
        What the training is made of.

    Raises
    ------
    ValueError
        If there is nothing to learn, or too few stars to learn it from.
    """
    gathered = gather_spectra(
        spectra, table=table, folder=preparation.folder, facts=preparation.facts
    )
    if labels and gathered.table is not None:
        read_targets(gathered.table, labels)  # complain before hours of reading
    file = preparation.apply(gathered, work, progress=progress)
    known = labels or gathered.rows is not None
    at = gathered.match(file.rows) if known else np.full(len(file), -1)
    targets = _spread(gathered.table, labels, at)
    usable = _find_usable(file, targets, at, gathered.omissions)
    targets[np.flatnonzero(usable)].check()
    for remark in targets.remarks():
        log.warning(remark)
    who = _what_is_known(gathered, file, at)
    stars, how = group_stars(who, star, rows=at)
    if all_teach is not None and all_teach(file.grid, int(usable.sum())):
        parts = spare_none(stars, usable, how=how)
    elif split is None:
        parts = _deal(stars, usable, (held_out, validation), seed, how)
    else:
        parts = _given_split(gathered.table, split, at)
        parts[~usable] = ""
        check_split(parts, folds=folds)
    if gathered.omissions.counts():
        log.warning(str(gathered.omissions))
    return Plan(
        file=file, targets=targets, stars=stars, who=who, parts=parts,
        told_apart_by=how, omissions=gathered.omissions,
    )  # fmt: skip


def _deal(
    stars: np.ndarray,
    usable: np.ndarray,
    shares: tuple[float | None, float | None],
    seed: int,
    how: str,
) -> np.ndarray:
    """Draw the parts of stars, in shares that suit their number."""
    held_out, validation = shares
    n_stars = len(np.unique(stars[usable]))
    if held_out is None:
        held_out = 0.2 if n_stars < _FEW_STARS else 0.1
    if validation is None:
        validation = 0.0 if n_stars < _VERY_FEW_STARS else 0.1
    parts = np.full(len(stars), "", dtype="U10")
    parts[usable] = split_stars(
        stars[usable], held_out=held_out, validation=validation, seed=seed, how=how
    )
    return parts


def _spread(table: Table | None, labels: Sequence[str], at: np.ndarray) -> Targets:
    """Labels of all spectra of a file, of which some have none."""
    known = at >= 0
    if table is None or not labels:
        return read_targets(Table({"spectrum": at}), [])
    found = read_targets(table, labels)
    values = np.full((len(at), len(labels)), np.nan)
    errors = np.zeros_like(values)
    values[known], errors[known] = found.values[at[known]], found.errors[at[known]]
    return Targets(columns=found.columns, values=values, errors=errors)


def _find_usable(
    file: PreparedFile, targets: Targets, at: np.ndarray, omissions: Omissions
) -> np.ndarray:
    """Which spectra can be used and have a label; why the others are left out."""
    flags, names = np.asarray(file.rows["flags"]), file.rows["obs_id"]
    matched = at >= 0 if targets.names else np.ones(len(file), dtype=bool)
    bad = (flags & FATAL_FLAGS) != 0
    for row in np.flatnonzero(matched & bad):
        words = decode_flags(int(flags[row]) & FATAL_FLAGS)
        reason = ", ".join(map(str, words))
        omissions.add(f"spectrum unusable ({reason})", [str(names[row])])
    without = ~np.isfinite(targets.values).any(axis=1)
    if not targets.names:
        without[:] = False
    omissions.add("no label is known", names[matched & ~bad & without])
    usable = matched & ~bad & ~without
    if not usable.any():
        msg = f"no spectrum can be trained on: {omissions}"
        raise ValueError(msg)
    return usable


def _what_is_known(gathered: Gathered, file: PreparedFile, at: np.ndarray) -> Table:
    """Return what tells stars apart: columns of the table, else positions in files."""
    known = at >= 0
    if gathered.table is None or not known.any():
        return file.rows["obs_id", "ra", "dec"]
    about = gathered.table[np.where(known, at, at[known][0])]
    places = set(zip(file.rows["ra"].tolist(), file.rows["dec"].tolist(), strict=True))
    # one place for all is what headers say that do not know theirs
    if find_places(about) is None and len(places) > 1:
        about["ra"], about["dec"] = file.rows["ra"], file.rows["dec"]
    return about


def _given_split(
    table: Table | None, split: str | Sequence[str], at: np.ndarray
) -> np.ndarray:
    """Parts that the caller names: for each spectrum, or for each row of the table."""
    if not isinstance(split, str):
        parts = np.asarray(split, dtype="U10")
    elif table is None or split not in table.colnames:
        names = [] if table is None else table.colnames
        raise UnknownNameError("column of the table", split, names)
    else:
        parts = np.ma.filled(table[split].astype("U10"), "")
    if len(parts) == len(at) and not isinstance(split, str):
        return parts.copy()
    if table is None or len(parts) != len(table):
        msg = f"split names {len(parts)} parts for {len(at)} spectra"
        raise ValueError(msg)
    return np.where(at >= 0, parts[at], "")
