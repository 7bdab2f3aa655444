# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Names of stars become positions, through the Sesame service."""

from astropy.coordinates import SkyCoord, name_resolve
from astropy.utils.data import conf as data_conf

from .._config import conf as package_conf
from ..exceptions import ArchiveError
from .config import conf

__all__ = ["resolve_name"]


def resolve_name(name: str) -> SkyCoord:
    """Ask Sesame (SIMBAD, NED, VizieR) where a star is.

    Parameters
    ----------
    name : str
        Name, such as ``"HD 128621"``.

    Returns
    -------
    `~astropy.coordinates.SkyCoord`
        ICRS position, equinox and epoch J2000.

    Raises
    ------
    ArchiveError
        If the name is unknown or the service does not answer.
    """
    if not str(name).strip():
        msg = "the name of the star is empty"
        raise ValueError(msg)
    url = conf.name_resolver_url
    with (
        name_resolve.sesame_url.set([url]),
        data_conf.set_temp("remote_timeout", package_conf.timeout),
    ):
        try:
            return name_resolve.get_icrs_coordinates(name)
        except name_resolve.NameResolveError as error:
            msg = (
                f"no position was found for {name!r}: {error}. Give coordinates to "
                "query_region if the name is right"
            )
            raise ArchiveError(msg, url=url, cause=error) from error
