# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra in any service that speaks the Simple Spectral Access protocol."""

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, Table
from astropy.time import Time

from ..exceptions import ArchiveError
from .adql import literal
from .base import Survey
from .config import conf
from .query import QueryFilter, TimeLike

if TYPE_CHECKING:
    from pyvo.dal.ssa import SSAResults

__all__ = ["SsaSurvey"]

# Roles of the SSA data model (utype, lower case, without prefix) -> ObsCore names.
_ROLES = {
    "access.reference": "access_url",
    "access.format": "access_format",
    "dataid.title": "obs_title",
    "dataid.collection": "obs_collection",
    "dataid.instrument": "instrument_name",
    "curation.publisherdid": "obs_publisher_did",
    "target.name": "target_name",
    "derived.snr": "snr",
    "char.spectralaxis.coverage.bounds.start": "em_min",
    "char.spectralaxis.coverage.bounds.stop": "em_max",
    "char.spectralaxis.respower": "em_res_power",
    "char.spectralaxis.length": "em_xel",
    "dataset.length": "em_xel",
    "char.spatialaxis.coverage.location.value.c1": "s_ra",
    "char.spatialaxis.coverage.location.value.c2": "s_dec",
    "char.timeaxis.coverage.bounds.extent": "t_exptime",
}
_POSITION = ("char.spatialaxis.coverage.location.value", "target.pos")
_MID_TIME = ("char.timeaxis.coverage.location.value",)
_SIZE = ("access.size",)


class SsaSurvey(Survey):
    """Any SSA service, by its address or by its entry in the VO registry.

    Parameters
    ----------
    url : str, optional
        Address of the service. Without it only `fetch` can be used, for rows that carry
        their ``access_url``.
    registry : str, optional
        IVOA identifier, ``"ivo://..."``, under which the registry knows the service.
    **parameters
        Further parameters that the service understands, such as ``COLLECTION="..."``.

    Examples
    --------
    >>> from astro_latent.surveys import get_survey
    >>> survey = get_survey("ssa", url="https://archive.example.org/ssa")
    >>> survey.url
    'https://archive.example.org/ssa'
    """

    name = "ssa"
    title = "Any SSA service"

    #: Parameters that every query has.
    always: ClassVar[dict[str, str]] = {}

    def __init__(self, url: str = "", *, registry: str = "", **parameters: Any) -> None:
        if url and registry:
            msg = "give either the url of the service or its registry identifier"
            raise ValueError(msg)
        self._url = self._given = url
        self._registry = registry
        self.parameters = parameters

    @property
    def url(self) -> str:
        """Address of the service, found in the registry if need be."""
        if not self._url and self._registry:
            self._url = _find_registered(self._registry)
        return self._url

    @property
    def named_url(self) -> str:
        """Address that a person named; one of the registry may lead nowhere private."""
        return self._given

    def query_region(
        self,
        coordinates: SkyCoord,
        radius: u.Quantity,
        *,
        snr: float | None = None,
        time: TimeLike | None = None,
        band: u.Quantity | None = None,
        row_limit: int | None = None,
    ) -> Table:
        """List the spectra within a circle; see `Survey.query_region`.

        SSA has no parameter for the signal-to-noise ratio: ``snr`` selects among the
        rows that the service returned, which are metadata only. Of a data set that is
        offered in several formats, the one that is read best is listed.
        """
        wanted = QueryFilter.build(snr=snr, time=time, band=band, row_limit=row_limit)
        parameters: dict[str, Any] = {
            "pos": coordinates.icrs,
            "diameter": 2 * u.Quantity(radius),
        }
        return self._search(parameters, wanted)

    def query_target(self, name: str, **filters: Any) -> Table:
        """List the spectra whose target has this very name, without a name service.

        Parameters
        ----------
        name : str
            Name as the service spells it (parameter TARGETNAME).
        **filters
            As for `query_region`.

        Returns
        -------
        `~astropy.table.Table`
            As for `query_region`.
        """
        return self._search({"TARGETNAME": name}, QueryFilter.build(**filters))

    def _search(self, parameters: dict[str, Any], wanted: QueryFilter) -> Table:
        from .dal import overflowed, warn_truncated

        if wanted.band is not None:
            parameters["band"] = wanted.band * u.m
        if wanted.time is not None:
            parameters["time"] = Time(wanted.time, format="mjd")
        if wanted.row_limit is not None:
            parameters["MAXREC"] = wanted.row_limit + 1
        results = self._ask({**self.always, **self.parameters, **parameters})
        table = self._to_obscore(results)
        truncated = overflowed(results)
        if wanted.row_limit is not None and len(results) > wanted.row_limit:
            # what is listed in several formats was counted once for each
            table, truncated = table[: wanted.row_limit], True
        if truncated:
            warn_truncated(self.name, len(table))
        if wanted.snr is not None:
            table = table[table["snr"] >= wanted.snr]
        return self._answer(table, url=self.url)

    def _ask(self, parameters: dict[str, Any]) -> Any:
        from pyvo.dal import SSAService

        from .dal import call, without_overflow_warning
        from .hosts import trust
        from .http import check_scheme, make_session

        if not self.url:
            msg = f"{self.name} needs an address: get_survey({self.name!r}, url=...)"
            raise ValueError(msg)
        trust(self.named_url)
        check_scheme(self.url)
        with make_session() as session:
            service = SSAService(self.url, session=session)
            return call(
                lambda: without_overflow_warning(lambda: service.search(**parameters)),
                url=self.url,
            )

    def _to_obscore(self, results: "SSAResults") -> Table:
        """Columns by their role in the data model, whatever the service calls them."""
        from .choices import choose_formats
        from .obscore_columns import to_obscore

        table, roles = results.to_table(), _find_roles(results)
        _add_position(table, roles)  # arrays are doubles, their parts often floats
        for role, name in _ROLES.items():
            if role in roles and name not in table.colnames:
                table[name] = table[roles[role]]
        _add_times(table, roles)
        for role in _SIZE:
            column = table[roles[role]] if role in roles else None
            if column is not None and column.unit is not None:  # else nobody knows
                table["access_estsize"] = column
        if "obs_id" not in table.colnames:
            table["obs_id"] = self._make_identifiers(table)
        table["dataproduct_type"] = ["spectrum"] * len(table)
        return choose_formats(to_obscore(table, survey=self.name))

    def _make_identifiers(self, table: Table) -> list[str]:
        for name in ("obs_publisher_did", "access_url"):
            if name in table.colnames:
                return [str(value) for value in table[name]]
        msg = (
            f"the service lists spectra without identifier or address: {table.colnames}"
        )
        raise ArchiveError(msg, url=self.url)


