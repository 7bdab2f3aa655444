# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""APOGEE: catalogue from the SDSS database, spectra from the Science Archive Server."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Row, Table

from ...archives.adql import number
from ...archives.base import Survey
from ...archives.files import FileRequest
from ...archives.query import QueryFilter, TimeLike
from ...exceptions import ArchiveError, UnsupportedQueryError
from ..sdss.config import conf
from ..sdss.sql import name_literal, sky_condition

__all__ = ["PRODUCTS", "Apogee"]

#: Kinds of file: combined spectrum, normalised one with its best fit, single visit,
#: and what SDSS-V has of a star, combined or visit by visit.
PRODUCTS = ("apStar", "aspcapStar", "apVisit", "mwmStar", "mwmVisit")

_RENAME = {
    "ra": "s_ra",
    "dec": "s_dec",
    "apogee_id": "target_name",
    "vhelio": "radial_velocity",
}
_STAR = (
    "s.apstar_id, s.apogee_id, s.telescope, s.field, s.ra, s.dec, s.snr, s.nvisits, "
    "s.starflag, s.vhelio_avg AS vhelio, a.teff, a.teff_err, a.logg, a.logg_err, "
    "a.m_h, a.m_h_err, a.aspcapflag"
)
_VISIT = (
    "s.visit_id, s.apogee_id, s.telescope, s.field, s.plate, s.mjd, s.fiberid, s.ra, "
    "s.dec, s.snr, s.starflag, s.vhelio"
)
_WORD = re.compile(r"[A-Za-z0-9+_.-]+")


class Apogee(Survey):
    """APOGEE spectra of SDSS DR17, and mwmStar files of SDSS-V.

    The facts are those of apStar: aspcapStar is normalised, apVisit not at rest.

    Parameters
    ----------
    product : {"apStar", "aspcapStar", "apVisit", "mwmStar"}, optional
        Kind of file. For mwmStar there is no query: give `fetch` a table with
        ``sdss_id``.

    Examples
    --------
    >>> from astropy.table import Row, Table
    >>> from astro_latent.surveys import get_survey
    >>> apogee = get_survey("apogee", product="aspcapStar")
    >>> row = Table(
    ...     {
    ...         "apogee_id": ["2M03174068-7748459"],
    ...         "telescope": ["lco25m"],
    ...         "field": ["293-37-C"],
    ...     }
    ... )
    >>> apogee.file_requests(row)[0].url.rpartition("/")[2]
    'aspcapStar-dr17-2M03174068-7748459.fits'
    """

    name = "apogee"
    title = "APOGEE, SDSS DR17 and DR19"
    wavelength_range = (15100.8, 16999.8)
    medium = "vacuum"
    frame = "rest"
    # RA and DEC are those of the 2MASS name, seen 1997.4 to 2001.2 (VizieR II/246).
    position_epoch = 2000.0
    normalisation = "none"
    resolving_power = 22500.0
    licence = "public; acknowledge SDSS"
    citation = "2022ApJS..259...35A"
    keys = ("apogee_id", "telescope", "field")
    models = ("apogee_starnet_v1", "apogee_starnet_abundances_v1")

    def __init__(self, *, product: str = "apStar") -> None:
        if product not in PRODUCTS:
            msg = f"product must be one of {PRODUCTS}, not {product!r}"
            raise ValueError(msg)
        self.product = product

    @property
    def url(self) -> str:
        """Address of the SkyServer: ``conf.skyserver_url``."""
        return conf.skyserver_url

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
        """List the spectra within a circle; see `Survey.query_region`."""
        wanted = QueryFilter.build(snr=snr, time=time, band=band, row_limit=row_limit)
        where = sky_condition(coordinates, radius, prefix="s.")
        return self.query_adql(self.sql(where, wanted), row_limit=row_limit)

    def query_object(
        self, name: str, *, radius: u.Quantity | None = None, **filters: Any
    ) -> Table:
        """List the spectra of a star; an APOGEE ID is looked up without name service.

        Parameters
        ----------
        name : str
            Name that Sesame knows, or APOGEE ID such as ``"2M03174068-7748459"``.
        radius : `~astropy.units.Quantity` ['angle'], optional
            Radius around the position of the star.
        **filters
            As for `query_region`.

        Returns
        -------
        `~astropy.table.Table`
            As for `query_region`.
        """
        if radius is None and re.fullmatch(r"(2M|AP|VB)\d{8}[+-]\d{7}\w*", name):
            wanted = QueryFilter.build(**filters)
            sql = self.sql(f"s.apogee_id = {name_literal(name)}", wanted)
            return self.query_adql(sql, row_limit=filters.get("row_limit"))
        return super().query_object(name, radius=radius, **filters)

    def sql(self, where: str, wanted: QueryFilter) -> str:
        """Write the query for a condition.

        Parameters
        ----------
        where : str
            Condition on the table ``s``.
        wanted : QueryFilter
            Further conditions.

        Returns
        -------
        str
            Transact-SQL.
        """
        if self.product in ("mwmStar", "mwmVisit"):
            msg = f"{self.product} files are fetched by sdss_id: give it in a table"
            raise UnsupportedQueryError(msg)
        every = [where, *self._write_conditions(wanted)]
        if self.product == "apVisit":
            columns, source = _VISIT, "apogeeVisit AS s"
        else:
            columns = _STAR
            source = (
                "apogeeStar AS s LEFT JOIN aspcapStar AS a ON a.apstar_id = s.apstar_id"
            )
        top = "" if wanted.row_limit is None else f"TOP {wanted.row_limit + 1} "
        return (
            f"SELECT {top}{columns} FROM {source} WHERE {' AND '.join(every)} "
            "ORDER BY s.snr DESC"
        )

    def _write_conditions(self, wanted: QueryFilter) -> list[str]:
        out = []
        if wanted.snr is not None:
            out.append(f"s.snr >= {number(wanted.snr)}")
        if wanted.time is not None:
            if self.product != "apVisit":
                msg = (
                    f"{self.product} combines visits: only product='apVisit' has times"
                )
                raise ValueError(msg)
            first, last = wanted.time
            out.append(f"s.mjd BETWEEN {number(first - 1)} AND {number(last + 1)}")
        low, high = (end * 1e-10 for end in self.wavelength_range)
        if wanted.band is not None and (wanted.band[1] < low or wanted.band[0] > high):
            out.append("1 = 0")  # no APOGEE spectrum reaches there
        return out

    def query_adql(self, adql: str, *, row_limit: int | None = None) -> Table:
        """Run Transact-SQL in the SDSS database, as it is; see `Survey.query_adql`."""
        from ...archives.dal import warn_truncated
        from ..sdss.cas import query_cas

        limit = QueryFilter.build(row_limit=row_limit).row_limit
        table = query_cas(adql, release=17)
        if limit is not None and len(table) > limit:
            table = table[:limit]
            warn_truncated(self.name, limit)
        return self._answer(self._describe(table), rename=_RENAME, query=adql)

    def _shape_rows(self, table: Table) -> Table:
        return self._answer(self._describe(table), rename=_RENAME)

    def _describe(self, table: Table) -> Table:
        """Add units, which the database does not send, identifiers and addresses."""
        units = {"ra": "deg", "dec": "deg", "vhelio": "km/s", "teff": "K"}
        for name, unit in units.items():
            if name in table.colnames:
                table[name].unit = unit
        if {"apogee_id", "telescope", "field"} <= set(table.colnames):
            requests = self.file_requests(table)
            table["obs_id"] = [request.identifier for request in requests]
            table["access_url"] = [request.url for request in requests]
            table["dataproduct_type"] = ["spectrum"] * len(table)
            low, high = self.wavelength_range
            table["em_min"] = [low * 1e-10] * len(table)
            table["em_max"] = [high * 1e-10] * len(table)
            table["em_res_power"] = [self.resolving_power] * len(table)
        return table

    def file_requests(self, table: Table) -> list[FileRequest]:
        """Build the address of each file from its place in the archive."""
        builders: dict[str, Callable[[Row], tuple[str, str]]] = {
            "apStar": _ap_star,
            "aspcapStar": _aspcap_star,
            "apVisit": _ap_visit,
            "mwmStar": partial(_mwm, kind="Star"),
            "mwmVisit": partial(_mwm, kind="Visit"),
        }
        build = builders[self.product]
        return [
            FileRequest(identifier=identifier, url=f"{conf.sas_url}/{path}")
            for identifier, path in (build(row) for row in table)
        ]


