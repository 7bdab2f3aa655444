# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Configuration items, kept in Astropy's configuration system."""

from functools import partial
from typing import Any

from astropy import config as _config

__all__ = ["conf"]


class _Item(_config.ConfigItem):
    """An item that judges what it holds once, not each time it is asked for.

    Limits are asked for some ten times for each file.
    """

    _judged: tuple[Any, Any] = ((), None)  # what is held, and the value it stands for

    def __call__(self) -> Any:
        held = _config.get_config(self.module, rootname=self.rootname).get(self.name)
        if held is None or held is not self._judged[0]:
            self._judged = held, super().__call__()
        return self._judged[1]


# Without the module, the section of the file would be called [_config].
_item = partial(_Item, module="astro_latent")


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
    max_file_size = _item(
        2048.0, "Megabytes of a file, unpacked, above which it is not read."
    )
    max_text_size = _item(
        256.0,
        "Megabytes of a spectrum as VOTable or text, unpacked, above which it is not "
        "read.",
    )
    max_header_size = _item(
        4.0, "Megabytes of one header (FITS, ECSV) above which a file is not read."
    )
    max_unpack_ratio = _item(
        200.0,
        "How many times larger than packed a file may become, beyond 16 MB.",
    )
    max_pixels = _item(
        5_000_000, "Pixels of one spectrum above which the file is not read."
    )
    max_table_rows = _item(
        100_000_000, "Rows of a table above which the file is not read."
    )
    max_table_columns = _item(
        20_000, "Columns and parameters of a table above which the file is not read."
    )
    max_read_time = _item(
        60.0, "Seconds after which unpacking or parsing one file is given up."
    )
    show_progress = _item(False, "Show progress bars unless a call says otherwise.")

    def __repr__(self) -> str:
        items = ", ".join(f"{name}={item()!r}" for name, item in self.items())
        return f"<{self.rootname}.conf: {items}>"


conf = Conf()
