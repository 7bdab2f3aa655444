# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Files true to what the DataLink service of Gaia sends, in three of its formats."""

from astropy.io import fits

from ...spectra.example_votables import element, params_text, votable_text
from ...spectra.examples import ExampleSpectrum, HduList

__all__ = ["gaia_csv", "gaia_hdus", "gaia_votable"]

_SOURCE = 6196457933368101888


def gaia_votable(star: ExampleSpectrum) -> str:
    """Lay out a file of Gaia's DataLink; ``flux_unit`` makes it a BP/RP spectrum.

    Parameters
    ----------
    star : ExampleSpectrum
        The spectrum; there is no mask in this format.

    Returns
    -------
    str
        The VOTable.
    """
    unit = {"unit": star.header["flux_unit"]} if star.header.get("flux_unit") else {}
    header = {key: value for key, value in star.header.items() if key != "flux_unit"}
    params = {
        "source_id": {"datatype": "long", "value": _SOURCE},
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
    columns = [star.wavelength / 10, star.flux, star.sigma]
    return votable_text(params_text(params, header), fields, columns)


def gaia_hdus(star: ExampleSpectrum) -> HduList:
    """Lay out what DataLink sends as FITS.

    Parameters
    ----------
    star : ExampleSpectrum
        The spectrum; there is no mask in this format.

    Returns
    -------
    list
        An empty header and a table with one row per pixel.
    """
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("wavelength", "D", unit="nm", array=star.wavelength / 10),
            fits.Column("flux", "E", array=star.flux),
            fits.Column("flux_error", "E", array=star.sigma),
        ]
    )
    table.header["TUTYP1"] = "spec:Data.SpectralAxis.Value"
    table.header["SOURCEID"] = str(_SOURCE)
    table.header["POS"] = "(150.1, -30.2)"
    return [fits.PrimaryHDU(), table]


def gaia_csv(star: ExampleSpectrum) -> str:
    """Lay out what DataLink sends as CSV.

    Parameters
    ----------
    star : ExampleSpectrum
        The spectrum; there is no mask in this format.

    Returns
    -------
    str
        The text.
    """
    facts = {"source_id": _SOURCE, "ra": 150.1, "dec": -30.2} | star.header
    lines = [",".join([*facts, "wavelength", "flux", "flux_error"])]
    pixels = zip(
        (star.wavelength / 10).tolist(), star.flux.tolist(), star.sigma.tolist(),
        strict=True,
    )  # fmt: skip
    lines += [",".join(map(str, (*facts.values(), *pixel))) for pixel in pixels]
    return "\n".join([*lines, ""])