def _read_word(row: Row, *names: str) -> str:
    """Value that goes into an address: one word, so that it cannot lead elsewhere."""
    name = next((name for name in names if name in row.colnames), None)
    text = "" if name is None else str(row[name]).strip()
    if not _WORD.fullmatch(text) or set(text) == {"."}:
        msg = f"the row needs {' or '.join(names)} to find the file, not {text!r}"
        raise ArchiveError(msg)
    return text


def _read_place(row: Row) -> tuple[str, str, str]:
    star = _read_word(row, "apogee_id", "target_name")
    return _read_word(row, "telescope"), _read_word(row, "field"), star


def _ap_star(row: Row) -> tuple[str, str]:
    telescope, field, star = _read_place(row)
    kind = "asStar" if telescope == "lco25m" else "apStar"
    path = f"dr17/apogee/spectro/redux/dr17/stars/{telescope}/{field}"
    name = f"{kind}-dr17-{star}"
    return f"{name}-{telescope}-{field}", f"{path}/{name}.fits"


def _aspcap_star(row: Row) -> tuple[str, str]:
    telescope, field, star = _read_place(row)
    path = f"dr17/apogee/spectro/aspcap/dr17/synspec_rev1/{telescope}/{field}"
    name = f"aspcapStar-dr17-{star}"
    return f"{name}-{telescope}-{field}", f"{path}/{name}.fits"


def _ap_visit(row: Row) -> tuple[str, str]:
    telescope, field, _ = _read_place(row)
    plate, mjd, fiber = _read_word(row, "plate"), int(row["mjd"]), int(row["fiberid"])
    kind = "asVisit" if telescope == "lco25m" else "apVisit"
    path = f"dr17/apogee/spectro/redux/dr17/visit/{telescope}/{field}/{plate}/{mjd}"
    name = f"{kind}-dr17-{plate}-{mjd}-{fiber:03d}"
    return f"{name}-{telescope}-{field}", f"{path}/{name}.fits"


def _mwm(row: Row, *, kind: str) -> tuple[str, str]:
    number_ = int(_read_word(row, "sdss_id"))
    version = conf.astra_version
    groups = f"{number_ // 100 % 100:02d}/{number_ % 100:02d}"
    name, folder = f"mwm{kind}-{version}-{number_}", kind.lower()
    return name, f"dr19/spectro/astra/{version}/spectra/{folder}/{groups}/{name}.fits"
