# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""LAMOST: spectra listed by SSA and fetched by ``obsid``."""

from typing import ClassVar

from astropy.table import Table

from ...archives.files import FileRequest
from ...archives.ssa import SsaSurvey
from .config import conf

__all__ = ["Lamost", "LamostMrs"]


class Lamost(SsaSurvey):
    """LAMOST low-resolution spectra (Guo Shou Jing Telescope, Xinglong)."""

    name = "lamost"
    title = "LAMOST low resolution"
    wavelength_range = (3700.0, 9100.0)
    medium = "vacuum"
    frame = "barycentric"
    # Of PPMXL (arXiv:1206.3378); of 2MASS within 3 years, of SDSS within 10
    # (arXiv:1206.3576). Files do not say from which.
    position_epoch: ClassVar[float | None] = 2000.0
    normalisation = "none"
    resolving_power = 1800.0
    licence = "public releases; acknowledge LAMOST"
    citation = "2012RAA....12.1197C"
    keys = ("obsid",)
    models: ClassVar[tuple[str, ...]] = ("lamost_starnet_v1",)

    def __init__(self) -> None:
        super().__init__()

    @property
    def url(self) -> str:
        """Address of the service: ``conf.ssa_url``."""
        return conf.ssa_url

    @property
    def file_url(self) -> str:
        """Address of one file, with a place for its ``obsid``."""
        return conf.file_url

    def _make_identifiers(self, table: Table) -> list[str]:
        obsid = _find_obsid(table)
        if obsid is None:
            return super()._make_identifiers(table)
        return [str(value) for value in table[obsid]]

    def file_requests(self, table: Table) -> list[FileRequest]:
        """Ask for each ``obsid``, or for the ``access_url`` if that is unknown."""
        obsid = _find_obsid(table)
        if obsid is None or not self.file_url:
            return super().file_requests(table)
        return [
            FileRequest(
                identifier=str(row["obs_id"]),
                url=self.file_url.format(obsid=_check_digits(row[obsid])),
            )
            for row in table
        ]


class LamostMrs(Lamost):
    """LAMOST medium-resolution spectra: a blue and a red arm in each file."""

    name = "lamost_mrs"
    title = "LAMOST medium resolution"
    wavelength_range = (4950.0, 6800.0)  # 4950-5350 and 6300-6800 Å
    resolving_power = 7500.0
    position_epoch = None  # of an input catalogue that no document of ours names
    models = ()
    citation = "2020arXiv200507210L"

    @property
    def url(self) -> str:
        """Address of the service: ``conf.mrs_ssa_url``."""
        return conf.mrs_ssa_url

    @property
    def file_url(self) -> str:
        """Address of one file: ``conf.mrs_file_url``."""
        return conf.mrs_file_url


def _find_obsid(table: Table) -> str | None:
    return next((name for name in table.colnames if name.lower() == "obsid"), None)


def _check_digits(value: object) -> str:
    text = str(value)
    if not (text.isascii() and text.isdigit()):
        msg = f"an obsid of LAMOST is a number, not {text!r}"
        raise ValueError(msg)
    return text
