# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Whether moving a label moves the spectrum as nature does: the intervention score."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..utils.short_repr import short_repr
from .handles import LabelHandle
from .samples import as_latents
from .traversal import Decoder, get_decode

__all__ = ["LabelScore", "score_label_handle"]


@dataclass(frozen=True, kw_only=True, repr=False)
class LabelScore:
    """How well latents that were moved by a label stand for the label.

    Parameters
    ----------
    label : str
        Its name.
    changes : ndarray, shape (n_changes,)
        Imposed changes, in the unit of the label.
    by_star : ndarray, shape (n_changes, n_spectra)
        Mean absolute difference over pixels between the spectrum decoded from moved
        latents and that decoded from the latents of the same star with its label truly
        changed; NaN where the label would leave the range of its handle.
    ignored_by_star : ndarray, shape (n_changes, n_spectra)
        The same for a model in which the label moves nothing.
    """

    label: str
    changes: np.ndarray
    by_star: np.ndarray
    ignored_by_star: np.ndarray

    __repr__ = short_repr

    @property
    def score(self) -> float:
        """The score GIS: mean over stars, changes and pixels; 0 is perfect."""
        return float(np.nanmean(self.by_star))

    @property
    def ignored(self) -> float:
        """The score of a model in which the label moves nothing, on the same stars."""
        return float(np.mean(self.ignored_by_star[np.isfinite(self.by_star)]))

    @property
    def error(self) -> float:
        """Standard error of `score`, from its scatter among stars."""
        stars = np.nanmean(self.by_star[:, np.isfinite(self.by_star).any(0)], axis=0)
        return (
            float(stars.std(ddof=1) / np.sqrt(len(stars))) if len(stars) > 1 else np.nan
        )

    @property
    def count(self) -> int:
        """Pairs of star and change that were scored."""
        return int(np.isfinite(self.by_star).sum())


def score_label_handle(
    model: Decoder,
    latents: np.ndarray,
    handle: LabelHandle,
    *,
    changes: Sequence[float] | np.ndarray,
    truth: np.ndarray,
    valid: np.ndarray | None = None,
) -> LabelScore:
    """Score how closely moving latents by a label gives the spectra of other labels.

    Parameters
    ----------
    model : LatentModel or callable
        Anything with ``decode(latents) -> flux``, or such a function.
    latents : ndarray, shape (n_spectra, n_latent)
        Posterior means of spectra.
    handle : LabelHandle
        What moves the label.
    changes : sequence of float, shape (n_changes,)
        In the unit of the label.
    truth : ndarray, shape (n_changes, n_spectra, n_latent)
        Posterior means of the same stars, each label truly changed: simulated.
    valid : ndarray of bool, shape (n_pixels,), optional
        Pixels that count; by default those of ``model.grid``, else all.

    Returns
    -------
    LabelScore
        The score, beside that of a model in which the label moves nothing.

    Raises
    ------
    ValueError
        If shapes disagree, or no star stays within the range of the handle.

    Notes
    -----
    GIS of Cvrček et al. 2025, A&A 693, A256. They average over all pixels, with those
    that are masked as zeros; here they do not count.

    Examples
    --------
    >>> import numpy as np
    >>> from astro_latent.latent import fit_handles, score_label_handle
    >>> latents = np.random.default_rng(0).normal(size=(200, 2))
    >>> handle = fit_handles(latents, {"m_h": 0.1 * latents[:, 0]})["m_h"]
    >>> inner = latents[np.abs(latents[:, 0]) < 1]
    >>> scored = score_label_handle(
    ...     lambda z: z @ np.eye(2), inner, handle, changes=[0.1],
    ...     truth=(inner + [1.0, 0.0])[None])
    >>> scored.score < 0.05 * scored.ignored
    True
    """
    latents, truth = as_latents(latents), np.asarray(truth, dtype=float)
    if truth.shape != (len(changes), *latents.shape):
        msg = (
            f"truth has shape {truth.shape} for {len(changes)} changes of latents of "
            f"shape {latents.shape}"
        )
        raise ValueError(msg)
    decode = get_decode(model)
    if valid is None:
        valid = getattr(getattr(model, "grid", None), "valid", None)
    inside = slice(None) if valid is None else np.asarray(valid)

    def spectra(rows: np.ndarray) -> np.ndarray:
        return np.asarray(decode(rows.astype(np.float32)), dtype=float)[:, inside]

    unmoved, scores, ignored = spectra(latents), [], []
    for change, true in zip(changes, truth, strict=True):
        wanted = spectra(true)
        moved = latents + handle.step(latents, change)
        score = np.full(len(latents), np.nan)
        known = np.isfinite(moved).all(axis=1)
        if known.any():
            score[known] = np.abs(spectra(moved[known]) - wanted[known]).mean(axis=1)
        scores.append(score)
        ignored.append(np.abs(unmoved - wanted).mean(axis=1))
    if not np.isfinite(scores).any():
        msg = (
            f"no spectrum stays within {handle.low:.5g} to {handle.high:.5g} "
            f"{handle.unit} of {handle.label}"
        )
        raise ValueError(msg)
    return LabelScore(
        label=handle.label,
        changes=np.asarray(changes, dtype=float),
        by_star=np.array(scores),
        ignored_by_star=np.array(ignored),
    )
