# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What is known about spectra: medium, frame, signal-to-noise, flags."""

import argparse
import math
from typing import TYPE_CHECKING

from .common import (
    EXIT_FAILED,
    EXIT_OK,
    add_columns,
    add_inputs,
    complain,
    told_to_readers,
)
from .inputs import expand_inputs, find_missing
from .show import show_table

if TYPE_CHECKING:
    from ..spectra.observation import SpectrumArrays

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options of the verb."""
    add_inputs(parser)
    add_columns(parser)
    parser.add_argument("--visits", action="store_true", help="one row for each visit")


def run(options: argparse.Namespace) -> int:
    """Read spectra and print one row for each."""
    from astropy.table import Table

    from ..spectra import iter_arrays

    kinds = told_to_readers(options) | ({"visits": True} if options.visits else {})
    rows, unread = [], []
    inputs = expand_inputs(options.inputs)
    for arrays in iter_arrays(inputs, **kinds):
        rows.append(_row(arrays))
        if not len(arrays.wavelength):
            unread.append(arrays.observation.message)
    show_table(Table(rows))
    for message in unread:
        complain(message)
    nothing = len(unread) == len(rows)
    return EXIT_FAILED if nothing or find_missing(inputs) else EXIT_OK


def _row(arrays: "SpectrumArrays") -> dict[str, object]:
    """Sum up one spectrum."""
    from ..spectra import decode_flags

    seen = arrays.observation
    ends = (
        arrays.wavelength[[0, -1]] if len(arrays.wavelength) else (math.nan, math.nan)
    )
    return {
        "obs_id": seen.obs_id,
        "target_name": seen.target_name,
        "survey": seen.survey,
        "pixels": len(arrays.wavelength),
        "from (A)": f"{ends[0]:.1f}",
        "to (A)": f"{ends[1]:.1f}",
        "medium": seen.medium,
        "frame": seen.frame,
        "normalised": seen.normalisation,
        "R": f"{seen.resolving_power:.0f}",
        "snr": f"{seen.snr:.1f}",
        "noise": seen.noise,
        "rv (km/s)": f"{seen.radial_velocity:.2f}",
        "flags": ",".join(decode_flags(seen.flags)) or "-",
    }
