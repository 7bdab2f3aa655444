# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Patience of the protocols, and addresses of services that belong to no survey.

The addresses of a survey stand in its folder.
"""

from functools import partial
from importlib import import_module

from astropy import config as _config

__all__ = ["conf"]

#: Addresses that stood here before there was a room for surveys: ``gaia_server_url``
#: is ``server_url`` of `astro_latent.surveys.gaia` now.
_MOVED = ("eso", "galah", "gaia", "lamost", "sdss")

# Without the module, the section of the file would be called [archives._config].
_item = partial(_config.ConfigItem, module="astro_latent.archives")


class Conf(_config.ConfigNamespace):
    """Configuration parameters of `astro_latent.archives`."""

    rootname = "astro_latent"

    download_dir = _item(
        "", "Folder for downloads; empty: the cache folder of Astropy."
    )
    n_workers = _item(8, "Files downloaded at the same time.")
    connections_per_host = _item(4, "Files downloaded at the same time from one host.")
    connect_timeout = _item(
        10.0, "Seconds to wait for a connection before trying again."
    )
    file_timeout = _item(
        1800.0, "Seconds after which one file is given up, however it trickles in."
    )
    answer_timeout = _item(
        600.0, "Seconds after which an answer is given up, however it trickles in."
    )
    max_answer_size = _item(512.0, "Megabytes of the answer to a query.")
    max_download_size = _item(2048.0, "Megabytes of one downloaded file.")
    max_pages = _item(10000, "Pages of one query after which no more are asked for.")
    allow_private_addresses = _item(
        False,
        "Let servers lead to addresses of this machine and of private networks; those "
        "of services that a call or the configuration names are allowed in any case.",
    )
    max_attempts = _item(5, "How often one request is tried.")
    give_up_after = _item(
        20, "Files in a row that a host may fail to send before it is left alone."
    )
    backoff = _item(
        1.0, "Seconds before the second attempt; doubled before each further one."
    )
    max_wait = _item(
        120.0, "Longest wait in seconds that a server may ask for with Retry-After."
    )
    page_size = _item(10000, "Rows asked for at a time when all rows are wanted.")
    upload_size = _item(
        10000, "Rows of a target list uploaded at a time in one TAP query."
    )
    box_count = _item(
        100, "Targets in one query of a TAP service that takes no uploads."
    )
    job_timeout = _item(
        600.0, "Seconds after which an asynchronous TAP job is given up."
    )
    registry_url = _item(
        "http://reg.g-vo.org/tap", "TAP service of the VO registry (RegTAP)."
    )
    xmatch_url = _item(
        "http://cdsxmatch.u-strasbg.fr/xmatch/api/v1/sync", "CDS cross-match service."
    )
    name_resolver_url = _item(
        "https://cds.unistra.fr/cgi-bin/nph-sesame/",
        "Sesame service that resolves names.",
    )

    def __setattr__(self, name: str, value: object) -> None:
        if name.startswith("_") or hasattr(type(self), name):
            super().__setattr__(name, value)
            return
        survey, _, item = name.partition("_")
        place = f"astro_latent.surveys.{survey}" if survey in _MOVED else ""
        moved = import_module(place).conf if place else None
        if not hasattr(type(moved), item):
            msg = f"astro_latent.archives has no setting {name!r}"
            raise AttributeError(msg)
        setattr(moved, item, value)


conf = Conf()
