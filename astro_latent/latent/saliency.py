# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Where a model looks: how its labels change with each pixel, over many spectra."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..preparation.prepared import PreparedSpectra
from ..utils.short_repr import short_repr

if TYPE_CHECKING:
    from ..models import LabelModel

__all__ = ["Saliency", "measure_saliency"]

_BLOCK = 64  # spectra whose Jacobians are held at a time


@dataclass(frozen=True, kw_only=True, repr=False)
class Saliency:
    """Derivatives of labels by the flux of each pixel, over one or more spectra.

    Parameters
    ----------
    labels : tuple of str
        Names of the labels.
    units : tuple of str
        Unit of each label.
    wavelength : ndarray, shape (n_pixels,)
        Ångström, in the medium and frame of the model's grid.
    mean : ndarray, shape (n_labels, n_pixels)
        Mean derivative, with its sign; NaN where no spectrum has a valid pixel.
    magnitude : ndarray, shape (n_labels, n_pixels)
        Mean of the derivative's absolute value.
    n_spectra : ndarray of int, shape (n_pixels,)
        Spectra in which the pixel is valid.
    per_sigma : bool
        In label units per standard deviation of the flux, not per unit of flux.
    """

    labels: tuple[str, ...]
    units: tuple[str, ...]
    wavelength: np.ndarray
    mean: np.ndarray
    magnitude: np.ndarray
    n_spectra: np.ndarray
    per_sigma: bool = False

    __repr__ = short_repr

    def row(self, label: str) -> int:
        """Return the row of a label.

        Parameters
        ----------
        label : str
            Its name.

        Returns
        -------
        int
            Index into `mean` and `magnitude`.

        Raises
        ------
        ValueError
            If there is no such label.
        """
        if label not in self.labels:
            msg = f"no label {label!r}; there are {', '.join(self.labels)}"
            raise ValueError(msg)
        return self.labels.index(label)


def measure_saliency(
    model: "LabelModel", prepared: PreparedSpectra, *, per_sigma: bool = False
) -> Saliency:
    """Average the derivatives of a model's labels by the flux over spectra.

    Parameters
    ----------
    model : LabelModel
        A model with labels.
    prepared : PreparedSpectra
        One spectrum or many, on the model's grid; unusable rows are left out.
    per_sigma : bool, optional
        Multiply by the standard deviation of each pixel's flux, which tells what the
        noise of the pixel does to the label. Pixels without a variance are left out.

    Returns
    -------
    Saliency
        Mean and mean magnitude per label and pixel.

    Raises
    ------
    TypeError
        If the model predicts no labels.
    GridMismatchError
        If the spectra lie on another grid.
    ValueError
        If they were prepared by another recipe or none is usable.

    Notes
    -----
    The gradients of Fabbro et al. (2018, MNRAS 475, 2978). With ``per_sigma`` the sum
    of the squares over the pixels of one spectrum is the square of
    ``<label>_error_flux``, but for the calibration of that error.
    Integrated gradients (Sundararajan et al. 2017) are no derivatives, so that errors
    cannot be propagated with them, and tell little more than the derivative times the
    depth of the line; see the page on StarNet's saliency in the documentation.

    Examples
    --------
    >>> from astro_latent.latent import measure_saliency
    >>> from astro_latent.models import load_model
    >>> from astro_latent.models.check import reference_input
    >>> model = load_model("apogee_starnet_v1")
    >>> saliency = measure_saliency(model, reference_input(model, range(2)))
    >>> saliency.labels[:2], saliency.mean.shape[1], int(saliency.n_spectra.max())
    (('teff', 'logg'), 7214, 2)
    """
    n_pixels = prepared.flux.shape[1]
    total = np.zeros((model.config.n_outputs, n_pixels))
    size = np.zeros_like(total)
    count = np.zeros(n_pixels, dtype=int)
    for start in range(0, len(prepared), _BLOCK):
        part = prepared[start : start + _BLOCK]
        jacobian, known = model.jacobian(part), part.valid & part.usable[:, None]
        if per_sigma:
            known &= np.isfinite(part.variance)
            jacobian *= np.sqrt(np.where(known, part.variance, 0.0))[:, None]
        jacobian = np.where(known[:, None], jacobian, 0.0)
        total += jacobian.sum(axis=0, dtype=float)
        size += np.abs(jacobian).sum(axis=0, dtype=float)
        count += known.sum(axis=0)
    if not count.any():
        msg = f"none of {len(prepared)} spectra has a pixel to differentiate by"
        raise ValueError(msg)
    weight = np.where(count > 0, 1.0, np.nan) / np.maximum(count, 1)
    return Saliency(
        labels=tuple(model.config.output_names),
        units=tuple(output.unit for output in model.outputs),
        wavelength=model.grid.wavelength,
        mean=total * weight,
        magnitude=size * weight,
        n_spectra=count,
        per_sigma=per_sigma,
    )
