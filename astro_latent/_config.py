# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Configuration items, kept in Astropy's configuration system."""

from functools import partial

from astropy import config as _config

__all__ = ["conf"]

# Without the module, the section of the file would be called [_config].
_item = partial(_config.ConfigItem, module="astro_latent")


class Conf(_config.ConfigNamespace):
    """Configuration parameters of `astro_latent`."""

    rootname = "astro_latent"

    row_limit = _item(
        1000, "Number of rows that a query returns unless told otherwise."
    )
    timeout = _item(60.0, "Seconds after which an unanswered request is given up.")
    device = _item("auto", "Where models run: 'auto', 'cpu', 'cuda', 'cuda:1', 'mps'.")
    weights_dir = _item(
        "", "Folder that is searched for weights before the bundled ones."
    )
    show_progress = _item(False, "Show progress bars unless a call says otherwise.")

    def __repr__(self) -> str:
        items = ", ".join(f"{name}={item()!r}" for name, item in self.items())
        return f"<{self.rootname}.conf: {items}>"


conf = Conf()
