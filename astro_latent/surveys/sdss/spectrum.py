# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""SDSS optical spectra (``spec`` and ``spec-lite``): BOSS, SEGUE and their forebears.

One table row per pixel on the common grid of 1e-4 in log10; vacuum, heliocentric, not
corrected for the velocity of the star. The position is that of the fibre (PLUG_RA):
RA and DEC of the header are where the telescope pointed.
"""

import numpy as np
from astropy import units as u

from ...spectra.checks import finish_arrays, sigma_from_ivar
from ...spectra.facts import FLAM, facts_from_header, number, stated_medium
from ...spectra.fits import FitsFile
from ...spectra.formats import Format
from ...spectra.observation import Observation, SpectrumArrays
from ...utils.physics import SPEED_OF_LIGHT

__all__ = ["SDSS_SPEC", "identify_sdss", "read_sdss"]

_COLUMNS = {"FLUX", "LOGLAM", "IVAR", "AND_MASK"}
_STEP = 1e-4  # of the common grid, in log10 of the wavelength
_ROUNDING = 5e-7  # of a float32 near 4
_FLUX_UNIT = u.Unit(1e-17 * FLAM)
_FWHM = np.sqrt(8 * np.log(2))


def identify_sdss(file: FitsFile) -> bool:
    """Tell whether a file is an SDSS ``spec`` or ``spec-lite`` file."""
    if not str(file.primary.get("TELESCOP") or "").startswith("SDSS"):
        return False
    if len(file) < 2 or not file[1].is_table or "FIBERID" not in file.primary:
        return False
    return set(file[1].columns) >= _COLUMNS


def _restore_grid(loglam: np.ndarray) -> np.ndarray:
    """Return Ångström; what float32 lost of the common grid (0.1 km/s) is restored."""
    loglam = loglam.astype(np.float64)
    grid = np.round(loglam / _STEP) * _STEP
    on_grid = np.abs(loglam - grid).max(initial=0) < _ROUNDING
    return 10.0 ** (grid if on_grid else loglam)


def _measure_resolving_power(file: FitsFile, mask: np.ndarray) -> float:
    """Return the median of what WDISP says: sigma in pixels of the common grid."""
    if "WDISP" not in file[1].columns:
        return np.nan
    width = file[1].column("WDISP")[~mask]
    width = width[np.isfinite(width) & (width > 0)]
    if not width.size:
        return np.nan
    return float(1 / (np.median(width) * _STEP * np.log(10) * _FWHM))


def _read_radial_velocity(file: FitsFile) -> float:
    """Return what the pipeline measured of a star it does not warn about, or NaN."""
    table = file[2] if len(file) > 2 and file[2].is_table else None
    if table is None or not {"CLASS", "Z", "ZWARNING"} <= set(table.columns):
        return np.nan
    if table.header.get("NAXIS2") != 1:
        return np.nan
    kind, redshift, warning = (
        table.column(name).ravel()[0] for name in ("CLASS", "Z", "ZWARNING")
    )
    star = bytes(kind).strip(b" \0") == b"STAR" and warning == 0
    return float(redshift) * SPEED_OF_LIGHT if star else np.nan


def _read_observation(file: FitsFile, mask: np.ndarray) -> Observation:
    head = file.primary
    facts = facts_from_header(head, file.path)
    facts["ra"], facts["dec"] = number(head, "PLUG_RA"), number(head, "PLUG_DEC")
    facts["time"] = np.nan  # of several exposures, maybe of several nights
    plate, mjd, fibre = (number(head, key) for key in ("PLATEID", "MJD", "FIBERID"))
    if np.isfinite([plate, mjd, fibre]).all():
        facts["obs_id"] = f"spec-{int(plate):04d}-{int(mjd)}-{int(fibre):04d}"
    return Observation(
        **facts,
        survey="sdss",
        medium="air" if stated_medium(head) == "air" else "vacuum",
        frame="barycentric",
        normalisation="none",
        resolving_power=_measure_resolving_power(file, mask),
        radial_velocity=_read_radial_velocity(file),
    )


def read_sdss(file: FitsFile) -> list[SpectrumArrays]:
    """Read the combined spectrum of an SDSS ``spec`` or ``spec-lite`` file.

    Pixels with any bit of the and-mask, or an inverse variance of zero, are masked.
    """
    names = ("LOGLAM", "FLUX", "IVAR", "AND_MASK")
    loglam, flux, ivar, bits = (file[1].column(name) for name in names)
    sigma, mask = sigma_from_ivar(ivar)
    mask |= bits != 0
    return [
        finish_arrays(
            _restore_grid(loglam),
            flux,
            sigma=sigma,
            mask=mask,
            flux_unit=_FLUX_UNIT,
            observation=_read_observation(file, mask),
            meta={"header": file.primary},
        )
    ]


SDSS_SPEC = Format(
    name="sdss_spec",
    title="SDSS spec or spec-lite (BOSS, SEGUE)",
    identify=identify_sdss,
    read=read_sdss,
)
