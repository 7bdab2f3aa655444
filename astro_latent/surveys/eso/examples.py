# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Files true to what ESO publishes and the HARPS pipeline writes."""

import numpy as np
from astropy.io import fits

from ...spectra.examples import ExampleSpectrum, HduList, even_steps, star_header

__all__ = ["phase3_hdus", "s1d_hdus"]


#: Cards of a Phase 3 spectrum of HARPS.
_PHASE3_CARDS = {
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


def phase3_hdus(star: ExampleSpectrum) -> HduList:
    """Lay out an ESO Phase 3 spectrum; errors are NaN if there are none.

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
    star_header(primary).update(_PHASE3_CARDS)
    axis, size = star.wavelength, star.flux.size
    prefix = "Spectrum.Data."
    columns = [
        ("WAVE", "D", "angstrom", "SpectralAxis.Value", "em.wl;obs.atmos", axis),
        ("FLUX", "E", "adu", "FluxAxis.Value", "phot.flux.density;em.wl", star.flux),
        ("ERR", "E", "adu", "FluxAxis.Accuracy.StatError", "stat.error", star.sigma),
    ]
    if star.bits.any():
        role = "FluxAxis.Accuracy.QualityStatus"
        columns.append(("QUAL", "J", "", role, "meta.code.qual", star.bits))
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


def s1d_hdus(star: ExampleSpectrum) -> HduList:
    """Lay out a HARPS s1d file, which has neither errors nor mask.

    Parameters
    ----------
    star : ExampleSpectrum
        The spectrum, and its bit mask.

    Returns
    -------
    list
        The HDUs.
    """
    start, step = even_steps(star.wavelength, "wavelength")
    primary = fits.PrimaryHDU(star.flux.astype(np.float32))
    star_header(primary).update(
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
