# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The sample archive that comes with the package: spectra without a network."""

from pathlib import Path

from astropy.table import Table

from ...exceptions import ArchiveError
from ..local.survey import LocalSurvey

__all__ = ["SampleSurvey"]


class SampleSurvey(LocalSurvey):
    """Bundled spectra, listed in ``index.ecsv``, for first steps and for tests.

    Parameters
    ----------
    folder : path-like, optional
        Another folder with an ``index.ecsv``, instead of the bundled one.
    """

    name = "sample"
    title = "Sample spectra bundled with the package"
    licence = "stated per file in the index"

    def __init__(self, folder: str | Path | None = None) -> None:
        super().__init__()
        self._folder = Path(folder) if folder else Path(__file__).parent / "data"

    def table(self) -> Table:
        """List every sample spectrum; see `LocalSurvey.table`."""
        index = self._folder / "index.ecsv"
        if not index.is_file():
            msg = f"the sample archive has no index: {index} is missing"
            raise ArchiveError(msg)
        table = self._list_table(Table.read(index), self._folder.resolve())
        for path in table["path"]:
            if not Path(path).resolve().is_relative_to(self._folder.resolve()):
                msg = f"the index names a file outside the sample folder: {path}"
                raise ArchiveError(msg)
        return table
