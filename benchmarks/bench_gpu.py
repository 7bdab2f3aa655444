# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Models on a GPU: throughput, share of the card's bandwidth, memory, mixed precision.

``python benchmarks/bench_gpu.py`` runs encode, decode and predict of the bundled models
on spectra that are prepared already, at several batches, in full and in mixed
precision. It prints spectra a second (median of the rounds, 10-90 %); the share
of the card's bandwidth that reading the input and writing the output once would take,
where the bandwidth is that of copying a gigabyte in the same run; the largest memory;
and the largest difference of mixed from full precision, in units of the scatter of the
results over the spectra. Spectra are noise about one: no network here looks at them
more or less closely for what is in them. ``--device cpu`` is for trying the script.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from astro_latent.models import load_model
from astro_latent.preparation import PreparedSpectra
from astro_latent.spectra import Observation

MODELS = (
    "harps_dae_fast_v1", "harps_dae128_v1", "harps_parameters_v2", "apogee_starnet_v1",
    "apogee_starnet_abundances_v1", "lamost_starnet_v1", "gaia_xp_starnet_v1",
)  # fmt: skip


def make_spectra(model: Any, count: int) -> PreparedSpectra:
    """Make prepared spectra that are noise of one per cent about one."""
    rng, grid = np.random.default_rng(count), model.grid
    shape = (count, grid.n_pixels)
    valid = np.broadcast_to(grid.valid, shape).copy()
    flux = rng.normal(1.0, 0.01, shape).astype("f4") * valid
    return PreparedSpectra(
        flux=flux, variance=np.where(valid, 1e-4, 0).astype("f4"), valid=valid,
        scale=np.ones((count, len(grid.segments))), grid=grid, recipe=model.recipe,
        radial_velocity=np.zeros(count), radial_velocity_source=["none"] * count,
        flags=np.zeros(count, dtype="i8"),
        observations=[Observation(obs_id=str(n), snr=100.0) for n in range(count)],
    )  # fmt: skip


def verbs_of(
    model: Any, spectra: PreparedSpectra
) -> dict[str, Callable[[], np.ndarray]]:
    """Return what the model can do with these spectra, as numbers to compare."""
    verbs: dict[str, Callable[[], np.ndarray]] = {}
    if "encode" in model.capabilities:
        verbs["encode"] = lambda: model.encode(spectra).mean
        if "reconstruct" in model.capabilities:
            latents = model.encode(spectra).mean
            verbs["decode"] = lambda: model.decode(latents)
    if "predict" in model.capabilities:
        verbs["predict"] = lambda: model.predict(spectra).values
        verbs["labels only"] = lambda: model.predict(spectra, flux_errors=False).values
    return verbs


def settle(device: str) -> None:
    """Wait until the card has done all that it was given."""
    if device != "cpu":
        torch.cuda.synchronize(device)


def measure_bandwidth(device: str, size: int) -> float:
    """Bytes that a copy reads and writes in a second: the best of ten."""
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target, best = torch.empty_like(source), 0.0
    for _ in range(10):
        settle(device)
        begun = time.perf_counter()
        target.copy_(source)
        settle(device)
        best = max(best, 2 * size / (time.perf_counter() - begun))
    return best


def measure(
    device: str, verbs: dict[str, Callable[[], np.ndarray]], rounds: int
) -> dict[str, tuple[np.ndarray, np.ndarray, float]]:
    """Seconds, results, and MiB of each verb."""
    found = {}
    for name, verb in verbs.items():
        verb()  # kernels are chosen, memory is taken
        if device != "cpu":
            torch.cuda.reset_peak_memory_stats(device)
        seconds = []
        for _ in range(rounds):
            settle(device)
            begun = time.perf_counter()
            result = verb()
            settle(device)
            seconds.append(time.perf_counter() - begun)
        peak = 0.0 if device == "cpu" else torch.cuda.max_memory_allocated(device)
        found[name] = np.array(seconds), result, peak / 2**20
    return found


def report(name: str, options: argparse.Namespace, bandwidth: float) -> None:
    """Measure one model at all batches."""
    precisions = [False]
    if options.device != "cpu" and torch.cuda.is_bf16_supported():
        precisions = [False, True]
    models = {
        mixed: load_model(name, device=options.device, mixed_precision=mixed)
        for mixed in precisions
    }
    for batch in options.batches:
        spectra = make_spectra(models[False], batch)
        full: dict[str, np.ndarray] = {}
        for mixed, model in models.items():
            verbs = verbs_of(model, spectra)
            for verb, (seconds, result, peak) in measure(
                options.device, verbs, options.rounds
            ).items():
                slow, middle, fast = batch / np.quantile(seconds, (0.9, 0.5, 0.1))
                moved = 4 * (model.grid.n_pixels + result[0].size) * middle
                text = "mixed" if mixed else "full "
                note = ""
                if mixed and batch > 1:
                    scatter = np.nanstd(full[verb], axis=0) + 1e-12
                    worst = np.nanmax(np.abs(result - full[verb]) / scatter)
                    note = f", differs by {worst:.2g} of the scatter"
                full.setdefault(verb, result)
                print(
                    f"{name:28s} {verb:11s} {text} batch {batch:5d}: {middle:9.1f}/s "
                    f"({slow:.1f}-{fast:.1f}), {moved / bandwidth:.2%} of the "
                    f"bandwidth, {peak:.0f} MiB{note}",
                    flush=True,
                )


def main() -> None:
    """Measure the card, then each model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16, 256])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--copied", type=int, default=2**30, help="bytes")
    options = parser.parse_args()
    bandwidth = measure_bandwidth(options.device, options.copied)
    card = "a CPU: no figures of a card"
    if options.device != "cpu":
        card = torch.cuda.get_device_name(options.device)
    print(f"{card}; torch {torch.__version__}; a copy moves {bandwidth / 1e9:.0f} GB/s")
    for name in options.models:
        report(name, options, bandwidth)


if __name__ == "__main__":
    main()
