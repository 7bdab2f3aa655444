# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""HARPS networks against the published layers, and the simulator, in one run.

Each round encodes and decodes the same simulated spectrum with every network in turn;
prints the medians in milliseconds for one spectrum and the ratio of the published
layers, one-dimensional convolutions with random weights, to each. Reading and
preparation are left out. With ``--data`` it also simulates spectra.

``python benchmarks/bench_harps.py --data FOLDER`` on a CPU, one thread;
``python benchmarks/bench_harps.py --data FOLDER --device cuda --batch 64`` on a GPU.
"""

import argparse
import time
from collections import defaultdict
from pathlib import Path

import _paths  # noqa: F401
import numpy as np
import torch
from torch import Tensor, nn

from astro_latent.models import load_model
from astro_latent.models.architectures.disentangled_autoencoder import (
    PUBLISHED_CHANNELS,
)
from astro_latent.simulation import HarpsConditions
from astro_latent.simulation.harps_bank import draw_harps_labels
from recipes.harps.stars import open_simulator

N_PIXELS = 327_680
NETWORKS = ("harps_dae128_v1", "harps_dae_fast_v1")


class PublishedLayers(nn.Module):
    """The layers of Sedaghat et al. (2021) as one-dimensional convolutions."""

    def __init__(self) -> None:
        super().__init__()
        widths = (1, *PUBLISHED_CHANNELS)
        down = [
            nn.Conv1d(n_in, n_out, k, stride=2, padding=(k - 1) // 2)
            for n_in, n_out, k in zip(
                widths[:-1], widths[1:], (7, 5, 5, *[3] * 11), strict=True
            )
        ]
        up = [
            nn.ConvTranspose1d(n_in, n_out, 4, stride=2, padding=1)
            for n_in, n_out in zip(widths[::-1], (*widths[-2:0:-1], 1), strict=False)
        ]
        last = widths[-1]
        self.down = _with_rectifiers(down, nn.Conv1d(last, last, 3, padding=1))
        self.nodes = nn.Linear(last * 20, 256)
        self.expand = nn.Linear(128, last * 20)
        same = nn.ConvTranspose1d(last, last, 3, padding=1)
        self.up = nn.Sequential(
            _with_rectifiers([same, *up]), nn.Conv1d(1, 1, 3, padding=1)
        )

    def encode(self, flux: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of 128 nodes."""
        mean, log_variance = (
            self.nodes(self.down(flux[:, None]).flatten(1)).chunk(2, 1)
        )  # fmt: skip
        return mean, log_variance

    def decode(self, latent: Tensor) -> Tensor:
        """Return spectra."""
        return self.up(self.expand(latent).unflatten(1, (-1, 20)))[:, 0]


def _with_rectifiers(layers: list[nn.Module], *more: nn.Module) -> nn.Sequential:
    return nn.Sequential(
        *(part for layer in (*layers, *more) for part in (layer, nn.LeakyReLU(0.1)))
    )


def clock(device: str) -> float:
    """Seconds, after all work of the device is done."""
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter()


def time_networks(device: str, batch: int, rounds: int) -> None:
    """Print milliseconds per spectrum for encoding and decoding."""
    networks: dict[str, nn.Module] = {"published layers": PublishedLayers()}
    for name in NETWORKS:
        networks[name] = load_model(name, device=device).members[0]
    label = load_model("harps_parameters_v2", device=device).members[0]
    flux = torch.rand(batch, N_PIXELS, device=device) * 0.2 + 0.9
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    for network in networks.values():
        network.to(device).eval()
    with torch.inference_mode():
        latents = {name: network.encode(flux)[0] for name, network in networks.items()}
        for _ in range(rounds):
            for name, network in networks.items():
                start = clock(device)
                network.encode(flux)
                middle = clock(device)
                network.decode(latents[name])
                seconds[name, "encode"].append(middle - start)
                seconds[name, "decode"].append(clock(device) - middle)
            start = clock(device)
            label(flux)
            seconds["harps_parameters_v2", "encode"].append(clock(device) - start)
    print(f"{device}, batch {batch}, {rounds} rounds: ms per spectrum (10-90 %), ratio")
    for (name, verb), values in seconds.items():
        low, middle, high = 1e3 / batch * np.quantile(values, (0.1, 0.5, 0.9))
        ratio = np.array(seconds["published layers", verb]) / values
        print(
            f"{name:22s} {verb}  {middle:7.2f} ({low:.2f}-{high:.2f})  "
            f"{np.median(ratio):5.2f}"
        )


def time_simulator(data: Path, device: str, batch: int, rounds: int) -> None:
    """Print how many spectra are simulated in a second."""
    simulator = open_simulator(data, device)
    catalogue = data / "harps/catalogue/HARPScat_param.csv"
    rates = []
    for number in range(rounds):
        rng = np.random.default_rng(number)
        labels = draw_harps_labels(batch, catalogue, rng=rng)
        conditions = HarpsConditions.draw(labels[:, 0], rng=rng)
        start = clock(device)
        simulator.simulate(labels, conditions, rng=rng)
        rates.append(batch / (clock(device) - start))
    print(
        f"simulator, {device}, {torch.get_num_threads()} threads, batch {batch}: "
        f"{np.median(rates):.1f} spectra/s ({np.min(rates):.1f}-{np.max(rates):.1f})"
    )


def main() -> None:
    """Time the networks, then the simulator."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the training ingredients")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    time_networks(options.device, options.batch, options.rounds)
    if options.data:
        time_simulator(options.data, options.device, max(8, options.batch), 5)


if __name__ == "__main__":
    main()
