# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Files true to the layout of GALAH."""

import numpy as np
from astropy.io import fits

from ...spectra.examples import ExampleSpectrum, HduList
from ...utils.physics import SPEED_OF_LIGHT

__all__ = ["galah_hdus"]

_REST = "normalised spectra"  # which has its own axis: the star's velocity is removed
_VELOCITY = 25.0  # km/s


def galah_hdus(star: ExampleSpectrum) -> HduList:
    """Lay out a GALAH DR3 file of one camera.

    Parameters
    ----------
    star : ExampleSpectrum
        The spectrum, evenly spaced; there is no mask in this format.

    Returns
    -------
    list
        Five images: flux, relative error, both before sky subtraction, normalised flux.
    """
    axis, flux, sigma = star.wavelength, star.flux, star.sigma
    step = float(axis[-1] - axis[0]) / (axis.size - 1)
    images = [flux, sigma / flux, flux, sigma, flux / np.nanmedian(flux)]
    names = ("", "input_sigma", "no_sky_subspectrum", "no_sky_sigma", _REST)
    hdus: HduList = []
    for image, name in zip(images, names, strict=True):
        kind = fits.ImageHDU if hdus else fits.PrimaryHDU
        hdu = kind(image.astype(np.float32))
        scale = 1 / (1 + _VELOCITY / SPEED_OF_LIGHT) if name == _REST else 1.0
        keys = {"CRVAL1": float(axis[0]) * scale, "CDELT1": step * scale}
        hdu.header.update({"CRPIX1": 1.0, **keys, "CUNIT1": "Angstroms"})
        hdu.header["CTYPE1"] = "LINEAR"
        if name:
            hdu.header["EXTNAME"] = name
        hdus.append(hdu)
    head = {"ORIGIN": "GALAH DR3", "RA": 150.1, "DEC": -30.2, "OBJECT": "EXAMPLE"}
    hdus[0].header.update(head)
    return hdus
