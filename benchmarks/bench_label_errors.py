# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Labels with their full covariance from the flux errors: together, and star by star.

``python benchmarks/bench_label_errors.py`` predicts spectra of the bundled sample,
repeated, in one call and one by one, interleaved, with one and the same model. Prints
seconds of wall clock for 1,000 spectra and the ratio; the named alternative, a gradient
for each star by itself, is the way of StarNet's notebooks.
"""

import argparse
import time

import numpy as np
import torch

from astro_latent import get_survey
from astro_latent.models import load_model
from astro_latent.preparation import prepare_spectra


def main() -> None:
    """Time both ways."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="apogee_starnet_v1")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--n-spectra", type=int, default=1000)
    parser.add_argument("--n-alone", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = load_model(options.model, device=options.device)
    sample = get_survey("sample").table()
    sample = sample[sample["survey"] == "apogee"][:6]  # the seventh is noise
    rows = np.resize(np.arange(len(sample)), options.n_spectra)
    many = prepare_spectra(sample[rows], model.grid, model.recipe)
    alone = [many[row : row + 1] for row in range(len(sample))]
    together, apart = [], []
    for _ in range(options.rounds):
        start = time.perf_counter()
        result = model.predict(many)
        together.append(1000 * (time.perf_counter() - start) / options.n_spectra)
        start = time.perf_counter()
        for number in range(options.n_alone):
            model.predict(alone[number % len(alone)])
        apart.append(1000 * (time.perf_counter() - start) / options.n_alone)
    print(
        f"{options.model}, {options.device}, {options.threads} threads, covariance "
        f"{result.covariance.shape}: {np.median(together):.1f} s for 1,000 spectra "
        f"({min(together):.1f}-{max(together):.1f}), one by one "
        f"{np.median(apart):.1f} s ({min(apart):.1f}-{max(apart):.1f}), "
        f"ratio {np.median(np.divide(apart, together)):.1f}"
    )


if __name__ == "__main__":
    main()
