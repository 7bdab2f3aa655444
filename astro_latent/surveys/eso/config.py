# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Addresses of the ESO archive; a mirror or a test server needs no code."""

from functools import partial

from astropy import config as _config

__all__ = ["conf"]

_item = partial(_config.ConfigItem, module="astro_latent.surveys.eso")


class Conf(_config.ConfigNamespace):
    """Configuration parameters of `astro_latent.surveys.eso`."""

    rootname = "astro_latent"

    tap_url = _item(
        "https://archive.eso.org/tap_obs", "TAP service of the ESO archive."
    )
    file_url = _item(
        "https://dataportal.eso.org/dataPortal/file/{dp_id}",
        "Address of one ESO file; empty: follow DataLink instead.",
    )


conf = Conf()
