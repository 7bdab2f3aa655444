# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Files of LAMOST's DR10 spectra, for `bench_scale`: they are kept as arrays only.

Flux, errors and masks of spectra that are no test stars go into copies of a file that
the archive wrote, with its header; gaps are those of DR10. For times, not for labels.

python benchmarks/lay_out_lamost.py --data F --like spec-*.fits --output FOLDER
"""

import argparse
from pathlib import Path

import numpy as np
from astropy.io import fits

SEED = 8


def lay_out(data: Path, like: Path, output: Path, count: int) -> None:
    """Write so many files, drawn at random."""
    path = data / "real/lamost_lrs/lamost_dr10_afg.npz"
    with np.load(path, allow_pickle=False) as arrays:
        kept = {name: arrays[name] for name in arrays.files}
    start, step = float(kept["loglam0"]), float(kept["dloglam"])
    wavelength = 10 ** (start + step * np.arange(int(kept["npix"])))
    nothing = np.zeros_like(wavelength)
    head = fits.getheader(like)
    axis = {"COEFF0": start, "COEFF1": step, "CRVAL1": start, "CD1_1": step}
    rows = np.flatnonzero(kept["obsid"] % 7 != 3)
    output.mkdir(parents=True, exist_ok=True)
    for row in np.random.default_rng(SEED).permutation(rows)[:count].tolist():
        sigma, bad = kept["err"][row].astype(float), kept["bad"][row] > 0
        flux = kept["flux_over_err_x10"][row] * sigma / 10
        good = ~bad & (sigma > 0)
        weight = np.where(good, 1 / np.where(good, sigma, 1.0) ** 2, 0.0)
        header = head.copy()
        for name, value in (axis | {"Z": float(kept["z"][row])}).items():
            header[name] = value
        image = np.array([flux, weight, wavelength, nothing, bad], "f4")
        hdu = fits.PrimaryHDU(image, header)
        hdu.writeto(output / f"spec-{row:05d}.fits", overwrite=True)


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", type=Path, required=True, help="of recipes/README.rst"
    )
    parser.add_argument("--like", type=Path, required=True, help="a file of LAMOST")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--count", type=int, default=600)
    options = parser.parse_args()
    lay_out(options.data, options.like, options.output, options.count)


if __name__ == "__main__":
    main()
