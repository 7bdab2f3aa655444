# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Make the templates that velocities and the parts of spectra are compared with.

Run as ``python -m astro_latent.simulation.templates SURVEY SOURCE OUTPUT``. For
``apogee``, SOURCE is ``NN_normalized_spectra.npz`` of
github.com/tingyuansen/binspec_plus (MIT, trained on real APOGEE spectra); for
``harps``, the library of synthetic spectra. OUTPUT is the FITS file to write.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from astropy.io import fits
from torch.nn import functional

from ..utils.physics import SPEED_OF_LIGHT
from ..utils.writing import replacing
from .emulators import SigmoidEmulator
from .harps_library import HARPS_LABELS, HarpsLibrary
from .rotation import rotation_kernels

__all__ = ["HARPS_TEMPLATES", "LABELS", "make_harps_templates", "make_templates"]

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

#: Labels of the library, v sin i and macroturbulence (km/s) of each template.
HARPS_TEMPLATES = (
    (4400.0, 4.6, 0.0, 0.0, 0.9, 0.0, 0.0, 1.0, 2.0),
    (5100.0, 4.5, 0.0, 0.0, 0.9, 0.0, 0.0, 1.5, 2.5),
    (5800.0, 4.4, 0.0, 0.0, 1.0, 0.0, 0.0, 2.0, 3.5),
    (6500.0, 4.2, 0.0, 0.0, 1.5, 0.0, 0.0, 6.0, 5.5),
    (4700.0, 2.5, -0.1, 0.0, 1.4, 0.0, 0.0, 2.0, 4.0),
    (5600.0, 4.2, -1.4, 0.3, 1.2, 0.0, 0.0, 2.0, 3.5),
    (5900.0, 4.3, 0.0, 0.0, 1.1, 0.0, 0.0, 12.0, 4.0),
    (6700.0, 4.1, 0.0, 0.0, 1.7, 0.0, 0.0, 35.0, 6.0),
    (5500.0, 4.4, 0.45, 0.0, 1.0, 0.0, 0.0, 2.0, 3.0),
    (4700.0, 4.6, -0.7, 0.2, 0.9, 0.0, 0.0, 2.0, 2.5),
    (4900.0, 3.5, -1.8, 0.3, 1.2, 0.0, 0.0, 2.0, 3.0),
    (6000.0, 4.0, -2.2, 0.3, 1.3, 0.0, 0.0, 2.0, 3.5),
)
_LAST = 5900.0  # Angstrom: to the red of it the atmosphere absorbs
_JOINED = 2  # pixels of the library in one of the templates

_HARPS_ORIGIN = (
    "Synthetic spectra of the library that harps_dae_fast_v1 was trained on, with",
    "rotation and macroturbulence: depths of lines, 1 - flux over continuum.",
    "Rest frame, air, R = 115000, pixels of equal steps in ln(wavelength).",
)


def make_harps_templates(source: Path, output: Path) -> None:
    """Write the file of templates for HARPS.

    Parameters
    ----------
    source : path
        The ``.npz`` file of the library.
    output : path
        FITS file to write; an old one is replaced.
    """
    library = HarpsLibrary(source)
    labels = torch.tensor(HARPS_TEMPLATES, dtype=torch.float64)
    flux = library.flux(labels[:, : len(HARPS_LABELS)])
    step = library.log_step * SPEED_OF_LIGHT
    vsini, vmacro = labels[:, len(HARPS_LABELS) :].float().T
    kernels = rotation_kernels(vsini, vmacro, step=step, half=int(55.0 / step))
    half = kernels.shape[1] // 2
    padded = functional.pad(flux[None], (half, half), mode="replicate")
    flux = functional.conv1d(padded, kernels[:, None], groups=len(flux))[0]
    count = int((np.log(_LAST) - library.log_start) / library.log_step) // _JOINED
    depth = 1.0 - flux[:, : count * _JOINED].unflatten(1, (count, _JOINED)).mean(2)
    bytes_ = np.round(255.0 * depth.clamp(0.0, 1.0).numpy()).astype(np.uint8)
    image = fits.PrimaryHDU(bytes_)
    start = library.log_start + 0.5 * (_JOINED - 1) * library.log_step
    image.header["BUNIT"] = ("", "depth of the lines, in units of 1/255")
    image.header["LOGSTART"] = (start, "ln(wavelength / Angstrom) of the first pixel")
    image.header["LOGSTEP"] = (_JOINED * library.log_step, "step of ln(wavelength)")
    for line in _HARPS_ORIGIN:
        image.header["HISTORY"] = line
    with replacing(output) as part:
        image.writeto(part)


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
    parser.add_argument("survey", choices=("apogee", "harps"))
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    given = parser.parse_args(arguments)
    make = make_templates if given.survey == "apogee" else make_harps_templates
    make(given.source, given.output)


if __name__ == "__main__":
    main()
