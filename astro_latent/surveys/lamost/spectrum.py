# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""LAMOST low-resolution spectra: a five-row image, since about DR8 a one-row table.

Log-linear vacuum wavelengths, heliocentric where the header says HELIO = T; inverse
variance 0 means no data.
"""

import numpy as np
from astropy import units as u

from ...spectra.checks import finish_arrays, sigma_from_ivar
from ...spectra.facts import facts_from_header, log_axis, mjd_from_text, number
from ...spectra.fits import FitsFile
from ...spectra.formats import Format
from ...spectra.header import chain_headers
from ...spectra.observation import Observation, SpectrumArrays
from ...utils.physics import SPEED_OF_LIGHT

__all__ = ["LAMOST_LRS", "identify_lamost", "read_lamost"]

_COLUMNS = {"FLUX", "IVAR", "WAVELENGTH"}
_RESOLVING_POWER = 1800.0  # of the low-resolution survey, at 5500 Å


def identify_lamost(file: FitsFile) -> bool:
    """Tell whether a file is a LAMOST low-resolution spectrum."""
    head = file.primary
    if "LAMOST" not in f"{head.get('TELESCOP')} {head.get('ORIGIN')}":
        return False
    if len(file[0].shape) == 2:
        return file[0].shape[0] == 5 and "COEFF0" in head
    table = file[1] if len(file) > 1 else None
    return (
        table is not None
        and table.is_table
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


def _read_flag(value: object, *, true: str) -> str:
    return true if value in (True, "T") else "unknown"


def _read_snr(file: FitsFile) -> float:
    """Return the mean of the header's g, r, i values, or NaN."""
    head = chain_headers(file.primary, *(hdu.header for hdu in file.hdus[1:2]))
    bands = [number(head, f"SN_{b}", f"SNR{b}") for b in "GRI"]
    return float(np.mean(bands))


def read_lamost(file: FitsFile) -> list[SpectrumArrays]:
    """Read a LAMOST low-resolution spectrum."""
    head = file.primary
    wavelength, flux, ivar, mask = _read_pixels(file)
    sigma, no_data = sigma_from_ivar(ivar)
    facts = facts_from_header(head, file.path)
    # DATE-OBS is the middle of the exposure here, in UTC
    facts["time"] = mjd_from_text(head.get("DATE-OBS"))
    facts["target_name"] = str(head.get("DESIG") or facts["target_name"]).strip()
    observation = Observation(
        **facts,
        survey="lamost",
        medium=_read_flag(head.get("VACUUM"), true="vacuum"),
        frame=_read_flag(head.get("HELIO"), true="barycentric"),
        normalisation="none",
        resolving_power=_RESOLVING_POWER,
        snr=_read_snr(file),
        # what was subtracted, by its sign (checked against astropy)
        barycentric_correction=-number(head, "HELIO_RV"),
        radial_velocity=number(head, "Z") * SPEED_OF_LIGHT,
    )
    return [
        finish_arrays(
            wavelength,
            flux,
            sigma=sigma,
            mask=mask | no_data,
            flux_unit=u.dimensionless_unscaled,
            observation=observation,
            meta={"header": head},
        )
    ]


LAMOST_LRS = Format(
    name="lamost_lrs",
    title="LAMOST low-resolution spectrum",
    identify=identify_lamost,
    read=read_lamost,
)
