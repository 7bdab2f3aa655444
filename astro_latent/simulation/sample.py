# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Make the sample archive: simulated spectra in the formats of the real surveys.

Run as ``python -m astro_latent.simulation.sample`` with the paths of an emulator, of a
library and of telluric templates. Every star is invented; the index says so and holds
the true labels.
"""

import argparse
import gzip
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from ..preparation.grid import APOGEE_CHIPS, get_grid
from ..spectra.examples import write_example
from ..utils.writing import replacing
from .apogee import ApogeeConditions, observe_apogee
from .emulators import SigmoidEmulator
from .harps import HarpsSimulator
from .harps_conditions import HarpsConditions
from .harps_library import HarpsLibrary

__all__ = ["make_sample"]

# name, T_eff, log g, [Fe/H], [alpha/Fe], v_macro, S/N, what is special
_APOGEE = (
    ("Sample giant A", 4500.0, 2.0, -0.30, 0.10, 5.0, 150.0, ""),
    ("Sample giant B", 4800.0, 2.5, 0.00, 0.00, 4.5, 90.0, ""),
    ("Sample giant C", 4950.0, 2.9, -0.55, 0.20, 4.0, 30.0, ""),
    ("Sample giant D", 4750.0, 2.6, -0.15, 0.05, 4.0, 120.0, "blue chip lost"),
    ("Sample dwarf E", 5772.0, 4.44, 0.00, 0.00, 4.0, 100.0, ""),
    ("Sample dwarf F", 4700.0, 4.62, -0.10, 0.03, 3.0, 70.0, ""),
    (
        "Sample noise G",
        np.nan,
        np.nan,
        np.nan,
        np.nan,
        np.nan,
        5.0,
        "white noise, no star",
    ),
)
#: T_eff and log g of the giants on the scale of ASPCAP, on which results are; those
#: above are on that of the emulator (docs/models/starnet).
_ON_ASPCAP = {
    "Sample giant A": (4612.0, 1.82), "Sample giant B": (4887.0, 2.36),
    "Sample giant C": (4987.0, 2.74), "Sample giant D": (4843.0, 2.49),
}  # fmt: skip
# name, T_eff, log g, [M/H], [alpha/M], vmic, [C/M], [N/M], RV, v sin i, vmac, BERV, S/N
_HARPS = (
    ("Sample star H", 5772.0, 4.44, 0.0, 0.0, 1.0, 0, 0, 12.3, 2.0, 3.2, -14.0, 120.0),
    ("Sample star I", 5050.0, 4.55, -0.2, 0.05, 0.9, 0, 0, -38.6, 1.8, 2.2, 21.0, 70.0),
    ("Sample star J", 6400.0, 4.20, -0.10, 0.0, 1.5, 0, 0, 5.1, 22.0, 5.0, 3.0, 150.0),
)  # fmt: skip


def _stated(star: tuple) -> tuple:
    """Return the columns of the index from the name to the note."""
    name, teff, logg, fe_h, *_, snr, special = star
    teff, logg = _ON_ASPCAP.get(name, (teff, logg))
    return name, "apogee", snr, teff, logg, fe_h, 0.0, special


def _apogee_file(
    star: tuple, emulator: SigmoidEmulator, folder: Path, rng: np.random.Generator
) -> Path:
    name, *labels, snr, special = star
    grid = get_grid("apogee_7214")
    calm = ApogeeConditions(missing_probability=0.0, lost_chip_probability=0.0)
    known = np.isfinite(labels).all()
    clean = (
        emulator.flux(np.array([labels]))
        if known
        else np.ones((1, grid.n_pixels), np.float32)
    )
    flux, sigma, mask = observe_apogee(clean, grid, rng=rng, conditions=calm, snr=snr)
    if "lost" in special:
        first, last = grid.segments[0]
        mask[:, first:last] = True
    wavelength = get_grid("apogee_8575").wavelength
    full: dict[str, np.ndarray] = {
        "flux": np.zeros(8575, np.float32),
        "sigma": np.full(8575, 1e3, np.float32),
        "pixmask": np.ones(8575, np.int16),  # bit 0: bad pixel
    }
    parts = {"flux": 250.0 * flux[0], "sigma": 250.0 * sigma[0], "pixmask": mask[0]}
    for (a, b), (c, d) in zip(APOGEE_CHIPS["apogee_7214"], grid.segments, strict=True):
        for key, values in parts.items():
            full[key][a:b] = values[c:d]
    path = folder / f"apStar-sample-{name[-1]}.fits.gz"
    write_example(
        "apstar", path, wavelength, full["flux"], sigma=full["sigma"],
        pixmask=full["pixmask"], OBJID=name, SNR=snr, RA=_ra(name), DEC=_dec(name),
    )  # fmt: skip
    return path


def _harps_file(
    star: tuple, simulator: HarpsSimulator, folder: Path, rng: np.random.Generator
) -> Path:
    name, *labels = star[:8]
    velocity, vsini, vmacro, berv, snr = star[8:]
    one = {
        "radial_velocity": velocity, "vsini": vsini, "vmacro": vmacro, "berv": berv,
        "airmass": 1.2, "pwv": 0.8, "snr": snr, "tilt": 0.0,
    }  # fmt: skip
    conditions = HarpsConditions(
        **{key: np.array([value]) for key, value in one.items()}
    )
    flux, _ = simulator.simulate(np.array([labels]), conditions, rng=rng)
    first, last = simulator.grid.segments[0][0], simulator.grid.segments[-1][1]
    path = folder / f"harps-s1d-sample-{name[-1]}.fits"
    write_example(
        "harps_s1d", path, simulator.grid.wavelength[first:last],
        flux[0, first:last].numpy() * snr**2, OBJECT=name, RA=_ra(name),
        DEC=_dec(name), **{"ESO DRS BERV": berv},
    )  # fmt: skip
    with fits.open(path) as hdus:  # 16 bits are far below the noise, and half the size
        step = float(np.ptp(hdus[0].data)) / 64_000
        hdus[0].scale("int16", bscale=step, bzero=32_000 * step)  # 0 stays exactly 0
        packed = path.with_suffix(".fits.gz")
        with (
            replacing(packed) as part,
            part.open("wb") as raw,
            gzip.GzipFile(packed.name, "wb", fileobj=raw, mtime=0) as file,
        ):
            hdus.writeto(file)
    path.unlink()
    return packed


def _ra(name: str) -> float:
    return 10.0 * (ord(name[-1]) - ord("A"))


def _dec(name: str) -> float:
    return -5.0 * (ord(name[-1]) - ord("A"))


def make_sample(
    emulator: SigmoidEmulator,
    simulator: HarpsSimulator,
    output: str | Path,
    *,
    seed: int = 11,
) -> Table:
    """Write the sample spectra and their index.

    Parameters
    ----------
    emulator : SigmoidEmulator
        Of APOGEE spectra.
    simulator : HarpsSimulator
        Of HARPS spectra.
    output : path
        Folder to write to.
    seed : int, optional
        Seed of the noise.

    Returns
    -------
    `~astropy.table.Table`
        The index.
    """
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    rows: list[tuple] = []
    star: tuple
    for star in _APOGEE:
        path = _apogee_file(star, emulator, folder, rng)
        rows.append((path.name, *_stated(star)))
    for star in _HARPS:
        path = _harps_file(star, simulator, folder, rng)
        rows.append((path.name, star[0], "harps", star[12], *star[1:4], star[8], ""))
    index = Table(
        rows=rows,
        names=(
            "file_name", "target_name", "survey", "snr", "true_teff", "true_logg",
            "true_fe_h", "true_radial_velocity", "note",
        ),
    )  # fmt: skip
    index.add_column([name.split(".")[0] for name in index["file_name"]], 0, "obs_id")
    index["s_ra"] = [_ra(name) for name in index["target_name"]]
    index["s_dec"] = [_dec(name) for name in index["target_name"]]
    index["dataproduct_type"] = "spectrum"
    harps = index["survey"] == "harps"
    index["em_min"] = np.where(harps, 3785e-10, 15168e-10)
    index["em_max"] = np.where(harps, 6910e-10, 16937e-10)
    for column, unit in (
        ("s_ra", "deg"), ("s_dec", "deg"), ("em_min", "m"), ("em_max", "m"),
        ("true_teff", "K"), ("true_logg", "dex"), ("true_fe_h", "dex"),
        ("true_radial_velocity", "km/s"),
    ):  # fmt: skip
        index[column].unit = unit
    index.meta["comments"] = [
        "Simulated spectra of invented stars, for first steps and tests.",
        "Positions are invented. licenses/WEIGHTS.rst names the sources.",
        "T_eff and log g of giants are on the scale of ASPCAP (docs/models/starnet).",
    ]
    with replacing(folder / "index.ecsv") as part:
        index.write(part)
    return index


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, what in (
        ("emulator", "NN_normalized_spectra.npz of the APOGEE emulator"),
        ("library", "principal components of the synthetic HARPS library"),
        ("tellurics", "folder with H2O.fits and O2.fits"),
        ("output", "folder to write to"),
    ):
        parser.add_argument(f"--{name}", type=Path, required=True, help=what)
    given = parser.parse_args()
    make_sample(
        SigmoidEmulator.read(given.emulator),
        HarpsSimulator(HarpsLibrary(given.library), given.tellurics),
        given.output,
    )


if __name__ == "__main__":
    _main()
