# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Write small files that are true to their formats, for examples and tests.

The arrays are yours; headers, table layouts and conventions are those of the real
products: SDSS data model, ESO Science Data Products Standard, HARPS DRS, LAMOST,
GALAH, Gaia's DataLink, the IVOA Spectrum Data Model.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from ..exceptions import UnknownNameError
from .example_surveys import galah_hdus, sdm_hdus, sdss_hdus
from .example_votables import VOTABLES

__all__ = ["EXAMPLE_FORMATS", "write_example"]

_APOGEE_BUNIT = "Flux (10^-17 erg/s/cm^2/Ang)"
_CHIPS = 3


def write_example(
    format: str,
    path: str | os.PathLike,
    wavelength: np.ndarray,
    flux: np.ndarray,
    *,
    sigma: np.ndarray | None = None,
    pixmask: np.ndarray | None = None,
    overwrite: bool = True,
    **header: Any,
) -> Path:
    """Write a spectrum in one of the formats that this package reads.

    Parameters
    ----------
    format : str
        One of `~astro_latent.spectra.FORMATS`.
    path : path-like
        Where to; a name in ``.gz`` is compressed.
    wavelength : ndarray, shape (n_pixels,)
        Ångström, in the medium that the format has; evenly spaced, in the logarithm
        for apstar, aspcapstar and lamost_lrs. For apvisit a multiple of three pixels.
    flux : ndarray, shape (n_pixels,) or, for apstar, (n_rows, n_pixels)
        Flux.
    sigma : ndarray of the shape of ``flux``, optional
        Standard deviations, where the format has them; NaN (Phase 3) or one hundredth
        of the median flux by default.
    pixmask : ndarray of int, of the shape of ``flux``, optional
        Bit mask or quality, where the format has one; zeros by default.
    overwrite : bool, optional
        Replace an existing file.
    **header
        Cards of the primary header, or parameters of a VOTable, in place of or beside
        the usual ones; ``**{"ESO DRS BERV": 1.0}`` where a keyword is no Python name.
        None removes.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UnknownNameError
        If there is no example of this format.
    ValueError
        If the wavelengths do not suit the format.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> from astro_latent.spectra import read_arrays, write_example
    >>> path = pathlib.Path(tempfile.mkdtemp(), "star.fits")
    >>> wavelength = 10 ** (4.179 + 6e-6 * np.arange(8575))
    >>> path = write_example("apstar", path, wavelength, np.ones(8575), SNR=120.0)
    >>> read_arrays(path)[0].observation.snr
    120.0
    """
    if format not in EXAMPLE_FORMATS:
        raise UnknownNameError("example format", format, list(EXAMPLE_FORMATS))
    wavelength, flux = np.asarray(wavelength, float), np.asarray(flux)
    if wavelength.shape != flux.shape[-1:]:
        msg = f"flux of shape {flux.shape} does not fit {wavelength.size} wavelengths"
        raise ValueError(msg)
    if sigma is None and format != "eso_phase3":
        level = np.abs(np.nanmedian(flux)) if np.isfinite(flux).any() else 0.0
        sigma = np.full(flux.shape, level / 100 or 1.0)
    pixmask = np.zeros(flux.shape, np.int16) if pixmask is None else np.asarray(pixmask)
    if format in VOTABLES:
        return VOTABLES[format](path, wavelength, flux, sigma, pixmask, header)
    hdus = _BUILDERS[format](wavelength, flux, sigma, pixmask)
    for key, value in header.items():
        key = f"HIERARCH {key}" if " " in key or len(key) > 8 else key
        if value is None:
            hdus[0].header.remove(key, ignore_missing=True)
        else:
            hdus[0].header[key] = value
    fits.HDUList(hdus).writeto(path, overwrite=overwrite)
    return Path(path)


def _even(values: np.ndarray, kind: str) -> tuple[float, float]:
    """Return start and step of evenly spaced values."""
    start, step = float(values[0]), float(values[-1] - values[0]) / (values.size - 1)
    even = start + step * np.arange(values.size)
    if not np.allclose(values, even, rtol=0, atol=0.01 * abs(step)):
        msg = f"this format needs wavelengths evenly spaced in {kind}"
        raise ValueError(msg)
    return start, step


def _star_header(primary: fits.PrimaryHDU) -> fits.Header:
    head = primary.header
    head["RA"], head["DEC"] = (150.1, "[deg] J2000"), (-30.2, "[deg] J2000")
    return head


