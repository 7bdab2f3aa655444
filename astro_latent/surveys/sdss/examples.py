# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Files true to the layout of SDSS."""

import numpy as np
from astropy.io import fits

from ...spectra.examples import ExampleSpectrum, HduList, star_header

__all__ = ["mwm_hdus", "sdss_hdus", "spspec_hdus"]


def sdss_hdus(star: ExampleSpectrum) -> HduList:
    """Lay out an SDSS ``spec-lite`` file.

    Parameters
    ----------
    star : ExampleSpectrum
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
    widths = np.ones_like(star.flux)
    layout = [
        ("flux", "E", star.flux),
        ("loglam", "E", np.log10(star.wavelength)),
        ("ivar", "E", star.ivar),
        ("and_mask", "J", star.bits),
        ("or_mask", "J", star.bits),
        ("wdisp", "E", widths),
        ("sky", "E", 0 * star.flux),
        ("model", "E", star.flux),
    ]
    columns = [fits.Column(name, form, array=array) for name, form, array in layout]
    coadd = fits.BinTableHDU.from_columns(columns, name="COADD")
    facts = [("CLASS", "6A", "STAR"), ("Z", "E", 1e-4), ("ZWARNING", "J", 0)]
    columns = [fits.Column(name, form, array=[value]) for name, form, value in facts]
    return [primary, coadd, fits.BinTableHDU.from_columns(columns, name="SPALL")]


def spspec_hdus(star: ExampleSpectrum) -> HduList:
    """Lay out an SDSS ``spSpec`` file, as DR1 to DR8 have it.

    Parameters
    ----------
    star : ExampleSpectrum
        The spectrum, and its mask.

    Returns
    -------
    list
        An image of five rows.
    """
    start, step = star.log_steps
    rows = np.stack([star.flux, 0 * star.flux, star.sigma, star.bits, star.bits])
    primary = fits.PrimaryHDU(rows.astype(np.float32))
    primary.header.update(
        {
            "TELESCOP": "SDSS 2.5-M",
            "RA": (151.0, "RA of telescope boresight (deg)"),
            "DEC": (-31.0, "DEC of telescope boresight (deg)"),
            "RAOBJ": (150.1, "RA of object (deg)"),
            "DECOBJ": (-30.2, "DEC of object (deg)"),
            "PLATEID": 4055,
            "MJD": 55359,
            "FIBERID": 596,
            "COEFF0": start,
            "COEFF1": step,
            "DC-FLAG": 1,
            "SPEC_CLN": 1,
            "Z": 1e-4,
        }
    )
    return [primary]


def mwm_hdus(star: ExampleSpectrum) -> HduList:
    """Lay out an SDSS-V ``mwmStar`` file of which one table has a row.

    Parameters
    ----------
    star : ExampleSpectrum
        The spectrum, and its mask.

    Returns
    -------
    list
        A header and the tables of two instruments.
    """
    primary = fits.PrimaryHDU()
    star_header(primary).update({"V_ASTRA": "0.6.0", "SDSS_ID": 54459273})
    layout = [("wavelength", "D", star.wavelength), ("flux", "E", star.flux)]
    layout.append(("ivar", "E", star.ivar))
    layout.append(("pixel_flags", "K", star.bits))
    hdus: HduList = [primary]
    for instrument, rows in (("BOSS", 0), ("APOGEE", 1)):
        columns = [
            fits.Column(name, f"{star.flux.size}{form}", array=values[None][:rows])
            for name, form, values in layout
        ]
        table = fits.BinTableHDU.from_columns(columns, name=f"{instrument}/APO")
        table.header["INSTRMNT"], table.header["OBSRVTRY"] = instrument, "APO"
        hdus.append(table)
    return hdus
