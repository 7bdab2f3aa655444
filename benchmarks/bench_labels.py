# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Labels with the errors of the flux: by the chain rule against backward passes.

Both ways are the package's own: `slopes_pay` of the network says which is taken. Each
round runs the cases in turn on the spectra of the bundled sample, so that what else the
machine does weighs on both; the ratio is taken in each round, of the processor time of
one thread. Labels are asserted to agree to 1e-5 of their errors, covariances from the
flux to 1e-5 of sigma.

``python benchmarks/bench_labels.py --rounds 9``
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from astro_latent import get_survey, load_model, prepare_spectra
from astro_latent.models import SpectralModel
from astro_latent.models.results import Parameters
from astro_latent.preparation import PreparedSpectra

MODELS = ("apogee_starnet_v1", "apogee_starnet_abundances_v1")


def compare(
    what: str, slow: Callable[[], object], fast: Callable[[], object], rounds: int
) -> None:
    """Print how much faster the second is than the first, and how sure that is."""
    seconds = np.empty((rounds, 2))
    for number in range(rounds):
        for place, function in enumerate((slow, fast)):
            start = time.process_time()
            function()
            seconds[number, place] = time.process_time() - start
    ratio = seconds[:, 0] / seconds[:, 1]
    low, middle, high = np.quantile(ratio, (0.1, 0.5, 0.9))
    print(f"{what:58s} {middle:5.2f} ({low:.2f}-{high:.2f})")


def predict_backward(model: SpectralModel, prepared: PreparedSpectra) -> Parameters:
    """Predict as a network does of which no slopes are known."""
    network = model.members[0]
    network.slopes_pay = False
    try:
        return model.predict(prepared)
    finally:
        network.slopes_pay = True


def assert_equal(one: Parameters, other: Parameters) -> None:
    """Labels and errors agree, and the flags are the same."""
    sigma = other.error
    assert np.nanmax(np.abs(one.values - other.values) / sigma) < 1e-5
    assert np.nanmax(np.abs(one.error_flux / other.error_flux - 1.0)) < 1e-5
    scale = sigma[:, :, None] * sigma[:, None]
    assert np.nanmax(np.abs(one.covariance - other.covariance) / scale) < 1e-5
    np.testing.assert_array_equal(one.flags, other.flags)


def main() -> None:
    """Compare for each bundled model of APOGEE, many spectra and one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    table = get_survey("sample").table()
    paths = [str(row["path"]) for row in table if row["survey"].startswith("apogee")]
    print("ratio of processor times, median (10-90 %) of the rounds")
    for name in MODELS:
        model = load_model(name, device="cpu")
        prepared = prepare_spectra(paths * 8, model.grid, model.recipe)
        for part in (prepared, prepared[:1]):
            assert_equal(model.predict(part), predict_backward(model, part))
            compare(
                f"{name}, {len(part.flux)} spectra: backward / chain",
                lambda: predict_backward(model, part),  # noqa: B023
                lambda: model.predict(part),  # noqa: B023
                rounds,
            )
        compare(
            f"{name}: with / without errors of the flux",
            lambda: model.predict(prepared),  # noqa: B023
            lambda: model.predict(prepared, flux_errors=False),  # noqa: B023
            rounds,
        )


if __name__ == "__main__":
    main()
