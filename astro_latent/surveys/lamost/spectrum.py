# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""LAMOST low-resolution spectra: a five-row image, since about DR8 a one-row table.

Log-linear vacuum wavelengths, heliocentric where the header says HELIO = T; inverse
variance 0 means no data.
"""

from dataclasses import replace

import numpy as np
from astropy import units as u

from ...spectra.checks import finish_arrays, sigma_from_ivar
from ...spectra.facts import log_axis
from ...spectra.fits import FitsFile
from ...spectra.formats import Format
from ...spectra.observation import SpectrumArrays
from .facts import is_lamost, read_observation

__all__ = ["LAMOST_LRS", "identify_lamost", "read_lamost"]

_COLUMNS = {"FLUX", "IVAR", "WAVELENGTH"}
_RESOLVING_POWER = 1800.0  # of the low-resolution survey, at 5500 Å


def identify_lamost(file: FitsFile) -> bool:
    """Tell whether a file is a LAMOST low-resolution spectrum."""
    if not is_lamost(file):
        return False
    if len(file[0].shape) == 2:
        return file[0].shape[0] == 5 and "COEFF0" in file.primary
    table = file[1] if len(file) > 1 else None
    return (
        table is not None
        and table.is_table
        and table.name not in ("COADD_B", "COADD_R")  # arms of medium resolution
        and table.header.get("NAXIS2") == 1
        and set(table.columns) >= _COLUMNS
    )


def _read_pixels(
    file: FitsFile,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return wavelength, flux, inverse variance and mask."""
    if file[0].shape:
        rows = file[0].array()
        head = file.primary
        scale = {"CRVAL1": head.get("COEFF0"), "CDELT1": head.get("COEFF1")}
        wavelength = log_axis(scale, rows.shape[1], file=file)
        return wavelength, rows[0], rows[1], rows[3] != 0
    table = file[1]
    columns = [table.column(name).ravel() for name in ("WAVELENGTH", "FLUX", "IVAR")]
    mask = np.zeros(columns[1].shape, dtype=bool)
    if "ANDMASK" in table.columns:
        mask = table.column("ANDMASK").ravel() != 0
    return columns[0].astype(np.float64), columns[1], columns[2], mask


def read_lamost(file: FitsFile) -> list[SpectrumArrays]:
    """Read a LAMOST low-resolution spectrum."""
    wavelength, flux, ivar, mask = _read_pixels(file)
    sigma, no_data = sigma_from_ivar(ivar)
    observation = replace(read_observation(file), resolving_power=_RESOLVING_POWER)
    return [
        finish_arrays(
            wavelength,
            flux,
            sigma=sigma,
            mask=mask | no_data,
            flux_unit=u.dimensionless_unscaled,
            observation=observation,
            meta={"header": file.primary},
        )
    ]


LAMOST_LRS = Format(
    name="lamost_lrs",
    title="LAMOST low-resolution spectrum",
    identify=identify_lamost,
    read=read_lamost,
)
