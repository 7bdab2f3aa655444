# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""HARPS and the other spectrographs whose reduced spectra ESO publishes (Phase 3)."""

from typing import Any, ClassVar

from astropy import units as u
from astropy.table import Table

from ...archives.files import FileRequest, estimated_bytes
from ...archives.obscore import ObsCoreSurvey
from .config import conf

__all__ = ["EsoSurvey", "Espresso", "Feros", "Harps", "Nirps", "Uves"]


class EsoSurvey(ObsCoreSurvey):
    """One collection of spectra in the ESO archive.

    Parameters
    ----------
    mode : {"sync", "async"}, optional
        How queries are run; by default at once, lists of targets as jobs.
    """

    key = "dp_id"
    keys = ("dp_id",)
    has_snr = True
    takes_uploads = False
    columns = (
        "dp_id, target_name, s_ra, s_dec, dataproduct_type, obs_collection, t_min, "
        "t_max, t_exptime, em_min, em_max, em_res_power, em_xel, snr, proposal_id, "
        "obs_release_date, obs_publisher_did, access_url, access_format, "
        "access_estsize"
    )
    medium = "air"
    frame = "barycentric"
    normalisation = "none"
    licence = "CC BY 4.0, with acknowledgement of the ESO programme IDs"
    # A J2000 position is a minute of arc off for the fastest stars by now.
    object_radius = 1 * u.arcmin

    #: ``obs_collection`` in the archive.
    eso_collection: ClassVar[str]

    def __init__(self, *, mode: str = "") -> None:
        super().__init__(collection=self.eso_collection, mode=mode)

    @property
    def url(self) -> str:
        """Base address of the TAP service: ``conf.tap_url``."""
        return conf.tap_url

    def region_condition(self, region: str) -> str:
        """Ask for observations whose field touches the region."""
        return f"INTERSECTS(s_region, {region}) = 1"

    def _rename(self, table: Table) -> dict[str, str]:
        # ESO's obs_id is the observation block; dp_id names the spectrum.
        return {"dp_id": "obs_id"} if "obs_id" not in table.colnames else {}

    def _to_common_shape(self, table: Table) -> Table:
        return super()._to_common_shape(_add_obs_id(table))

    def _answer(self, table: Table, **meta: Any) -> Table:
        return super()._answer(_add_obs_id(table), **meta)

    def file_requests(self, table: Table) -> list[FileRequest]:
        """Ask the data portal by ``dp_id``, or follow DataLink if no address is set."""
        if not conf.file_url:
            return [
                FileRequest(
                    identifier=str(row["obs_id"]),
                    url=str(row["access_url"]),
                    estimate=estimated_bytes(row),
                    datalink="content=datalink" in str(row["access_format"]),
                )
                for row in table
            ]
        return [
            FileRequest(
                identifier=str(row["obs_id"]),
                url=conf.file_url.format(dp_id=row["obs_id"]),
                estimate=estimated_bytes(row),
            )
            for row in table
        ]


def _add_obs_id(table: Table) -> Table:
    if "dp_id" in table.colnames:
        table = table.copy(copy_data=False)
        table["obs_id"] = table["dp_id"]
    return table


class Harps(EsoSurvey):
    """HARPS at the ESO 3.6 m telescope, La Silla."""

    name = "harps"
    title = "HARPS, ESO Phase 3"
    eso_collection = "HARPS"
    wavelength_range = (3781.0, 6913.0)
    resolving_power = 115000.0
    citation = "2003Msngr.114...20M"
    models = (
        "harps_parameters_v2", "harps_dae_fast_v1", "harps_dae128_v2",
        "harps_dae128_v1", "harps_parameters_v1",
    )  # fmt: skip


class Espresso(EsoSurvey):
    """ESPRESSO at the VLT, Paranal."""

    name = "espresso"
    title = "ESPRESSO, ESO Phase 3"
    eso_collection = "ESPRESSO"
    wavelength_range = (3772.0, 7900.0)
    resolving_power = 140000.0
    medium = "unknown"  # the files hold both
    citation = "2021A&A...645A..96P"


class Feros(EsoSurvey):
    """FEROS at the MPG/ESO 2.2 m telescope, La Silla."""

    name = "feros"
    title = "FEROS, ESO Phase 3"
    eso_collection = "FEROS"
    wavelength_range = (3527.0, 9216.0)
    resolving_power = 48000.0
    citation = "1999Msngr..95....8K"


class Uves(EsoSurvey):
    """UVES at the VLT, Paranal; setting and resolving power vary."""

    name = "uves"
    title = "UVES, ESO Phase 3"
    eso_collection = "UVES"
    wavelength_range = (3000.0, 11000.0)
    frame = "unknown"  # the files say it themselves
    citation = "2000SPIE.4008..534D"


class Nirps(EsoSurvey):
    """NIRPS at the ESO 3.6 m telescope, La Silla."""

    name = "nirps"
    title = "NIRPS, ESO Phase 3"
    eso_collection = "NIRPS"
    wavelength_range = (9700.0, 19000.0)
    medium = "unknown"  # the files say it themselves
    citation = "2017Msngr.169...21B"