def _find_roles(results: "SSAResults") -> dict[str, str]:
    """Role -> name of the column, for all columns that have a utype."""
    roles: dict[str, str] = {}
    for name in results.fieldnames:
        utype = str(results.getdesc(name).utype or "").lower()
        role = utype.rpartition(":")[2].removeprefix("spectrum.")
        if role:
            roles.setdefault(role, name)
    return roles


def _add_position(table: Table, roles: dict[str, str]) -> None:
    """Split positions that come as one array."""
    if "s_ra" in table.colnames and "s_dec" in table.colnames:
        return
    for role in _POSITION:
        if role not in roles:
            continue
        pairs = [np.ma.filled(pair, np.nan) for pair in table[roles[role]]]
        for number, name in enumerate(("s_ra", "s_dec")):
            values = [
                float(pair[number]) if np.size(pair) == 2 else np.nan for pair in pairs
            ]
            table[name] = Column(values, unit=u.deg)
        return


def _add_times(table: Table, roles: dict[str, str]) -> None:
    """Start and end from the middle of the exposure and its length."""
    role = next((role for role in _MID_TIME if role in roles), None)
    if role is None or "t_min" in table.colnames:
        return
    middle: Any = np.ma.filled(np.ma.asarray(table[roles[role]], dtype=float), np.nan)
    half = np.zeros(len(table))
    if "t_exptime" in table.colnames:
        length: Any = np.ma.filled(
            np.ma.asarray(table["t_exptime"], dtype=float), np.nan
        )
        half = np.where(np.isfinite(length), length, 0.0) / 2 / 86400
    table["t_min"] = Column(middle - half, unit=u.day)
    table["t_max"] = Column(middle + half, unit=u.day)


def _find_registered(name: str) -> str:
    """Address of the SSA service of a registry entry (RegTAP, section 8)."""
    from .tap import TapClient

    adql = (
        "SELECT access_url FROM rr.capability NATURAL JOIN rr.interface WHERE "
        f"ivoid = {literal(name.lower())} AND intf_role = 'std' AND "
        "standard_id LIKE 'ivo://ivoa.net/std/ssa%'"
    )
    table = TapClient(conf.registry_url).run(adql).table
    if not len(table):
        msg = f"the registry knows no SSA service {name!r}"
        raise ArchiveError(msg, url=conf.registry_url)
    return str(table["access_url"][0]).strip()
