# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Addresses of GALAH at Data Central; a mirror or a test server needs no code."""

from functools import partial

from astropy import config as _config

__all__ = ["conf"]

_item = partial(_config.ConfigItem, module="astro_latent.surveys.galah")


class Conf(_config.ConfigNamespace):
    """Configuration parameters of `astro_latent.surveys.galah`."""

    rootname = "astro_latent"

    ssa_url = _item(
        "https://datacentral.org.au/vo/ssa/query", "SSA service with GALAH spectra."
    )
    collection = _item("galah_dr3", "Collection of the GALAH release in that service.")


conf = Conf()
