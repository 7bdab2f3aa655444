# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Make the templates that radial velocities of APOGEE spectra are measured with.

Run as ``python -m astro_latent.simulation.templates EMULATOR OUTPUT``, where
EMULATOR is ``NN_normalized_spectra.npz`` of github.com/tingyuansen/binspec_plus (MIT,
trained on real APOGEE spectra) and OUTPUT the FITS file to write.
"""

import argparse
from pathlib import Path

import numpy as np
from astropy.io import fits

from ..utils.writing import replacing
from .emulators import SigmoidEmulator

__all__ = ["LABELS", "make_templates"]

#: Teff (K), log g, [Fe/H], [Mg/Fe], macroturbulence (km/s) of each template.
LABELS = (
    (4300.0, 1.7, -0.2, 0.1, 4.0),
    (4800.0, 2.5, -0.2, 0.1, 4.0),
    (4500.0, 4.6, 0.0, 0.0, 3.0),
    (5700.0, 4.4, 0.0, 0.0, 4.0),
    (6500.0, 4.2, 0.0, 0.0, 10.0),
    (7500.0, 4.1, 0.0, 0.0, 15.0),
)

_ORIGIN = (
    "Normalised spectra of the data-driven emulator of El-Badry et al. (2018),",
    "MNRAS 473, 5043 and 476, 528: NN_normalized_spectra.npz in",
    "github.com/tingyuansen/binspec_plus, commit f78672117722.",
    "MIT licence, Copyright 2019 by Yuan-Sen Ting.",
    "Rest frame, vacuum, on the 7214 pixels of the grid apogee_7214,",
    "R = 22500.",
)


def make_templates(emulator: Path, output: Path) -> None:
    """Write the file of templates.

    Parameters
    ----------
    emulator : path
        ``NN_normalized_spectra.npz``.
    output : path
        FITS file to write; an old one is replaced.
    """
    labels = np.array(LABELS)
    image = fits.PrimaryHDU(
        SigmoidEmulator.read(emulator).flux(labels).astype(np.float32)
    )
    image.header["GRID"] = ("apogee_7214", "grid of the pixels")
    image.header["BUNIT"] = ("", "normalised flux")
    for line in _ORIGIN:
        image.header["HISTORY"] = line
    names = ("teff", "logg", "fe_h", "mg_fe", "v_macro")
    units = ("K", "", "", "", "km/s")
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column(name=name, format="E", unit=unit or None, array=labels[:, k])
            for k, (name, unit) in enumerate(zip(names, units, strict=True))
        ],
        name="LABELS",
    )
    with replacing(output) as part:
        fits.HDUList([image, table]).writeto(part)


def main(arguments: list[str] | None = None) -> None:
    """Make the templates as the command line says.

    Parameters
    ----------
    arguments : list of str, optional
        In place of the command line.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("emulator", type=Path)
    parser.add_argument("output", type=Path)
    given = parser.parse_args(arguments)
    make_templates(given.emulator, given.output)


if __name__ == "__main__":
    main()
