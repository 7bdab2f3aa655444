# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Layouts of further surveys' files, for `~astro_latent.spectra.write_example`."""

from typing import Any

import numpy as np
from astropy.io import fits

__all__ = ["galah_hdus", "sdm_hdus", "sdss_hdus"]


def sdss_hdus(
    wavelength: np.ndarray, flux: np.ndarray, sigma: np.ndarray, bits: np.ndarray
) -> list[Any]:
    """Lay out an SDSS ``spec-lite`` file.

    Parameters
    ----------
    wavelength, flux, sigma, bits : ndarray, shape (n_pixels,)
        The spectrum; ``bits`` is the and-mask.

    Returns
    -------
    list
        Header, COADD with one row per pixel, and SPALL with one row.
    """
    primary = fits.PrimaryHDU()
    primary.header.update(
        {
            "TELESCOP": "SDSS 2.5-M",
            "RA": (151.0, "RA of telescope boresight (deg)"),
            "DEC": (-31.0, "DEC of telescope boresight (deg)"),
            "PLUG_RA": (150.1, "RA of object [deg]"),
            "PLUG_DEC": (-30.2, "DEC of object [deg]"),
            "PLATEID": 4055,
            "MJD": 55359,
            "FIBERID": 596,
            "EXPTIME": 2700.0,
            "VERS2D": "v5_13_0",
            "RUN2D": "v5_13_0",
            "BUNIT": "1E-17 erg/cm^2/s/Ang",
        }
    )
    with np.errstate(divide="ignore"):
        ivar = np.where(sigma > 0, 1 / sigma**2, 0)
    widths = np.ones_like(flux)
    layout = [
        ("flux", "E", flux),
        ("loglam", "E", np.log10(wavelength)),
        ("ivar", "E", ivar),
        ("and_mask", "J", bits),
        ("or_mask", "J", bits),
        ("wdisp", "E", widths),
        ("sky", "E", 0 * flux),
        ("model", "E", flux),
    ]
    columns = [fits.Column(name, form, array=array) for name, form, array in layout]
    coadd = fits.BinTableHDU.from_columns(columns, name="COADD")
    facts = [("CLASS", "6A", "STAR"), ("Z", "E", 1e-4), ("ZWARNING", "J", 0)]
    columns = [fits.Column(name, form, array=[value]) for name, form, value in facts]
    return [primary, coadd, fits.BinTableHDU.from_columns(columns, name="SPALL")]


def galah_hdus(
    wavelength: np.ndarray, flux: np.ndarray, sigma: np.ndarray, bits: np.ndarray
) -> list[Any]:
    """Lay out a GALAH DR3 file of one camera.

    Parameters
    ----------
    wavelength, flux, sigma, bits : ndarray, shape (n_pixels,)
        The spectrum, evenly spaced; there is no mask in this format.

    Returns
    -------
    list
        Five images: flux, relative error, both before sky subtraction, normalised flux.
    """
    step = float(wavelength[-1] - wavelength[0]) / (wavelength.size - 1)
    images = [flux, sigma / flux, flux, sigma, flux / np.nanmedian(flux)]
    names = ("", "input_sigma", "no_sky_spectrum", "no_sky_sigma", "normalised")
    hdus: list[Any] = []
    for image, name in zip(images, names, strict=True):
        kind = fits.ImageHDU if hdus else fits.PrimaryHDU
        hdu = kind(image.astype(np.float32))
        keys = {"CRPIX1": 1.0, "CRVAL1": float(wavelength[0]), "CDELT1": step}
        hdu.header.update({**keys, "CTYPE1": "Wavelength", "CUNIT1": "Angstroms"})
        if name:
            hdu.header["EXTNAME"] = name
        hdus.append(hdu)
    head = {"ORIGIN": "GALAH", "RA": 150.1, "DEC": -30.2, "OBJECT": "EXAMPLE"}
    hdus[0].header.update(head)
    return hdus


def sdm_hdus(
    wavelength: np.ndarray, flux: np.ndarray, sigma: np.ndarray, bits: np.ndarray
) -> list[Any]:
    """Lay out what an SSA service sends as FITS.

    Parameters
    ----------
    wavelength, flux, sigma, bits : ndarray, shape (n_pixels,)
        The spectrum, in air; there is no mask here.

    Returns
    -------
    list
        An empty header and a table with one row per pixel.
    """
    layout = [
        ("spectral", "D", "Angstrom", wavelength),
        ("flux", "D", "adu", flux),
        ("flux_error", "E", "adu", sigma),
    ]
    columns = [
        fits.Column(name, form, unit=unit, array=array)
        for name, form, unit, array in layout
    ]
    table = fits.BinTableHDU.from_columns(columns)
    start = "spec:spectrum.data."
    table.header.update(
        {
            "TUTYP1": f"{start}spectralaxis.value",
            "TUTYP2": f"{start}fluxaxis.value",
            "TUCD1": "em.wl;obs.atmos",
            "VOCLASS": "Spectrum-1.0",
            "OBJECT": "EXAMPLE",
            "RA": 150.1,
            "DEC": -30.2,
            "TMID": 60000.255,
            "DER_SNR": 120.0,
        }
    )
    return [fits.PrimaryHDU(), table]
