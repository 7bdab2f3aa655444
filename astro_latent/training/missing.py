# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What a model is worth when pixels are missing: scatter and coverage by share."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
from astropy.table import Table, vstack

from ..models import LabelModel, ModelLike, load_model
from ..models.domain import measure_missing
from ..preparation import PreparedSpectra, SpectralGrid, prepare_spectra
from ..spectra.reading import SpectraLike
from ..utils.quality import NOTICE_FLAGS, QualityFlag
from .evaluate import compare_labels
from .gather import gather_spectra
from .kinds import check_kinds
from .velocities import VelocityLike, find_velocities

__all__ = ["drop_pixels", "evaluate_missing", "thin_pixels"]

_STRETCHES = 40  # parts of a grid of which whole ones are missing
_MOST = 0.4  # share of pixels; of spectra that lack more than 0.2 all is flagged
_PATTERNS = ("pixels", "stretches")


def evaluate_missing(
    model: ModelLike,
    spectra: SpectraLike | Mapping[str, Any],
    labels: Sequence[str] | None = None,
    *,
    fractions: Sequence[float] = (0.0, 0.1, 0.25, 0.5, 0.75),
    arms: Mapping[str, tuple[float, float]] | None = None,
    seeds: Sequence[int] = (1, 2, 3),
    table: Table | None = None,
    folder: str | os.PathLike[str] | None = None,
    radial_velocity: VelocityLike | None = None,
    facts: Mapping[str, Any] | None = None,
    device: str | None = None,
) -> Table:
    """Score a model with more and more pixels missing, in three patterns.

    Parameters
    ----------
    model : str, path-like or SpectralModel
        Name or folder of weights, or a loaded model.
    spectra : object
        As for `~astro_latent.train_model`: spectra that taught the model nothing. All
        are held in memory, on the model's grid.
    labels : sequence of str, optional
        Columns to compare; by default all labels that model and table share.
    fractions : sequence of float, optional
        Shares of the model's pixels that are taken away, at random, and in stretches
        of a fortieth of the grid.
    arms : mapping of str to tuple of float, optional
        First and last wavelength (Ångström, of the model's grid) of parts that are
        missing as a whole; by default the segments of the grid, if it has several.
    seeds : sequence of int, optional
        Of the choice of pixels.
    table, folder, radial_velocity, facts
        As for `~astro_latent.train_model`.
    device : str, optional
        Where the model runs.

    Returns
    -------
    `~astropy.table.Table`
        One row for each pattern, fraction, seed, label and choice of rows (``rows`` is
        ``usable``, those without a flag, or ``all`` that have a result): ``missing``
        (mean share of pixels that the spectra lack then, with what they lacked
        before), ``flagged`` (share of spectra), ``n``, ``bias``, ``scatter``,
        ``scatter_error``, ``coverage_68`` and ``coverage_95``, which count the errors
        of the given labels too.

    Raises
    ------
    ValueError
        If model and table share no label, a fraction is not from 0 to below 1,
        or no label is told with so few pixels.

    Examples
    --------
    >>> from astro_latent.training import evaluate_missing
    >>> found = evaluate_missing(  # doctest: +SKIP
    ...     "gaia_xp_starnet_v1", "test.ecsv", arms={"blue": (3300, 6400)})
    """
    check_kinds(locals())
    for fraction in fractions:
        if not 0.0 <= fraction < 1.0:
            msg = f"a share of missing pixels must be from 0 to below 1, not {fraction}"
            raise ValueError(msg)
    if isinstance(model, str | os.PathLike) or not hasattr(model, "capabilities"):
        model = load_model(cast("str", model), device=device)
    loaded = cast(LabelModel, model)
    gathered = gather_spectra(spectra, table=table, folder=folder, facts=facts)
    prepared = prepare_spectra(
        gathered.source, loaded.grid, loaded.recipe, facts=gathered.facts,
        radial_velocity=find_velocities(radial_velocity, gathered), progress=False,
    )  # fmt: skip
    names = Table({"obs_id": [o.obs_id for o in prepared.observations]})
    at = gathered.match(names)
    about = cast(Table, gathered.table)[at]
    if labels is None:
        outputs = [output.name for output in loaded.outputs]
        labels = [name for name in outputs if name in about.colnames]
    found = []
    for pattern, fraction, seed, valid in _settings(prepared, fractions, arms, seeds):
        thinned = drop_pixels(prepared, valid)
        parts = _score(loaded, thinned, about, labels, at >= 0)
        if not parts:
            msg = f"{model} tells no label with {fraction:.0%} missing ({pattern})"
            raise ValueError(msg)
        scores = vstack(parts)
        for position, value in enumerate((pattern, fraction, seed)):
            name = ("pattern", "fraction", "seed")[position]
            scores.add_column([value] * len(scores), name=name, index=position)
        found.append(scores)
    return vstack(found, metadata_conflicts="silent")


