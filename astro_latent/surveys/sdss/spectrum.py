# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""SDSS optical spectra (``spec`` and ``spec-lite``): BOSS, SEGUE and their forebears.

One table row per pixel on the common grid of 1e-4 in log10; vacuum, heliocentric, not
corrected for the velocity of the star. The position is that of the fibre (PLUG_RA):
RA and DEC of the header are where the telescope pointed.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy import units as u

from ...spectra.checks import finish_arrays, mask_from_bits, sigma_from_ivar
from ...spectra.facts import FLAM, facts_from_header, number, stated_medium
from ...spectra.fits import FitsFile, Hdu
from ...spectra.formats import Format
from ...spectra.observation import Observation, SpectrumArrays
from ...utils.physics import SPEED_OF_LIGHT

__all__ = [
    "SDSS_BAD_BITS",
    "SDSS_FLUX_UNIT",
    "SDSS_RESOLVING_POWER",
    "SDSS_SPEC",
    "identify_sdss",
    "name_spectrum",
    "read_sdss",
]

#: Bits of SPPIXMASK for which a pixel is not used where only the or-mask is given, in
#: which nearly every pixel has one: BADTRACE, BADFLAT, BADARC, FULLREJECT, NOSKY,
#: BRIGHTSKY, NODATA, BADFLUXFACTOR, BADSKYCHI, REDMONSTER.
SDSS_BAD_BITS = (1, 2, 3, 18, 22, 23, 24, 26, 27, 28)
SDSS_RESOLVING_POWER = 2000.0  # 1560 to 2650 along the spectrum
_COLUMNS = {"FLUX", "LOGLAM", "IVAR"}
#: Columns of the table with the catalogue's row, and keywords, for the star's place.
_PLACES = (("PLUG_RA", "PLUG_DEC"), ("FIBER_RA", "FIBER_DEC"), ("RACAT", "DECCAT"))
_FIELD_KEYS = ("FIELDID", "FIELD", "CATID", "CATALOGID")  # of SDSS-V
_STEP = 1e-4  # of the common grid, in log10 of the wavelength
_ROUNDING = 5e-7  # of a float32 near 4
SDSS_FLUX_UNIT = u.Unit(1e-17 * FLAM)
_FWHM = np.sqrt(8 * np.log(2))


def identify_sdss(file: FitsFile) -> bool:
    """Tell whether a file is an SDSS ``spec`` or ``spec-lite`` file.

    Those of SDSS-V have no fibre but a field and an entry of the catalogue, and may be
    from the telescope at Las Campanas.
    """
    head = file.primary
    sdss = str(head.get("TELESCOP") or "").upper().startswith("SDSS")
    newer = "VERS2D" in head and any(key in head for key in _FIELD_KEYS)
    if not (newer or (sdss and ("FIBERID" in head or "VERS2D" in head))):
        return False
    return len(file) > 1 and file[1].is_table and set(file[1].columns) >= _COLUMNS


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


def name_spectrum(header: Mapping[str, Any]) -> str:
    """Return the name of a file by plate, day and fibre; "" if it has none of these.

    Parameters
    ----------
    header : mapping
        The primary header.

    Returns
    -------
    str
        Such as ``"spec-4055-55359-0596"``.
    """
    numbers = [number(header, key) for key in ("PLATEID", "MJD", "FIBERID")]
    if not np.isfinite(numbers).all():
        return ""
    plate, mjd, fibre = map(int, numbers)
    return f"spec-{plate:04d}-{mjd}-{fibre:04d}"


def _read_position(file: FitsFile) -> tuple[float, float]:
    """Return where the fibre was, from the header, else from the catalogue's row."""
    table = file[2] if len(file) > 2 and file[2].is_table else None
    for names in _PLACES:
        place = [number(file.primary, name) for name in names]
        if np.isfinite(place).all():
            return place[0], place[1]
    for names in _PLACES:
        if table is not None and set(names) <= set(table.columns):
            ra, dec = (float(table.column(name).ravel()[0]) for name in names)
            if 0 <= ra <= 360 and -90 <= dec <= 90:
                return ra, dec
    return np.nan, np.nan


def _read_mask(table: Hdu) -> np.ndarray:
    """Return where the and-mask has any bit, or the or-mask one that matters."""
    for name in ("AND_MASK", "MASK"):
        if name in table.columns:
            return table.column(name) != 0
    if "OR_MASK" in table.columns:
        return mask_from_bits(table.column("OR_MASK"), SDSS_BAD_BITS)
    return np.zeros(table.column("FLUX").shape, bool)


def _read_observation(file: FitsFile, mask: np.ndarray) -> Observation:
    head = file.primary
    facts = facts_from_header(head, file.path)
    facts["ra"], facts["dec"] = _read_position(file)
    facts["time"] = np.nan  # of several exposures, maybe of several nights
    facts["obs_id"] = name_spectrum(head) or facts["obs_id"]
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
    loglam, flux, ivar = (file[1].column(n) for n in ("LOGLAM", "FLUX", "IVAR"))
    sigma, mask = sigma_from_ivar(ivar)
    mask |= _read_mask(file[1])
    return [
        finish_arrays(
            _restore_grid(loglam),
            flux,
            sigma=sigma,
            mask=mask,
            flux_unit=SDSS_FLUX_UNIT,
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
