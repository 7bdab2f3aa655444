# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Files true to the layouts of APOGEE, for examples and tests."""

import numpy as np
from astropy.io import fits

from ...spectra.examples import ExampleSpectrum, HduList, star_header

__all__ = ["apstar_hdus", "apvisit_hdus", "aspcapstar_hdus"]

_APOGEE_BUNIT = "Flux (10^-17 erg/s/cm^2/Ang)"
_CHIPS = 3


def _log_image(star: ExampleSpectrum, data: np.ndarray, unit: str) -> fits.ImageHDU:
    start, step = star.log_steps
    hdu = fits.ImageHDU(data)
    keys = ("CRVAL1", "CDELT1", "CRPIX1", "CTYPE1", "DC-FLAG", "BUNIT")
    values = (start, step, 1, "LOG-LINEAR", 1, unit)
    hdu.header.update(dict(zip(keys, values, strict=True)))
    return hdu


def apstar_hdus(star: ExampleSpectrum) -> HduList:
    """Lay out an apStar file; flux may have a row for each visit.

    Parameters
    ----------
    star : ExampleSpectrum
        The spectrum, and its bit mask.

    Returns
    -------
    list
        The HDUs.
    """
    primary = fits.PrimaryHDU()
    visits = max(1, star.flux.shape[0] - 2) if star.flux.ndim == 2 else 1
    head = star_header(primary)
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
        _log_image(star, star.flux.astype(np.float32), _APOGEE_BUNIT),
        _log_image(star, star.sigma.astype(np.float32), _APOGEE_BUNIT),
        _log_image(star, star.bits.astype(np.int16), "Flag Mask (bitwise)"),
    ]


def aspcapstar_hdus(star: ExampleSpectrum) -> HduList:
    """Lay out an aspcapStar file.

    Parameters
    ----------
    star : ExampleSpectrum
        The spectrum, and its bit mask.

    Returns
    -------
    list
        The HDUs.
    """
    primary = fits.PrimaryHDU()
    head = star_header(primary)
    head.update(
        {"OBJ": "2M10002400-3012000", "SNR": 100.0, "VRAD": 0.0, "VHELIO": 12.0}
    )
    params = np.zeros((1, 9), np.float32)
    columns = [
        fits.Column(name=n, format="9E", array=params) for n in ("PARAM", "FPARAM")
    ]
    images = [star.flux, star.sigma, star.flux]
    return [
        primary,
        *(_log_image(star, image.astype(np.float32), "") for image in images),
        fits.BinTableHDU.from_columns(columns),
    ]


def apvisit_hdus(star: ExampleSpectrum) -> HduList:
    """Lay out an apVisit file: three chips, red first and red to blue.

    Parameters
    ----------
    star : ExampleSpectrum
        The spectrum, and its bit mask.

    Returns
    -------
    list
        The HDUs.
    """
    if star.wavelength.size % _CHIPS:
        msg = f"apvisit needs a multiple of {_CHIPS} pixels, not {star.wavelength.size}"
        raise ValueError(msg)
    primary = fits.PrimaryHDU()
    head = star_header(primary)
    head.update({"OBJID": "2M10002400-3012000", "SNR": 60.0, "BC": 11.3, "VRAD": -44.4})
    head.update({"VHELIO": -33.1, "JD-MID": 2456000.75, "EXPTIME": 2000.0})
    layers: list[tuple[np.ndarray, str]] = [
        (star.flux.astype(np.float32), _APOGEE_BUNIT),
        (star.sigma.astype(np.float32), _APOGEE_BUNIT),
        (star.bits.astype(np.int16), "Flag Mask (bitwise)"),
        (star.wavelength, "Wavelength (Ang)"),
    ]
    hdus: HduList = [primary]
    for values, unit in layers:
        # red chip first, and red to blue within a chip
        hdu = fits.ImageHDU(np.ascontiguousarray(values[::-1].reshape(_CHIPS, -1)))
        hdu.header["BUNIT"] = unit
        hdus.append(hdu)
    return hdus