def _phase3(
    wavelength: np.ndarray, flux: np.ndarray, sigma: np.ndarray | None, bits: np.ndarray
) -> list[Any]:
    primary = fits.PrimaryHDU()
    _star_header(primary).update(
        {
            "PRODCATG": "SCIENCE.SPECTRUM",
            "INSTRUME": "HARPS",
            "TELESCOP": "ESO-3.6",
            "OBJECT": "EXAMPLE",
            "EQUINOX": 2000.0,
            "RADECSYS": "FK5",
            "MJD-OBS": 60000.25,
            "MJD-END": 60000.26,
            "EXPTIME": 864.0,
            "SPECSYS": "BARYCENT",
            "CONTNORM": False,
            "FLUXCAL": "UNCALIBRATED",
            "SPEC_RES": 115000.0,
            "SNR": 46.1,
        }
    )
    if sigma is None:
        sigma = np.full(flux.shape, np.nan)
    size = flux.size
    prefix = "Spectrum.Data."
    columns = [
        ("WAVE", "D", "angstrom", "SpectralAxis.Value", "em.wl;obs.atmos", wavelength),
        ("FLUX", "E", "adu", "FluxAxis.Value", "phot.flux.density;em.wl", flux),
        ("ERR", "E", "adu", "FluxAxis.Accuracy.StatError", "stat.error", sigma),
    ]
    if bits.any():
        role = "FluxAxis.Accuracy.QualityStatus"
        columns.append(("QUAL", "J", "", role, "meta.code.qual", bits))
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column(name=name, format=f"{size}{kind}", array=values[None])
            for name, kind, _, _, _, values in columns
        ],
        name="SPECTRUM",
    )
    for index, (_, _, unit, utype, ucd, _) in enumerate(columns, start=1):
        if unit:
            table.header[f"TUNIT{index}"] = unit
        table.header[f"TUTYP{index}"] = prefix + utype
        table.header[f"TUCD{index}"] = ucd
    table.header["VOCLASS"] = "SPECTRUM v1.0"
    table.header["NELEM"] = size
    return [primary, table]


def _harps_s1d(
    wavelength: np.ndarray, flux: np.ndarray, sigma: np.ndarray, bits: np.ndarray
) -> list[Any]:
    start, step = _even(wavelength, "wavelength")
    primary = fits.PrimaryHDU(flux.astype(np.float32))
    _star_header(primary).update(
        {
            "CRPIX1": 1.0,
            "CRVAL1": start,
            "CDELT1": step,
            "CTYPE1": "Angstrom",
            "BUNIT": "Relative Flux",
            "INSTRUME": "HARPS",
            "OBJECT": "EXAMPLE",
            "EXPTIME": 864.0,
            "MJD-OBS": 60000.25,
            "HIERARCH ESO INS MODE": "HARPS",
            "HIERARCH ESO DRS VERSION": "HARPS_3.8",
            "HIERARCH ESO DRS BERV": 12.5,
        }
    )
    return [primary]


def _log_image(wavelength: np.ndarray, data: np.ndarray, unit: str) -> fits.ImageHDU:
    start, step = _even(np.log10(wavelength), "the logarithm of the wavelength")
    hdu = fits.ImageHDU(data)
    keys = ("CRVAL1", "CDELT1", "CRPIX1", "CTYPE1", "DC-FLAG", "BUNIT")
    values = (start, step, 1, "LOG-LINEAR", 1, unit)
    hdu.header.update(dict(zip(keys, values, strict=True)))
    return hdu


def _apstar(
    wavelength: np.ndarray, flux: np.ndarray, sigma: np.ndarray, bits: np.ndarray
) -> list[Any]:
    primary = fits.PrimaryHDU()
    visits = max(1, flux.shape[0] - 2) if flux.ndim == 2 else 1
    head = _star_header(primary)
    head.update({"OBJID": "2M10002400-3012000", "SNR": 100.0, "NVISITS": visits})
    head.update({"VHELIO": 12.0, "TELESCOP": "apo25m", "FIELD": "EXAMPLE"})
    for visit in range(1, visits + 1):
        head[f"SFILE{visit}"] = f"apVisit-dr17-1234-{56000 + visit}-001.fits"
        head[f"JD{visit}"] = 2456000.5 + visit
        head[f"BC{visit}"] = 10.0 + visit
        head[f"VRAD{visit}"] = 2.0 - visit
        head[f"SNRVIS{visit}"] = 50.0 + visit
    return [
        primary,
        _log_image(wavelength, flux.astype(np.float32), _APOGEE_BUNIT),
        _log_image(wavelength, sigma.astype(np.float32), _APOGEE_BUNIT),
        _log_image(wavelength, bits.astype(np.int16), "Flag Mask (bitwise)"),
    ]


