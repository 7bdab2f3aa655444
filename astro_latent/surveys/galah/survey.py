# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""GALAH: HERMES spectra from Data Central, four files for each star."""

from astropy.table import Table

from ...archives.files import FileRequest
from ...archives.ssa import SsaSurvey
from .config import conf

__all__ = ["Galah"]


class Galah(SsaSurvey):
    """GALAH spectra at Data Central (Anglo-Australian Telescope, HERMES)."""

    name = "galah"
    title = "GALAH DR3, Data Central"
    # Four windows: 4713-4903, 5648-5873, 6478-6737 and 7585-7887 Å.
    wavelength_range = (4713.0, 7887.0)
    medium = "air"  # by its lines: see spectrum.py
    frame = "barycentric"
    # Of UCAC4; of 2MASS within 3 years (2017MNRAS.465.3203M).
    position_epoch = 2000.0
    normalisation = "none"
    resolving_power = 28000.0
    licence = "public; acknowledge GALAH and Data Central"
    citation = "2021MNRAS.506..150B"

    def __init__(self) -> None:
        super().__init__(COLLECTION=conf.collection)

    @property
    def url(self) -> str:
        """Address of the service: ``conf.ssa_url``."""
        return conf.ssa_url

    def file_requests(self, table: Table) -> list[FileRequest]:
        """Ask for the original files; ``access_url`` leads to an extract of them."""
        if "full_data_url" not in table.colnames:
            return super().file_requests(table)
        return [
            FileRequest(identifier=str(row["obs_id"]), url=str(row["full_data_url"]))
            for row in table
        ]
