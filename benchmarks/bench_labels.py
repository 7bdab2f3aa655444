# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Labels with the errors of the flux: by the chain rule against backward passes.

Both ways are the package's own: backward passes are taken where no derivatives of the
first part of a network are known. Each round runs the cases in turn on the spectra of
the bundled sample, so that what else the machine does weighs on both; the ratio is
taken in each round, of the processor time of one thread. Labels and covariances are
asserted to agree to 1e-5 of their errors, errors from the flux to 1e-5, those of HARPS
to 3e-5.

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

MODELS = ("apogee_starnet_v1", "apogee_starnet_abundances_v1", "harps_parameters_v1")


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
    model.runner.slopes = lambda *_: None  # type: ignore[method-assign]
    try:
        return model.predict(prepared)
    finally:
        del model.runner.slopes


def assert_equal(one: Parameters, other: Parameters, least: float) -> None:
    """Labels and errors agree, and the flags are the same."""
    sigma = other.error
    assert np.nanmax(np.abs(one.values - other.values) / sigma) < 1e-5
    assert np.nanmax(np.abs(one.error_flux / other.error_flux - 1.0)) < least
    scale = sigma[:, :, None] * sigma[:, None]
    assert np.nanmax(np.abs(one.covariance - other.covariance) / scale) < 1e-5
    np.testing.assert_array_equal(one.flags, other.flags)


def main() -> None:
    """Compare for each bundled model of APOGEE, many spectra and one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--model", nargs="*", default=MODELS)
    options = parser.parse_args()
    rounds = options.rounds
    torch.set_num_threads(1)
    table = get_survey("sample").table()
    print("ratio of processor times, median (10-90 %) of the rounds")
    for name in options.model:
        model = load_model(name, device="cpu")
        survey = model.config.survey
        paths = [str(row["path"]) for row in table if row["survey"] == survey]
        paths *= 8 if survey == "apogee" else 1
        prepared = prepare_spectra(paths, model.grid, model.recipe)
        # passes through 327,680 pixels in single precision are themselves no better
        least = 1e-5 if survey == "apogee" else 3e-5
        for part in (prepared, prepared[:1]):
            assert_equal(model.predict(part), predict_backward(model, part), least)
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
