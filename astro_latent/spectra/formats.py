# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The table of file formats, and finding out which one a file has.

The formats of a survey stand in its folder. Other distributions add through
the entry-point group ``astro_latent.formats``, each pointing to a `Format`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ..utils.registry import LazyRegistry
from .fits import FitsFile
from .observation import SpectrumArrays
from .votable import VotableFile

__all__ = ["FORMATS", "Format", "gather_surveys", "identify_format"]


@dataclass(frozen=True, kw_only=True)
class Format:
    """How files of one kind are told from others, and read.

    Parameters
    ----------
    name : str
        Name for ``format=``.
    title : str
        What it is, for people.
    identify : callable
        ``identify(file) -> bool``; looks at headers only. It is given files of the
        right container.
    read : callable
        ``read(file, **options) -> list of SpectrumArrays``. The file may be damaged or
        hold nothing of the kind: then `~astro_latent.exceptions.SpectrumReadError`.
    options : tuple of str, optional
        Keyword arguments that ``read`` takes.
    priority : int, optional
        Among specutils' loaders: theirs have at most 20.
    container : {"fits", "votable"}, optional
        What the files are: a `FitsFile` or a `VotableFile` is given to ``identify``
        and ``read``.
    """

    name: str
    title: str
    identify: Callable[[Any], bool]
    read: Callable[..., list[SpectrumArrays]]
    options: tuple[str, ...] = ()
    priority: int = 30
    container: str = "fits"

    def matches(self, file: "FitsFile | VotableFile") -> bool:
        """Tell whether a file has this format.

        Parameters
        ----------
        file : FitsFile or VotableFile
            The open file.

        Returns
        -------
        bool
            True if it has.
        """
        return file.container == self.container and self.identify(file)


#: Formats of no survey in particular; they are tried last.
GENERAL = {
    "sdm_fits": "astro_latent.spectra.sdm_fits:SDM_FITS",
    "sdm_votable": "astro_latent.spectra.sdm_votable:SDM_VOTABLE",
    "wcs1d": "astro_latent.spectra.wcs1d:WCS1D",
}


def gather_surveys(table: str) -> dict[str, str]:
    """Join a table of the folders of surveys; see `astro_latent.surveys.gather`.

    Parameters
    ----------
    table : {"FORMATS", "EXAMPLES"}
        Name of the table.

    Returns
    -------
    dict
        Name to ``"module:attribute"``.
    """
    # By name, as other distributions do it: the surveys build on this room.
    return import_module("astro_latent.surveys").gather(table)


def _all_formats() -> dict[str, str]:
    return gather_surveys("FORMATS") | GENERAL


#: Formats in the order in which they are tried.
FORMATS = LazyRegistry("spectrum format", _all_formats, group="astro_latent.formats")


def identify_format(file: "FitsFile | VotableFile") -> str | None:
    """Find out the format of a file.

    Parameters
    ----------
    file : FitsFile or VotableFile
        The open file.

    Returns
    -------
    str or None
        Name of the format; None if it is none of `FORMATS`.
    """
    names = sorted(FORMATS, key=GENERAL.__contains__)  # also after those of others
    return next((name for name in names if FORMATS[name].matches(file)), None)
