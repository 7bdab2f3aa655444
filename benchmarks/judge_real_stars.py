# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Labels of three real stars that are well known, from the FTS atlases and an apStar.

python benchmarks/judge_real_stars.py NAME --data FOLDER --output FILE
"""

import argparse
from pathlib import Path

import numpy as np
from astropy.table import Table

from astro_latent.models import load_model
from astro_latent.preparation import prepare_spectra
from astro_latent.spectra import Observation, SpectrumArrays, iter_arrays

LABELS = ("teff", "logg", "fe_h", "alpha_fe")

#: Ramirez & Allende Prieto 2011 for Arcturus; Berger et al. 2018 and asteroseismology.
KNOWN = {
    "Sun": (5772.0, 4.44, 0.0, 0.0),
    "Arcturus": (4286.0, 1.66, -0.52, 0.25),
    "2M19485057+5005279": (4734.0, 4.631, np.nan, np.nan),
}


def read_atlas(
    path: Path, name: str, velocity: float, resolving_power: float
) -> SpectrumArrays:
    """Read a normalised atlas in air; ``velocity`` in km/s brings it to rest."""
    wavelength, flux = np.loadtxt(path, usecols=(0, 1), unpack=True)
    order = np.argsort(wavelength)
    wavelength, flux = wavelength[order], flux[order]
    new = np.r_[True, np.diff(wavelength) > 0]
    wavelength, flux = wavelength[new] / (1.0 + velocity / 299_792.458), flux[new]
    return SpectrumArrays(
        wavelength=wavelength,
        flux=flux,
        sigma=np.full(len(wavelength), 0.005),
        mask=~np.isfinite(flux) | (flux <= 0),
        observation=Observation(
            obs_id=name, medium="air", frame="rest", radial_velocity=0.0,
            normalisation="continuum", resolving_power=resolving_power, snr=200.0,
        ),
    )  # fmt: skip


def main() -> None:
    """Predict, compare, write a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    folder = options.data / "apogee"
    atlases, dwarf = folder / "atlases", "apStar-dr17-2M19485057+5005279.fits"
    spectra = [
        read_atlas(atlases / "solar.20190819.txt", "Sun", -1.0, 3e5),
        read_atlas(atlases / "arct.20190830.txt", "Arcturus", 14.0, 1e5),
        *iter_arrays(str(folder / "spectra" / dwarf)),
    ]
    model = load_model(options.model, device="cpu")
    result = model.predict(prepare_spectra(spectra, model.grid, model.recipe))
    rows = []
    for star, (name, known) in enumerate(KNOWN.items()):
        for label, truth in zip(LABELS, known, strict=True):
            column = [output.name for output in model.outputs].index(label)
            value = float(result.values[star, column])
            error = float(result.error[star, column])
            rows.append((name, label, value, error, truth, (value - truth) / error))
    names = ("star", "label", "value", "error", "literature", "difference_over_error")
    table = Table(rows=rows, names=names)
    table.meta = {"model": model.name, "sha256": model.sha256}
    for name in names[2:]:
        table[name].format = "%.4f"
    table.write(options.output, format="ascii.ecsv", overwrite=True)


if __name__ == "__main__":
    main()