def _aspcapstar(
    wavelength: np.ndarray, flux: np.ndarray, sigma: np.ndarray, bits: np.ndarray
) -> list[Any]:
    primary = fits.PrimaryHDU()
    head = _star_header(primary)
    head.update(
        {"OBJ": "2M10002400-3012000", "SNR": 100.0, "VRAD": 0.0, "VHELIO": 12.0}
    )
    params = np.zeros((1, 9), np.float32)
    columns = [
        fits.Column(name=n, format="9E", array=params) for n in ("PARAM", "FPARAM")
    ]
    images = [flux, sigma, flux]
    return [
        primary,
        *(_log_image(wavelength, image.astype(np.float32), "") for image in images),
        fits.BinTableHDU.from_columns(columns),
    ]


def _apvisit(
    wavelength: np.ndarray, flux: np.ndarray, sigma: np.ndarray, bits: np.ndarray
) -> list[Any]:
    if wavelength.size % _CHIPS:
        msg = f"apvisit needs a multiple of {_CHIPS} pixels, not {wavelength.size}"
        raise ValueError(msg)
    primary = fits.PrimaryHDU()
    head = _star_header(primary)
    head.update({"OBJID": "2M10002400-3012000", "SNR": 60.0, "BC": 11.3, "VRAD": -44.4})
    head.update({"VHELIO": -33.1, "JD-MID": 2456000.75, "EXPTIME": 2000.0})
    layers: list[tuple[np.ndarray, str]] = [
        (flux.astype(np.float32), _APOGEE_BUNIT),
        (sigma.astype(np.float32), _APOGEE_BUNIT),
        (bits.astype(np.int16), "Flag Mask (bitwise)"),
        (wavelength, "Wavelength (Ang)"),
    ]
    hdus: list[Any] = [primary]
    for values, unit in layers:
        # red chip first, and red to blue within a chip
        hdu = fits.ImageHDU(np.ascontiguousarray(values[::-1].reshape(_CHIPS, -1)))
        hdu.header["BUNIT"] = unit
        hdus.append(hdu)
    return hdus


def _lamost(
    wavelength: np.ndarray, flux: np.ndarray, sigma: np.ndarray, bits: np.ndarray
) -> list[Any]:
    start, step = _even(np.log10(wavelength), "the logarithm of the wavelength")
    with np.errstate(divide="ignore"):
        ivar = np.where(sigma > 0, 1 / sigma**2, 0)
    rows = np.stack([flux, ivar, np.ones_like(flux), bits, bits])
    primary = fits.PrimaryHDU(rows.astype(np.float32))
    _star_header(primary).update(
        {
            "TELESCOP": "LAMOST",
            "ORIGIN": "NAOC-LAMOST",
            "DESIG": "LAMOST J100024.00-301200.0",
            "DATE-OBS": "2011-10-27T20:02:34.19",
            "VACUUM": True,
            "HELIO": True,
            "HELIO_RV": -26.4,
            "COEFF0": start,
            "COEFF1": step,
            "CRVAL1": start,
            "CD1_1": step,
            "DC-FLAG": 1,
            "Z": -0.00016,
            "SN_G": 40.0,
            "SN_R": 80.0,
            "SN_I": 90.0,
        }
    )
    return [primary]


def _wcs1d(
    wavelength: np.ndarray, flux: np.ndarray, sigma: np.ndarray, bits: np.ndarray
) -> list[Any]:
    start, step = _even(wavelength, "wavelength")
    primary = fits.PrimaryHDU(flux.astype(np.float32))
    keys = {"CTYPE1": "AWAV", "CUNIT1": "Angstrom", "CRPIX1": 1.0}
    _star_header(primary).update({**keys, "CRVAL1": start, "CDELT1": step})
    return [primary, fits.ImageHDU(sigma.astype(np.float32), name="SIGMA")]


_BUILDERS: dict[str, Callable[..., list[Any]]] = {
    "apstar": _apstar,
    "apvisit": _apvisit,
    "aspcapstar": _aspcapstar,
    "eso_phase3": _phase3,
    "galah": galah_hdus,
    "harps_s1d": _harps_s1d,
    "lamost_lrs": _lamost,
    "sdm_fits": sdm_hdus,
    "sdss_spec": sdss_hdus,
    "wcs1d": _wcs1d,
}

#: Formats that `write_example` can write.
EXAMPLE_FORMATS = (*_BUILDERS, *VOTABLES)
