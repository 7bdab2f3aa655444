# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What a training is made of: prepared spectra, labels, stars and their parts."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy import log
from astropy import units as u
from astropy.table import Table

from ..exceptions import UnknownNameError
from ..preparation import Recipe, SpectralGrid, get_grid
from ..spectra.observation import SpectrumArrays
from ..spectra.reading import SpectraLike
from ..utils.quality import FATAL_FLAGS, decode_flags
from .defaults import find_recipe
from .gather import Gathered, Omissions, gather_spectra, match_rows
from .prepared_file import PreparedFile, prepare_file
from .stars import PARTS, check_split, group_stars, split_stars
from .targets import Targets, read_targets

__all__ = ["Plan", "Preparation", "plan_training"]

_COVERED = 0.9  # share of a grid that spectra must cover to be put on it
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
    radial_velocity : float, array_like, Quantity or None
        Barycentric, km/s.
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
    radial_velocity: "float | np.ndarray | u.Quantity | None" = None
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
        velocity, grid = self.radial_velocity, self.grid
        if velocity is not None:
            velocity = np.ma.filled(u.Quantity(velocity, "km/s").value, np.nan)
        if isinstance(grid, str):
            grid = get_grid(grid)
        known, recipe = True, self.recipe
        if grid is None:
            some = gathered.some()
            if self.like is not None and _covers(some, self.like[0]):
                grid, recipe = self.like[0], recipe or self.like[1]
        if grid is None:
            known = any(s.observation.resolving_power > 0 for s in some)
            frame = "rest" if velocity is not None else None
            grid = SpectralGrid.from_spectra(some, frame=frame)
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


def _covers(spectra: Sequence[SpectrumArrays], grid: SpectralGrid) -> bool:
    """Whether most of the pixels of a grid are in the reach of most spectra."""
    wanted = grid.wavelength[grid.valid]
    shares = [
        np.mean((wanted >= s.wavelength[0]) & (wanted <= s.wavelength[-1]))
        for s in spectra
    ]
    return bool(np.median(shares) >= _COVERED)


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
        known = np.isfinite(self.targets.values[self.parts != ""]).sum(0)
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
        spectra, folder=preparation.folder, facts=preparation.facts
    )
    if labels and gathered.table is not None and table is None:
        read_targets(gathered.table, labels)  # complain before hours of reading
    file = preparation.apply(gathered, work, progress=progress)
    if labels:
        about, at = match_rows(gathered, file.rows, table)
    else:
        about, at = _what_is_known(gathered, file), np.arange(len(file))
    targets = _spread(read_targets(about, labels), at, len(file))
    usable = _find_usable(file, targets, at, gathered.omissions)
    targets[np.flatnonzero(usable)].check()
    numbers, how = group_stars(about, star)
    stars = np.full(len(file), -1)
    stars[at] = numbers
    parts = np.full(len(file), "", dtype="U10")
    if split is None:
        n_stars = len(np.unique(stars[usable]))
        if held_out is None:
            held_out = 0.2 if n_stars < _FEW_STARS else 0.1
        if validation is None:
            validation = 0.0 if n_stars < _VERY_FEW_STARS else 0.1
        parts[usable] = split_stars(
            stars[usable], held_out=held_out, validation=validation, seed=seed
        )
    else:
        parts[at] = check_split(_given_split(about, split))
        parts[~usable] = ""
    if gathered.omissions.counts():
        log.warning(str(gathered.omissions))
    return Plan(
        file=file,
        targets=targets,
        stars=stars,
        parts=parts,
        told_apart_by=how,
        omissions=gathered.omissions,
    )


def _spread(targets: Targets, at: np.ndarray, count: int) -> Targets:
    """Labels of all spectra of a file, of which some have none."""
    if len(at) == count and (at == np.arange(count)).all():
        return targets
    values = np.full((count, len(targets.names)), np.nan)
    errors = np.zeros_like(values)
    values[at], errors[at] = targets.values, targets.errors
    return Targets(columns=targets.columns, values=values, errors=errors)


def _find_usable(
    file: PreparedFile, targets: Targets, at: np.ndarray, omissions: Omissions
) -> np.ndarray:
    """Which spectra can be used and have a label; why the others are left out."""
    flags, names = np.asarray(file.rows["flags"]), file.rows["obs_id"]
    matched = np.zeros(len(file), dtype=bool)
    matched[at] = True
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


def _what_is_known(gathered: Gathered, file: PreparedFile) -> Table:
    """Return what tells stars apart where no label has to be matched."""
    if gathered.table is not None and len(gathered.table) == len(file):
        return gathered.table
    return file.rows["obs_id", "ra", "dec"]


def _given_split(about: Table, split: str | Sequence[str]) -> np.ndarray:
    if isinstance(split, str):
        if split not in about.colnames:
            raise UnknownNameError("column of the table", split, about.colnames)
        return np.ma.filled(about[split].astype("U"), "")
    if len(split) != len(about):
        msg = f"split names {len(split)} parts for {len(about)} spectra"
        raise ValueError(msg)
    return np.asarray(split, dtype="U")
