# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Addresses of SDSS; a mirror or a test server needs no code."""

from functools import partial

from astropy import config as _config

__all__ = ["conf"]

_item = partial(_config.ConfigItem, module="astro_latent.surveys.sdss")


class Conf(_config.ConfigNamespace):
    """Configuration parameters of `astro_latent.surveys.sdss`."""

    rootname = "astro_latent"

    skyserver_url = _item("https://skyserver.sdss.org", "SkyServer (CAS) of SDSS.")
    sas_url = _item("https://data.sdss.org/sas", "Science Archive Server of SDSS.")
    astra_version = _item(
        "0.6.0", "Version of the SDSS-V pipeline in the names of mwmStar files."
    )


conf = Conf()
