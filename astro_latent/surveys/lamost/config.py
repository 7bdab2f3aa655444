# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Addresses of LAMOST; a mirror or a test server needs no code."""

from functools import partial

from astropy import config as _config

__all__ = ["conf"]

_item = partial(_config.ConfigItem, module="astro_latent.surveys.lamost")


class Conf(_config.ConfigNamespace):
    """Configuration parameters of `astro_latent.surveys.lamost`."""

    rootname = "astro_latent"

    ssa_url = _item(
        "https://www.lamost.org/openapi/dr11/v2.0/lrs/voservice/ssap",
        "SSA service with LAMOST spectra.",
    )
    file_url = _item(
        "https://www.lamost.org/openapi/dr11/v2.0/lrs/spectrum/fits?obsid={obsid}",
        "Address of one LAMOST file; empty: the access_url of the SSA service.",
    )
    mrs_ssa_url = _item(
        "https://www.lamost.org/openapi/dr11/v2.0/mrs/voservice/ssap",
        "SSA service with LAMOST spectra of medium resolution.",
    )
    mrs_file_url = _item(
        "https://www.lamost.org/openapi/dr11/v2.0/mrs/spectrum/fits?obsid={obsid}",
        "Address of one LAMOST file of medium resolution; empty: as for file_url.",
    )


conf = Conf()
