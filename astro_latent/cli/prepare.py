# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra as a model sees them, in one FITS file."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..utils.writing import replacing
from .common import EXIT_OK, add_inputs, tell, wants_bar
from .inputs import expand_inputs
from .output import check_output

if TYPE_CHECKING:
    from astropy.io.fits import HDUList

    from ..models.config import ModelConfig
    from ..preparation import PreparedSpectra

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options of the verb."""
    add_inputs(parser)
    parser.add_argument(
        "-m", "--model", required=True, help="name or folder of weights"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="FITS file to write"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an existing output"
    )
    parser.add_argument("--radial-velocity", type=float, metavar="KM/S")
    parser.add_argument(
        "--no-progress", action="store_true", help="show no progress bar"
    )


def run(options: argparse.Namespace) -> int:
    """Prepare spectra and write flux, variance, mask, wavelengths and a row table."""
    from ..models import find_weights
    from ..models.config import ModelConfig
    from ..preparation import prepare_spectra

    check_output(options)
    config = ModelConfig.from_folder(find_weights(options.model))
    prepared = prepare_spectra(
        expand_inputs(options.inputs),
        config.grid,
        config.recipe_record,
        radial_velocity=options.radial_velocity,
        progress=wants_bar(options),
    )
    with replacing(options.output, overwrite=options.overwrite) as part:
        _hdus(prepared, config).writeto(part)
    tell(options, f"{len(prepared)} spectra -> {options.output}")
    return EXIT_OK


def _hdus(prepared: "PreparedSpectra", config: "ModelConfig") -> "HDUList":
    """Lay out a FITS file: arrays as images, what is known of each row as a table."""
    import json

    import numpy as np
    from astropy.io import fits
    from astropy.table import Table

    primary = fits.PrimaryHDU()
    primary.header["MODEL"] = (config.name, "prepared for this model")
    primary.header["MEDIUM"] = prepared.grid.medium
    primary.header["FRAME"] = prepared.grid.frame
    primary.header["RECIPE"] = json.dumps(config.recipe_record)
    rows = Table(
        {
            "obs_id": [seen.obs_id for seen in prepared.observations],
            "radial_velocity": prepared.radial_velocity,
            "radial_velocity_source": prepared.radial_velocity_source,
            "flags": prepared.flags,
            "message": [seen.message for seen in prepared.observations],
        }
    )
    return fits.HDUList(
        [
            primary,
            fits.ImageHDU(prepared.flux, name="FLUX"),
            fits.ImageHDU(prepared.variance, name="VARIANCE"),
            fits.ImageHDU((~prepared.valid).astype(np.uint8), name="MASK"),
            fits.ImageHDU(prepared.grid.wavelength, name="WAVELENGTH"),
            fits.BinTableHDU(rows, name="SPECTRA"),
        ]
    )
