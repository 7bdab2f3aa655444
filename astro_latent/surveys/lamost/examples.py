# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Files true to the layout of LAMOST."""

import numpy as np
from astropy.io import fits

from ...spectra.examples import ExampleSpectrum, HduList, star_header

__all__ = ["lamost_hdus", "lamost_mrs_hdus"]


def lamost_hdus(star: ExampleSpectrum) -> HduList:
    """Lay out a LAMOST low-resolution file: an image of five rows.

    Parameters
    ----------
    star : ExampleSpectrum
        The spectrum, and its bit mask.

    Returns
    -------
    list
        The HDUs.
    """
    start, step = star.log_steps
    rows = np.stack(
        [star.flux, star.ivar, np.ones_like(star.flux), star.bits, star.bits]
    )
    primary = fits.PrimaryHDU(rows.astype(np.float32))
    star_header(primary).update(
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


def lamost_mrs_hdus(star: ExampleSpectrum) -> HduList:
    """Lay out a LAMOST medium-resolution file of one arm, as DR9 and later have it.

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
    star_header(primary).update(
        {
            "TELESCOP": "LAMOST",
            "ORIGIN": "NAOC-LAMOST",
            "DESIG": "LAMOST J100024.00-301200.0",
            "DATE-OBS": "2018-10-24T20:02:34.0",
            "DATA_V": "LAMOST DR11",
            "VACUUM": True,
            "HELIO": True,
        }
    )
    layout = [("FLUX", star.flux), ("IVAR", star.ivar)]
    layout += [("WAVELENGTH", star.wavelength)]
    layout += [("ANDMASK", star.bits), ("ORMASK", star.bits)]
    columns = [
        fits.Column(name, f"{star.flux.size}{'D' if name == 'WAVELENGTH' else 'E'}",
                    array=values[None])
        for name, values in layout
    ]  # fmt: skip
    return [primary, fits.BinTableHDU.from_columns(columns, name="COADD_B")]
