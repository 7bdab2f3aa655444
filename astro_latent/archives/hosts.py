# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Which hosts may be asked: those of the world, and those that a person named."""

import ipaddress
from urllib.parse import urlsplit

from ..exceptions import ArchiveError
from .config import conf

__all__ = ["check_host", "trust"]

_TRUSTED: set[tuple[str, int]] = set()
_PORTS = {"http": 80, "https": 443}


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme, 0)


def trust(url: str) -> None:
    """Note that a person, not a server, has named this host.

    Parameters
    ----------
    url : str
        Address of a service, from the configuration or from a call. It, and the files
        that it lists on the same host and port, may lie in a private network.
    """
    if url:
        _TRUSTED.add(_host_and_port(url))


def check_host(host: str, port: int, address: str) -> None:
    """Refuse addresses that only this machine or its own network can reach.

    Parameters
    ----------
    host, port : str, int
        What was asked for.
    address : str
        Internet address that the host has; what is no address passes.

    Raises
    ------
    ArchiveError
        If it is private, loopback, link-local or reserved, unless a person named the
        host or ``conf.allow_private_addresses`` is set.
    """
    try:
        found = ipaddress.ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return
    found = getattr(found, "ipv4_mapped", None) or found
    if found.is_global and not found.is_multicast:
        return
    if conf.allow_private_addresses or (host.lower(), port) in _TRUSTED:
        return
    msg = (
        f"{host}:{port} is {found}, an address of this machine or of a private "
        "network, to which servers must not lead; if it is meant, set "
        "astro_latent.archives.conf.allow_private_addresses"
    )
    raise ArchiveError(msg)
