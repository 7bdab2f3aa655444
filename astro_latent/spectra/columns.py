# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Which columns, extensions or arrays of a spectrum are what, by utype, UCD or name.

Utypes of the IVOA Spectrum Data Model count before UCDs, those before names. Names are
those that surveys, pipelines and people use; a name says log10, air or vacuum where
it does.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..exceptions import SpectrumReadError

__all__ = ["ROLES", "Column", "find_roles", "has_spectrum", "role_of_name"]

#: What a column may be: where, how much, how sure, whether to be used.
ROLES = ("wavelength", "flux", "sigma", "variance", "ivar", "relative", "mask", "good")

_UTYPES = {
    "data.spectralaxis.value": "wavelength",
    "data.fluxaxis.value": "flux",
    "data.fluxaxis.accuracy.staterror": "sigma",
    "data.fluxaxis.accuracy.qualitystatus": "mask",
}
_AXIS_UCDS = ("em.wl", "em.freq", "em.energy", "em.wavenumber", "spect_wavelength")
# phot.fluDens and phot_flux are of earlier versions of the vocabulary
_FLUX_UCDS = ("phot.flu", "phot_flux", "spect_flux")
_LOG = r"(?:log|log10|lg)_?"
_MEDIUM = r"_?(?:air|vac|vacuum)"
_AXIS = r"(?:wave?(?:l|len|length|lengths|obs)?|wvl|wl|lambda|lam|spectral_?(?:axis)?)"
# in order of preference within a role
_NAMES = {
    "wavelength": (
        rf"(?:{_LOG})?{_AXIS}(?:{_MEDIUM})?(?:_?(?:nm|um|aa?|ang|angstroms?))?",
        rf"(?:air|vac|vacuum)_?{_AXIS}",
        r"(?:freq|frequency|nu|energy|wavenumber|wave_number)",
    ),
    "flux": (
        r"flux(?:es|_?density|_?dens|_?lambda|_?cal|_?corr)?",
        r"(?:f_?lambda|f_?lam|f_?nu|flam|fnu|fl)",
        r"(?:norm|normali[sz]ed)_?flux|flux_?(?:norm|normali[sz]ed)|norm",
        r"(?:spec|spectrum|sci|data|extracted\w*|reduced|counts)",
    ),
    "sigma": (
        r"(?:err|errs|error|errors|sig|sigma|std|stdev|stddev|unc|uncertainty|noise)",
        r"(?:stat_?err(?:or)?|e_?flux|sigma_?flux|err_?flux|error_?flux|ferr|dflux)",
        r"flux_?(?:e|err|errs|error|errors|sig|sigma|std|unc|uncertainty|stddev)",
    ),
    "ivar": (r"(?:flux_?)?(?:ivar|inv_?var(?:iance)?|inverse_?variance)",),
    "variance": (r"(?:flux_?)?(?:var|variance)",),
    "relative": (r"(?:rel|relative)_?(?:err|error|sigma)",),
    "mask": (
        r"(?:and_?mask|mask|qual(?:ity)?|dq|data_?quality|bad_?pix(?:els?)?|bpm)",
        r"(?:pix_?mask|bit_?mask|pixel_?flags|flags?|flux_?(?:mask|qual(?:ity)?))",
    ),
    "good": (r"(?:good|good_?pix(?:els?)?|valid|dataqual)",),
}
_PATTERNS = [
    (role, rank, re.compile(pattern, re.IGNORECASE))
    for role, patterns in _NAMES.items()
    for rank, pattern in enumerate(patterns)
]
# "wavelength [nm]", "flux (Jy)": the unit belongs to the name in text files
_UNIT_IN_NAME = re.compile(r"^(?P<name>.*?)\s*[\[(]\s*(?P<unit>[^\])]*)\s*[\])]\s*$")
_UNIT_AT_END = re.compile(r"_(?P<unit>nm|um|aa?|ang|angstroms?)$", re.IGNORECASE)
#: What is no light of the star, whatever its role.
_OTHERS = re.compile(
    r"(?:.*[ _])?(?:sky|cal|calibration|bkg|background|lamp|flat|model|template|cont"
    r"|continuum|tell?uric|scattered|raw|resolution)(?:[ _].*)?",
    re.IGNORECASE,
)
_TEXT = ("char", "unicodeChar", "boolean")


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column, extension or array of a spectrum.

    Parameters
    ----------
    values : ndarray
        One value per pixel; or one row of pixels for each spectrum.
    unit : str
        As the file spells it; "" if it has none.
    name : str
        As the file spells it.
    ucd : str
        Its UCD, in small letters; "" if there is none.
    """

    values: np.ndarray
    unit: str = ""
    name: str = ""
    ucd: str = field(default="")


def split_name(name: str) -> tuple[str, str]:
    """Return a name, and the unit in brackets or after the last underscore."""
    found = _UNIT_IN_NAME.match(name) or _UNIT_AT_END.search(name)
    if found is None:
        return name.strip(), ""
    return found.groupdict().get("name", name).strip(), found["unit"]


def role_of_name(name: str) -> tuple[str, int]:
    """Tell the role of a column by its name.

    Parameters
    ----------
    name : str
        Such as ``"LOGLAM"`` or ``"wavelength [nm]"``.

    Returns
    -------
    role : str
        One of `ROLES`; "" if the name tells none.
    rank : int
        How sure that is, 0 the most.

    Examples
    --------
    >>> from astro_latent.spectra.columns import role_of_name
    >>> role_of_name("LOGLAM"), role_of_name("and_mask"), role_of_name("sky")
    (('wavelength', 0), ('mask', 0), ('', 0))
    """
    plain = re.sub(r"[\s\-.]+", "_", split_name(name)[0].strip("# \t"))
    for role, rank, pattern in _PATTERNS:
        if pattern.fullmatch(plain):
            return role, rank
    return "", 0


def _role_of_utype(utype: str) -> str:
    return next((role for end, role in _UTYPES.items() if utype.endswith(end)), "")


def _role_of_ucd(words: list[str]) -> str:
    if words[0] in _AXIS_UCDS:
        return "wavelength"
    fluxes = [word for word in words if word.startswith(_FLUX_UCDS) or word == "spect"]
    if words[0] == "stat.error":
        return "sigma" if fluxes else ""
    if words[0].startswith("meta.code.qual"):
        return "mask"
    return "flux" if fluxes and words[0] in (fluxes[0], "arith.ratio") else ""


def find_roles(fields: Sequence[Mapping[str, str]]) -> dict[str, int]:
    """Find the columns of a spectrum.

    Parameters
    ----------
    fields : sequence of mapping
        ``name, ucd, utype, datatype`` of the columns, as far as they have them.

    Returns
    -------
    dict
        Role to number of the column; the first column of a role counts, utypes before
        UCDs before names.
    """
    by_utype: dict[str, int] = {}
    by_ucd: dict[str, int] = {}
    by_name: dict[str, tuple[int, int]] = {}
    for index, attributes in enumerate(fields):
        if attributes.get("datatype") in _TEXT:
            continue
        ucd = attributes.get("ucd", "").lower().replace(" ", "")
        if ucd.startswith("phys.transmission"):
            continue
        if role := _role_of_utype(attributes.get("utype", "").lower()):
            by_utype.setdefault(role, index)
        if role := _role_of_ucd(ucd.split(";")):
            by_ucd.setdefault(role, index)
        if ucd or attributes.get("utype"):
            continue  # what is stated is not overruled by a name
        role, rank = role_of_name(attributes.get("name", ""))
        if role and (role not in by_name or rank < by_name[role][0]):
            by_name[role] = rank, index
    known = {**by_ucd, **by_utype}
    named = {role: index for role, (_, index) in by_name.items()}
    named["wavelength"] = _prefer_stated(fields, named.get("wavelength", -1))
    taken = set(known.values())
    free = {k: n for k, n in named.items() if n >= 0 and n not in taken}
    roles = {**free, **known}
    return _without_errors_of_others(fields, roles)


def _prefer_stated(fields: Sequence[Mapping[str, str]], index: int) -> int:
    """Take the column in vacuum where there is one in air as well."""
    if index < 0 or medium_of_name(fields[index].get("name", "")) != "air":
        return index
    name = fields[index].get("name", "")
    others = [
        n
        for n, other in enumerate(fields)
        if role_of_name(other.get("name", ""))[0] == "wavelength"
        and medium_of_name(other.get("name", "")) != "air"
        and other.get("unit", "") == fields[index].get("unit", "")
        and other.get("name", "") != name
    ]
    return others[0] if others else index


def _without_errors_of_others(
    fields: Sequence[Mapping[str, str]], roles: dict[str, int]
) -> dict[str, int]:
    """Prefer the error that bears the name of the flux."""
    if "flux" not in roles:
        return roles
    flux = fields[roles["flux"]].get("name", "").lower()
    for index, attributes in enumerate(fields):
        named = attributes.get("name", "").lower() in (f"{flux}_error", f"{flux}_err")
        stated = "sigma" in roles and fields[roles["sigma"]].get("utype")
        if named and not stated:
            return {**roles, "sigma": index}
    return roles


def has_spectrum(roles: Mapping[str, object]) -> bool:
    """Tell whether these roles make a spectrum."""
    return "wavelength" in roles and "flux" in roles


def medium_of_name(name: str) -> str:
    """Return the medium that a name says, or ``"unknown"``."""
    words = re.split(r"[^a-z]+", name.lower())
    if "air" in words or name.lower().endswith("air"):
        return "air"
    vacuum = any(word.startswith("vac") for word in words)
    return "vacuum" if vacuum or name.lower().endswith("vac") else "unknown"


def medium_among(fields: Sequence[Mapping[str, str]], index: int) -> str:
    """Return the medium of a column of wavelengths, by its name and its neighbours'.

    Of two columns of which one is called after air, the other is in vacuum.
    """
    said = medium_of_name(fields[index].get("name", ""))
    if said != "unknown":
        return said
    others = {
        medium_of_name(other.get("name", ""))
        for other in fields
        if role_of_name(other.get("name", ""))[0] == "wavelength"
    }
    return {"air": "vacuum", "vacuum": "air"}.get("".join(others - {"unknown"}), said)


def is_logarithm(name: str) -> bool:
    """Tell whether a name says that its values are log10."""
    return re.match(_LOG + _AXIS, name, re.IGNORECASE) is not None


def is_other_light(name: str) -> bool:
    """Tell whether an extension is called after something other than the star."""
    return _OTHERS.fullmatch(name) is not None


def find_stated(
    names: Sequence[str], columns: Sequence[str] | Mapping[str, object]
) -> dict[str, int]:
    """Find the columns that the caller named.

    Parameters
    ----------
    names : sequence of str
        Columns that there are.
    columns : sequence of str, or mapping
        Names of wavelength, flux and error; or specutils' ``column_mapping``.

    Returns
    -------
    dict
        Role to number of the column.

    Raises
    ------
    SpectrumReadError
        If there is no such column.
    """
    words = {"spectral_axis": "wavelength", "uncertainty": "sigma"}
    if isinstance(columns, Mapping):
        pairs = [
            (str(value[0] if isinstance(value, tuple | list) else value), name)
            for name, value in columns.items()
        ]
    else:
        pairs = list(zip(("wavelength", "flux", "sigma"), columns, strict=False))
    spelled = {name.lower(): n for n, name in reversed(list(enumerate(names)))}
    roles = {}
    for role, name in pairs:
        if name.lower() not in spelled:
            msg = f"there is no column {name!r}; there are {', '.join(names)}"
            raise SpectrumReadError(msg)
        roles[words.get(role, role)] = spelled[name.lower()]
    return roles
