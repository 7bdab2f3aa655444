# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Processor time of a frame of the explorer: a label moved, decoded, drawn, encoded.

``python benchmarks/bench_explorer.py`` moves the velocity of a bundled HARPS spectrum
in a window of 30 Ångström, for each autoencoder, as a front end would have it.
"""

import argparse
import time

import numpy as np

import astro_latent as al
from astro_latent.notebook import explore


def frames(name: str, count: int) -> np.ndarray:
    """Milliseconds of processor time of each frame."""
    sample = al.get_survey("sample").table()
    harps = sample[sample["survey"] == "harps"]
    table = al.encode_spectra(harps, model=name, progress=False)
    explorer = explore(name, table, spectra=harps, window=(5160.0, 5190.0))
    # what ipympl does when a browser has opened the picture
    explorer.spectrum_panel.figure.canvas.syncing_data_url = False
    slider = explorer.controls.sliders["radial_velocity"]
    spent = []
    for change in np.linspace(-20.0, 20.0, count):
        start = time.process_time()
        slider.value = change
        spent.append(1e3 * (time.process_time() - start))
    return np.array(spent)


def main() -> None:
    """Print the median and the 95th percentile."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=100)
    options = parser.parse_args()
    for name in ("harps_dae_fast_v1", "harps_dae128_v1", "harps_dae128_v2"):
        spent = frames(name, options.frames)
        middle, late = np.percentile(spent, (50, 95))
        print(f"{name}: {middle:.1f} ms, 95 of 100 below {late:.1f} ms")


if __name__ == "__main__":
    main()
