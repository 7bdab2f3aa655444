# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra as VOTables, for `~astro_latent.spectra.write_example`."""

from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from .examples import ExampleSpectrum

__all__ = ["element", "params_text", "sdm_votable", "votable_text"]

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"'
    ' xmlns:spec="http://www.ivoa.net/xml/SpectrumModel/v1.01">\n'
    '<RESOURCE type="results" utype="spec:Spectrum">\n'
    '<INFO name="QUERY_STATUS" value="OK"/>\n'
    '<TABLE utype="spec:Spectrum">\n'
)
_TAIL = "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>\n"


def element(tag: str, **attributes: Any) -> str:
    """Write an empty element of XML."""
    words = [f"{key}={quoteattr(str(value))}" for key, value in attributes.items()]
    return f"<{tag} {' '.join(words)}/>\n"


def votable_text(params: str, fields: list[str], columns: list[np.ndarray]) -> str:
    """Write a VOTable with one table.

    Parameters
    ----------
    params : str
        From `params_text`.
    fields : list of str
        One FIELD for each column.
    columns : list of ndarray, shape (n_rows,)
        Numbers.

    Returns
    -------
    str
        The document.
    """
    rows = [
        "<TR>" + "".join(f"<TD>{float(v)!r}</TD>" for v in row) + "</TR>\n"
        for row in zip(*columns, strict=True)
    ]
    body = "<DATA><TABLEDATA>\n" + "".join(rows)
    return _HEAD + params + "".join(fields) + body + _TAIL


def params_text(usual: dict[str, dict[str, Any]], header: dict[str, Any]) -> str:
    """Write parameters; ``header`` replaces, adds and (None) removes some."""
    for name, value in header.items():
        if value is None:
            usual.pop(name, None)
        else:
            usual[name] = {**usual.get(name, {}), "value": value}
    text = ""
    for name, attributes in usual.items():
        number = isinstance(attributes["value"], int | float)
        kind = {"datatype": "double"} if number else _TEXT
        text += element("PARAM", name=name, **{**kind, **attributes})
    return text


_TEXT = {"datatype": "char", "arraysize": "*"}


_START = "spec:Spectrum."
#: What an SSA service says of a spectrum.
_SDM_PARAMS: dict[str, dict[str, Any]] = {
    "ssa_targname": {"utype": f"{_START}Target.Name", "value": "EXAMPLE"},
    "ssa_collection": {"utype": f"{_START}DataID.Collection", "value": "HARPS"},
    "ssa_location": {
        "utype": f"{_START}Char.SpatialAxis.Coverage.Location.Value",
        "datatype": "double",
        "arraysize": "2",
        "value": "150.1 -30.2",
    },
    "ssa_dateobs": {
        "utype": f"{_START}Char.TimeAxis.Coverage.Location.Value",
        "value": 60000.255,
    },
    "ssa_timeext": {
        "utype": f"{_START}Char.TimeAxis.Coverage.Bounds.Extent",
        "value": 864.0,
    },
    "ssa_fluxcalib": {
        "utype": f"{_START}Char.FluxAxis.Accuracy.Calibration",
        "value": "UNCALIBRATED",
    },
    "ssa_specframe": {
        "utype": f"{_START}CoordSys.SpectralFrame.RefPos",
        "value": "BARYCENTER",
    },
    "ssa_pubdid": {
        "utype": f"{_START}Curation.PublisherDID",
        "value": "ivo://org.example/~?example.fits",
    },
}


def sdm_votable(star: ExampleSpectrum) -> str:
    """Write what an SSA service sends, with the parameters of the data model."""
    names = ["spectral", "flux", "flux_error"]
    utypes = ["SpectralAxis.Value", "FluxAxis.Value", "FluxAxis.Accuracy.StatError"]
    ucds = ["em.wl;obs.atmos", "phot.flux.density;em.wl"]
    ucds.append("stat.error;phot.flux.density;em.wl")
    units = ["Angstrom", "adu", "adu"]
    columns = [star.wavelength, star.flux, star.sigma]
    if star.bits.any():
        names.append("quality")
        utypes.append("FluxAxis.Accuracy.QualityStatus")
        ucds.append("meta.code.qual")
        units.append("")
        columns.append(star.bits)
    layout = zip(names, utypes, ucds, units, strict=True)
    fields = [
        element(
            "FIELD",
            name=name,
            datatype="double",
            utype=f"spec:Data.{utype}",
            ucd=ucd,
            unit=unit,
        )
        for name, utype, ucd, unit in layout
    ]
    return votable_text(params_text({**_SDM_PARAMS}, star.header), fields, columns)
