# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Addresses of the Gaia archive; a mirror or a test server needs no code."""

from functools import partial

from astropy import config as _config

__all__ = ["conf"]

_item = partial(_config.ConfigItem, module="astro_latent.surveys.gaia")


class Conf(_config.ConfigNamespace):
    """Configuration parameters of `astro_latent.surveys.gaia`."""

    rootname = "astro_latent"

    server_url = _item("https://gea.esac.esa.int/", "Gaia archive (TAP and DataLink).")
    release = _item(["DR3", "DR4"], "Gaia data release, which decides the words below.")
    data_structure = _item("", "DATA_STRUCTURE word; empty: the one of the release.")


conf = Conf()
