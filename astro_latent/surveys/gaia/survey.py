# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Gaia RVS and XP spectra: catalogue over TAP, files by astroquery's DataLink."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from ...archives.adql import circle, number
from ...archives.base import Survey
from ...archives.files import FileRequest
from ...archives.query import QueryFilter, TimeLike
from .config import conf

__all__ = ["Gaia", "GaiaXp"]

_RENAME = {
    "designation": "target_name",
    "ra": "s_ra",
    "dec": "s_dec",
    "rvs_spec_sig_to_noise": "snr",
}
# The words changed with DR4: product -> retrieval type.
_WORDS = {
    "DR3": {"rvs": "RVS", "xp": "XP_SAMPLED", "structure": "INDIVIDUAL"},
    "DR4": {
        "rvs": "MEAN_SPECTRUM_RVS",
        "xp": "MEAN_SPECTRUM_XP",
        "structure": "DATAMODEL_STANDARD",
    },
}


class Gaia(Survey):
    """Mean spectra of the Radial Velocity Spectrometer.

    The release, and with it the words of the service, is ``conf.release``.
    """

    name = "gaia"
    title = "Gaia RVS mean spectra"
    wavelength_range = (8460.0, 8700.0)
    medium = "vacuum"
    frame = "rest"
    position_epoch = 2016.0  # ref_epoch of gaia_source, DR3
    normalisation = "continuum"
    resolving_power = 11500.0
    licence = "CC BY-SA 3.0 IGO, credit ESA/Gaia/DPAC"
    citation = "2023A&A...674A...1G"
    keys = ("source_id",)
    object_radius = 5 * u.arcsec

    #: Key of the product among the words of a release.
    product: ClassVar[str] = "rvs"
    #: Column that says whether a source has such a spectrum.
    flag: ClassVar[str] = "has_rvs"

    @property
    def url(self) -> str:
        """Address of the TAP service, below ``conf.server_url``."""
        return conf.server_url.rstrip("/") + "/tap-server/tap"

    @property
    def retrieval_type(self) -> str:
        """Word for the product in the current release."""
        return _WORDS[conf.release][self.product]

    @property
    def data_structure(self) -> str:
        """Word for one file per source in the current release."""
        return conf.data_structure or _WORDS[conf.release]["structure"]

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
        """List the sources with a spectrum in a circle; see `Survey.query_region`."""
        wanted = QueryFilter.build(snr=snr, time=time, band=band, row_limit=row_limit)
        region = circle(coordinates, radius)
        return self._run(self.adql(region, wanted), wanted.row_limit)

    def adql(self, region: str, wanted: QueryFilter) -> str:
        """Write the query for a region.

        Parameters
        ----------
        region : str
            ADQL region.
        wanted : QueryFilter
            Further conditions.

        Returns
        -------
        str
            ADQL.
        """
        if wanted.time is not None:
            msg = "Gaia's mean spectra combine all times: there is none to filter by"
            raise ValueError(msg)
        where = [
            f"{self.flag} = 't'",
            f"1 = CONTAINS(POINT('ICRS', ra, dec), {region})",
        ]
        if wanted.snr is not None:
            where.append(f"rvs_spec_sig_to_noise >= {number(wanted.snr)}")
        low, high = (end * 1e-10 for end in self.wavelength_range)
        if wanted.band is not None and (wanted.band[1] < low or wanted.band[0] > high):
            where.append("1 = 0")  # no spectrum reaches there
        top = "" if wanted.row_limit is None else f"TOP {wanted.row_limit + 1} "
        return (
            f"SELECT {top}source_id, designation, ra, dec, ref_epoch, parallax, pmra, "
            "pmdec, phot_g_mean_mag, radial_velocity, rvs_spec_sig_to_noise "
            f"FROM gaia{conf.release.lower()}.gaia_source "
            f"WHERE {' AND '.join(where)} ORDER BY phot_g_mean_mag"
        )

    def query_adql(self, adql: str, *, row_limit: int | None = None) -> Table:
        """Run ADQL as it is; see `Survey.query_adql`."""
        return self._run(adql, QueryFilter.build(row_limit=row_limit).row_limit)

    def _run(self, adql: str, limit: int | None) -> Table:
        from ...archives.dal import warn_truncated
        from ...archives.tap import TapClient

        result = TapClient(self.url).run(adql, row_limit=limit)
        table = result.table
        if result.truncated:
            warn_truncated(self.name, len(table))
        return self._shape_rows(table, query=adql)

    def _shape_rows(self, table: Table, **meta: Any) -> Table:
        ids = next((n for n in table.colnames if n.lower() == "source_id"), None)
        if ids is not None:
            low, high = self.wavelength_range
            table["obs_id"] = [self._make_identifier(source) for source in table[ids]]
            table["em_min"] = [low * 1e-10] * len(table)
            table["em_max"] = [high * 1e-10] * len(table)
            table["em_res_power"] = [self.resolving_power] * len(table)
            table["dataproduct_type"] = ["spectrum"] * len(table)
        return self._answer(table, rename=_RENAME, **meta)

    def _make_identifier(self, source: int) -> str:
        return f"Gaia-{conf.release}-{self.retrieval_type}-{int(source)}"

    def file_requests(self, table: Table) -> list[FileRequest]:
        """Name the file of each row; they are fetched many at a time."""
        ids = next((n for n in table.colnames if n.lower() == "source_id"), None)
        if ids is None:
            msg = f"the table needs a column source_id: {table.colnames}"
            raise ValueError(msg)
        url = conf.server_url.rstrip("/") + "/data-server/data"
        return [
            FileRequest(
                identifier=self._make_identifier(source), url=f"{url}?ID={source}"
            )
            for source in table[ids]
        ]

    def fetch(
        self,
        table: Table,
        directory: str | Path | None = None,
        *,
        progress: bool | None = None,
        **options: Any,
    ) -> Table:
        """Bring the spectra of a table here, many per request; see `Survey.fetch`."""
        from ...archives.files import default_directory, with_results
        from .datalink import fetch_sources

        results = fetch_sources(
            self.file_requests(table),
            Path(directory or default_directory(self.name)),
            release=f"Gaia {conf.release}",
            retrieval_type=self.retrieval_type,
            data_structure=self.data_structure,
            progress=progress,
            **options,
        )
        return with_results(table, results)


class GaiaXp(Gaia):
    """Sampled mean spectra of the blue and red photometers, 336 to 1020 nm.

    Neither the data model (DR3 documentation, 20.12.4) nor the files say whether the
    wavelengths are those of air or vacuum, and in which frame. So both are unknown, to
    the reader of these files as well; the resolving power changes along the spectrum.
    """

    name = "gaia_xp"
    title = "Gaia BP/RP sampled mean spectra"
    wavelength_range = (3360.0, 10200.0)
    medium = "unknown"
    frame = "unknown"
    normalisation = "none"
    resolving_power = np.nan
    citation = "2023A&A...674A...2D"
    product = "xp"
    models = ("gaia_xp_starnet_v1",)
    flag = "has_xp_sampled"
