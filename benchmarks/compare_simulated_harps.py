# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Simulated against real HARPS spectra of three stars, at the labels of the literature.

``python benchmarks/compare_simulated_harps.py --data FOLDER`` simulates each star
without noise and tellurics, divides simulated and real spectrum by their smooth fluxes,
brings both to rest, and writes the differences, outside of telluric bands, to
``docs/models/simulated_harps.ecsv`` and a picture beside it. Nothing is fitted but the
velocity.
"""

import argparse
from pathlib import Path
from typing import Any

import _paths  # noqa: F401
import numpy as np
import torch
from analyse_harps import TELLURIC
from astropy.table import Table
from matplotlib import pyplot as plt
from scipy.stats import median_abs_deviation

from astro_latent.models import load_model
from astro_latent.models.layers.interpolate import shift_rows
from astro_latent.preparation import prepare_spectra
from astro_latent.simulation import HarpsConditions
from recipes.harps.stars import open_simulator

OUTPUT = Path(__file__).parents[1] / "docs/models"
#: Star, file, T_eff, log g, [M/H], v_micro, v sin i, v_macro (km/s).
STARS = (
    ("Sun (day sky)", "s1d/sun01_harps_daysky.fits", 5772, 4.44, 0.0, 1.0, 1.8, 3.2),
    ("38 Vir", "s1d/HD111998*.fits", 6557, 4.18, 0.07, 1.6, 28.0, 6.0),
    ("alpha Cen B", "alpha_cen_b/*2012-03-24*.fits", 5231, 4.53, 0.22, 0.9, 1.0, 2.0),
)
PARTS = ((3800, 4400), (4400, 5300), (5340, 5860), (5990, 6850))
WINDOWS = ((5160.0, 5190.0), (6545.0, 6580.0))


def simulated(network: Any, data: Path, star: tuple) -> torch.Tensor:
    """Lines of a star as the simulator has them, at rest."""
    teff, logg, m_h, vmicro, vsini, vmacro = star[2:]
    conditions = HarpsConditions(
        radial_velocity=np.zeros(1), vsini=np.array([vsini]),
        vmacro=np.array([vmacro]), berv=np.zeros(1), airmass=np.zeros(1),
        pwv=np.zeros(1), snr=np.array([500.0]), tilt=np.zeros(1),
    )  # fmt: skip
    labels = np.array([[teff, logg, m_h, 0.0, vmicro, 0.0, 0.0]], dtype=float)
    clean = open_simulator(data).clean(labels, conditions, rng=np.random.default_rng(0))
    flux = clean.new_zeros(1, network.n_pixels)
    flux[:, network.grid.valid] = clean
    return network.flatten(flux).lines[0]


def main() -> None:
    """Compare, write the table and the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    model = load_model("harps_dae_fast_v1", device="cpu")
    network: Any = model.members[0]
    wavelength = model.grid.wavelength[model.grid.valid][0] * np.exp(
        network.grid.step / 299_792.458 * np.arange(network.grid.n)
    )
    telluric = np.zeros(len(wavelength), dtype=bool)
    for low, high in TELLURIC:
        telluric |= (wavelength > low - 2) & (wavelength < high + 2)
    rows = []
    figure, axes = plt.subplots(len(STARS), 2, figsize=(11, 7), layout="constrained")
    for star, pair in zip(STARS, axes, strict=True):
        path = sorted((options.data / "harps").glob(star[1]))[0]
        prepared = prepare_spectra([path], model.grid, model.recipe)
        with torch.inference_mode():
            ours = simulated(network, options.data, star).numpy()
            flat = network.flatten(
                torch.from_numpy(prepared.flux), torch.from_numpy(prepared.valid)
            )
            pixels = network.grid.to_pixels(network.find_velocity(flat.lines)[0])
            real = shift_rows(flat.lines, pixels)[0].numpy()
        for low, high in PARTS:
            inside = (wavelength > low) & (wavelength < high) & ~telluric
            off = (real - ours)[inside]
            rows.append(
                (star[0], f"{low}-{high}", off.std(),
                 1.4826 * median_abs_deviation(off), ours[inside].std())
            )  # fmt: skip
        for ax, (low, high) in zip(pair, WINDOWS, strict=True):
            inside = (wavelength > low) & (wavelength < high)
            ax.plot(wavelength[inside], 1 + real[inside], color="0.2", label="real")
            ax.plot(
                wavelength[inside], 1 + ours[inside], color="#d55e00", lw=0.9,
                label="simulated",
            )  # fmt: skip
            ax.plot(wavelength[inside], (real - ours)[inside], color="#0072b2", lw=0.8,
                    label="difference")  # fmt: skip
            ax.set(title=star[0], xlabel="Wavelength (Å, air)", ylabel="Flux / smooth")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=3)
    figure.savefig(OUTPUT / "simulated_harps.png", dpi=80)
    table = Table(
        rows=rows, names=("star", "range", "rms", "robust", "scatter_of_lines")
    )
    for name in table.colnames[2:]:
        table[name].format = "%.4f"
    table.pprint_all()
    table.write(OUTPUT / "simulated_harps.ecsv", format="ascii.ecsv", overwrite=True)


if __name__ == "__main__":
    main()
