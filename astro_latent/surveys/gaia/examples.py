# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Files true to what the DataLink service of Gaia sends."""

from typing import Any

import numpy as np

from ...spectra.example_votables import element, params_text, votable_text

__all__ = ["gaia_votable"]


def gaia_votable(
    wavelength: np.ndarray,
    flux: np.ndarray,
    sigma: np.ndarray,
    bits: np.ndarray,
    header: dict[str, Any],
) -> str:
    """Lay out a file of Gaia's DataLink; ``flux_unit`` makes it a BP/RP spectrum.

    Parameters
    ----------
    wavelength, flux, sigma, bits : ndarray, shape (n_pixels,)
        The spectrum; there is no mask in this format.
    header : dict
        Parameters in place of or beside the usual ones.

    Returns
    -------
    str
        The VOTable.
    """
    unit = {"unit": header["flux_unit"]} if header.get("flux_unit") else {}
    header = {key: value for key, value in header.items() if key != "flux_unit"}
    params = {
        "source_id": {"datatype": "long", "value": 6196457933368101888},
        "ra": {"unit": "deg", "ucd": "pos.eq.ra;meta.main", "value": 150.1},
        "dec": {"unit": "deg", "ucd": "pos.eq.dec;meta.main", "value": -30.2},
    }
    axis = {"utype": "spec:Data.SpectralAxis.Value", "ucd": "em.wl", "unit": "nm"}
    real = {"datatype": "float"}
    fields = [
        element("FIELD", name="wavelength", datatype="double", **axis),
        element("FIELD", name="flux", ucd="phot.flux;em.opt.I", **real, **unit),
        element(
            "FIELD",
            name="flux_error",
            ucd="stat.error;phot.flux;em.opt.I",
            **real,
            **unit,
        ),
    ]
    return votable_text(
        params_text(params, header), fields, [wavelength / 10, flux, sigma]
    )
