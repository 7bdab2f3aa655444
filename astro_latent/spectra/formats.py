# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The table of file formats, and finding out which one a file has.

A format is one file of this folder and one line here. Other distributions add
theirs through the entry-point group ``astro_latent.formats``, each pointing to a
`Format`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..utils._registry import LazyRegistry
from ._fits import FitsFile
from ._votable import VotableFile
from .observation import SpectrumArrays

__all__ = ["FORMATS", "Format", "identify_format"]


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


_GENERAL = ("sdm_fits", "sdm_votable", "wcs1d")

#: Formats in the order in which they are tried; the general ones come last.
FORMATS = LazyRegistry(
    "spectrum format",
    {
        "aspcapstar": "astro_latent.spectra.aspcap_star:ASPCAP_STAR",
        "apstar": "astro_latent.spectra.apogee_star:APOGEE_STAR",
        "apvisit": "astro_latent.spectra.apogee_visit:APOGEE_VISIT",
        "eso_phase3": "astro_latent.spectra.phase3:PHASE3",
        "harps_s1d": "astro_latent.spectra.harps_s1d:HARPS_S1D",
        "lamost_lrs": "astro_latent.spectra.lamost:LAMOST_LRS",
        "sdss_spec": "astro_latent.spectra.sdss_spec:SDSS_SPEC",
        "galah": "astro_latent.spectra.galah:GALAH_SPECTRUM",
        "gaia": "astro_latent.spectra.gaia:GAIA_SPECTRUM",
        "sdm_fits": "astro_latent.spectra.sdm_fits:SDM_FITS",
        "sdm_votable": "astro_latent.spectra.sdm_votable:SDM_VOTABLE",
        "wcs1d": "astro_latent.spectra.wcs1d:WCS1D",
    },
    group="astro_latent.formats",
)


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
    names = sorted(FORMATS, key=_GENERAL.__contains__)  # also after those of others
    return next((name for name in names if FORMATS[name].matches(file)), None)
