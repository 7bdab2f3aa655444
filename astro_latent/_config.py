# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Configuration items, kept in Astropy's configuration system."""

from astropy import config as _config

__all__ = ["conf"]


class Conf(_config.ConfigNamespace):
    """Configuration parameters of `astro_latent`."""

    rootname = "astro_latent"

    row_limit = _config.ConfigItem(
        1000, "Number of rows that a query returns unless told otherwise."
    )
    timeout = _config.ConfigItem(
        60.0, "Seconds after which an unanswered request is given up."
    )
    device = _config.ConfigItem(
        "auto", "Where models run: 'auto', 'cpu', 'cuda', 'cuda:1', 'mps'."
    )
    weights_dir = _config.ConfigItem(
        "", "Folder that is searched for weights before the bundled ones."
    )
    show_progress = _config.ConfigItem(
        False, "Show progress bars unless a call says otherwise."
    )


conf = Conf()