def drop_pixels(prepared: PreparedSpectra, kept: np.ndarray) -> PreparedSpectra:
    """Take pixels away from prepared spectra.

    Parameters
    ----------
    prepared : PreparedSpectra
        Spectra.
    kept : ndarray of bool, shape (n_spectra, n_pixels)
        Pixels that stay, if they were valid. A spectrum of which none would be left
        keeps all.

    Returns
    -------
    PreparedSpectra
        With fewer valid pixels, and with the flags of spectra that lack so many.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.preparation import APOGEE_RECIPE, get_grid, prepare_spectra
    >>> from astro_latent.training import drop_pixels
    >>> prepared = prepare_spectra([], get_grid("apogee_7514"), APOGEE_RECIPE)
    >>> len(drop_pixels(prepared, np.zeros((0, 7514), dtype=bool)))
    0
    """
    valid = prepared.valid & kept
    valid = np.where(valid.any(axis=1, keepdims=True), valid, prepared.valid)
    flags, inside = prepared.flags.copy(), prepared.grid.valid
    lost = np.count_nonzero(inside & ~valid, axis=1) / np.count_nonzero(inside)
    many = lost > prepared.recipe.requirements["max_bad"]
    flags[prepared.usable & many] |= np.int64(QualityFlag.MANY_BAD_PIXELS)
    for first, last in prepared.grid.segments:
        gone = prepared.usable & ~valid[:, first:last].any(axis=1)
        flags[gone] |= np.int64(QualityFlag.SEGMENT_MISSING)
    flux = np.where(valid, prepared.flux, np.float32(0.0))
    return replace(prepared, valid=valid, flux=flux, flags=flags)


def thin_pixels(prepared: PreparedSpectra, *, seed: int = 0) -> PreparedSpectra:
    """Take up to two fifths of the pixels of each spectrum, singly or in stretches.

    Parameters
    ----------
    prepared : PreparedSpectra
        Spectra.
    seed : int, optional
        Of the choice.

    Returns
    -------
    PreparedSpectra
        With fewer valid pixels: half of the spectra lack pixels, half fortieths of the
        grid.

    Examples
    --------
    >>> from astro_latent.preparation import APOGEE_RECIPE, get_grid, prepare_spectra
    >>> from astro_latent.training.missing import thin_pixels
    >>> prepared = prepare_spectra([], get_grid("apogee_7514"), APOGEE_RECIPE)
    >>> len(thin_pixels(prepared))
    0
    """
    rng = np.random.default_rng(seed)
    n_spectra, n_pixels = prepared.valid.shape
    share = rng.uniform(0.0, _MOST, (n_spectra, 1))
    part = np.arange(n_pixels) * _STRETCHES // n_pixels
    alone = rng.random((n_spectra, n_pixels)) >= share
    together = (rng.random((n_spectra, _STRETCHES)) >= share)[:, part]
    singly = rng.random((n_spectra, 1)) < 0.5
    return drop_pixels(prepared, np.where(singly, alone, together))


def _settings(
    prepared: PreparedSpectra,
    fractions: Sequence[float],
    arms: Mapping[str, tuple[float, float]] | None,
    seeds: Sequence[int],
) -> Iterator[tuple[str, float, int, np.ndarray]]:
    """Yield pattern, share, seed and the pixels that stay."""
    shape = prepared.valid.shape
    if 0.0 in fractions:
        yield "none", 0.0, 0, np.ones(shape, dtype=bool)
    for pattern in _PATTERNS:
        for fraction in (f for f in fractions if f):
            for seed in seeds:
                rng = np.random.default_rng([seed, _PATTERNS.index(pattern)])
                n_parts = shape[1] if pattern == "pixels" else _STRETCHES
                rank = rng.random((shape[0], n_parts)).argsort(axis=1).argsort(axis=1)
                part = np.arange(shape[1]) * n_parts // shape[1]
                yield pattern, fraction, seed, rank[:, part] >= fraction * n_parts
    wavelength = np.asarray(prepared.grid.wavelength)
    for name, (low, high) in _parts(prepared.grid, arms).items():
        kept = (wavelength < low) | (wavelength > high)
        share = float(1.0 - kept.mean())
        yield f"without {name}", share, 0, np.broadcast_to(kept, shape)


def _parts(
    grid: SpectralGrid, arms: Mapping[str, tuple[float, float]] | None
) -> Mapping[str, tuple[float, float]]:
    """Return the arms, by default the detectors of a grid that has several."""
    if arms is not None or len(grid.segments) < 2:
        return arms or {}
    wavelength = np.asarray(grid.wavelength)
    ends = [(wavelength[first], wavelength[last - 1]) for first, last in grid.segments]
    return {f"{low:.0f} to {high:.0f}": (float(low), float(high)) for low, high in ends}


def _score(
    model: LabelModel,
    prepared: PreparedSpectra,
    about: Table,
    labels: Sequence[str],
    known: np.ndarray,
) -> list[Table]:
    """Compare what the model says of thinned spectra with their labels, if anything."""
    result = model.predict(prepared, flux_errors=False)
    predicted = Table()
    for k, output in enumerate(model.outputs):
        predicted[output.name] = result.values[:, k]
        predicted[output.name].unit = output.unit
        predicted[f"{output.name}_error"] = result.error[:, k]
        if result.interval_95 is not None:
            predicted[f"{output.name}_interval_95"] = result.interval_95[:, k]
    flagged = (result.flags & ~NOTICE_FLAGS) != 0
    missing = float(measure_missing(prepared, np.flatnonzero(known)).mean())
    parts = []
    for rows, chosen in (("all", known), ("usable", known & ~flagged)):
        if not np.isfinite(result.values[chosen]).any():
            continue
        scores = compare_labels(
            predicted[chosen], about[chosen], labels, matched=True
        ).scores
        scores = scores[scores["by"] == "all"]
        scores.remove_columns(["by", "low", "high"])
        scores.add_column([rows] * len(scores), name="rows", index=0)
        scores.add_column([missing] * len(scores), name="missing", index=1)
        share = float(flagged[known].mean())
        scores.add_column([share] * len(scores), name="flagged", index=2)
        parts.append(scores)
    return parts
