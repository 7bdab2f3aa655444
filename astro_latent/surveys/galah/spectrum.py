# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""GALAH DR3 spectra from Data Central: one file for each of the four HERMES cameras.

Images in this order: flux, its *relative* error, flux and error before the sky was
subtracted, and (not always) the normalised flux. Heliocentric, the velocity of the
star not removed. Nobody states air or vacuum, so neither does this reader.
"""

import numpy as np

from ...spectra.checks import finish_arrays
from ...spectra.facts import facts_from_header, flux_unit, linear_axis, stated_medium
from ...spectra.fits import FitsFile
from ...spectra.formats import Format
from ...spectra.observation import Observation, SpectrumArrays

__all__ = ["GALAH_SPECTRUM", "identify_galah", "read_galah"]

_ERROR, _NORMALISED, _FEWEST = 1, 4, 4
_RESOLVING_POWER = 28_000.0  # of HERMES without the slit mask


def identify_galah(file: FitsFile) -> bool:
    """Tell whether a file is a GALAH DR3 spectrum."""
    if "GALAH" not in str(file.primary.get("ORIGIN") or ""):
        return False
    return len(file[0].shape) == 1


def read_galah(file: FitsFile, *, normalised: bool = False) -> list[SpectrumArrays]:
    """Read a GALAH DR3 spectrum.

    Parameters
    ----------
    file : FitsFile
        The file.
    normalised : bool, optional
        Return the flux divided by the survey's pseudo-continuum.

    Returns
    -------
    list of SpectrumArrays
        One spectrum; the relative errors have become absolute ones.

    Raises
    ------
    SpectrumReadError
        If the file is damaged, or holds no normalised flux and it was asked for.
    """
    head = file.primary
    if len(file) < _FEWEST:
        file.refuse(
            f"truncated: GALAH files hold {_FEWEST} or more images (expected), the "
            f"{len(file.buffer)} bytes of this one {len(file)} (found)"
        )
    if normalised and len(file) <= _NORMALISED:
        file.refuse("holds no normalised flux; read it with normalised=False")
    flux = file[_NORMALISED if normalised else 0].array()
    relative = file[_ERROR].array()
    if relative.shape != flux.shape:
        file.refuse(f"has {flux.shape} pixels of flux and {relative.shape} of error")
    with np.errstate(invalid="ignore"):
        sigma = np.abs(flux) * relative
    observation = Observation(
        **facts_from_header(head, file.path),
        survey="galah",
        medium=stated_medium(head),
        frame="barycentric",
        normalisation="continuum" if normalised else "none",
        resolving_power=_RESOLVING_POWER,
    )
    return [
        finish_arrays(
            linear_axis(head, flux.size, file=file),
            flux,
            sigma=sigma,
            flux_unit=flux_unit({} if normalised else head),
            observation=observation,
            meta={"header": head},
        )
    ]


GALAH_SPECTRUM = Format(
    name="galah",
    title="GALAH DR3",
    identify=identify_galah,
    read=read_galah,
    options=("normalised",),
)
