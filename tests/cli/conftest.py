# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tiny models under the names of the bundled ones, and a folder of spectra."""

import pytest

from astro_latent import conf, get_survey
from astro_latent.preparation import APOGEE_RECIPE, HARPS_RECIPE, get_grid

HARPS_GRID = {
    "name": "tiny_harps", "spacing": "linear", "start": 5150.0, "step": 0.05,
    "n_pixels": 20_480, "medium": "air", "frame": "barycentric",
    "segments": [[100, 2900], [3800, 20_380]], "resolving_power": 115_000.0,
}  # fmt: skip


def make_config(name, survey, architecture, **more):
    return {
        "name": name,
        "version": "1",
        "title": f"Random weights for {survey}",
        "description": "Says nothing about stars.",
        "survey": survey,
        "architecture": architecture,
        "licence": "BSD-3-Clause",
        "citation": "None.",
        **more,
    }


@pytest.fixture(scope="session")
def weights_root(tmp_path_factory):
    """Folder with two sets of random weights, as small as the grids allow."""
    import torch

    from astro_latent.models import save_weights
    from astro_latent.models.architectures.disentangled_autoencoder import (
        DisentangledAutoencoder,
    )
    from astro_latent.models.architectures.starnet import StarNet

    root = tmp_path_factory.mktemp("weights")
    torch.manual_seed(1)
    shape = {"n_labels": 3, "n_filters": [1, 1], "n_hidden": [4, 4]}
    labels = [
        {"name": "teff", "unit": "K", "scale": 400.0, "offset": 4800.0},
        {"name": "logg", "unit": "dex", "scale": 0.7, "offset": 2.5},
        {"name": "fe_h", "unit": "dex", "scale": 0.3, "offset": -0.2},
    ]
    save_weights(
        root / "apogee_starnet_v1",
        StarNet(**shape),
        make_config(
            "apogee_starnet_v1", "apogee", "starnet", arguments=shape, outputs=labels,
            grid=get_grid("apogee_7214").to_dict(), recipe=APOGEE_RECIPE.to_dict(),
        ),
    )  # fmt: skip
    shape = {"n_pixels": 20_480, "n_latent": 3, "channels": [2] * 10}
    save_weights(
        root / "harps_dae_fast_v1",
        DisentangledAutoencoder(**shape),
        make_config(
            "harps_dae_fast_v1", "harps", "disentangled_autoencoder", arguments=shape,
            outputs=[{"name": "latent", "n": 3}], grid=HARPS_GRID,
            recipe=HARPS_RECIPE.to_dict(),
        ),
    )  # fmt: skip
    return root


@pytest.fixture(autouse=True)
def tiny_models(weights_root):
    """Tiny models stand in for the bundled ones, whether or not these are there."""
    with conf.set_temp("weights_dir", str(weights_root)):
        yield weights_root


@pytest.fixture(scope="session")
def sample():
    """Table of the bundled spectra."""
    return get_survey("sample").table()


@pytest.fixture(scope="session")
def apogee(sample):
    """Paths of the bundled APOGEE spectra, as text."""
    return [str(path) for path in sample["path"][sample["survey"] == "apogee"]]


@pytest.fixture(scope="session")
def harps(sample):
    """Paths of the bundled HARPS spectra, as text."""
    return [str(path) for path in sample["path"][sample["survey"] == "harps"]]


@pytest.fixture
def broken(tmp_path):
    """Three files that are no spectra: empty, cut short, text."""
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "empty.fits").write_bytes(b"")
    (folder / "short.fits").write_bytes(b"SIMPLE  =                    T".ljust(1000))
    (folder / "text.fits").write_text("not a spectrum")
    return [str(path) for path in sorted(folder.iterdir())]


@pytest.fixture
def run(capsys):
    """Run the command and give exit code, standard output, standard error."""
    from astro_latent.cli.main import main

    def run_main(*arguments):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    return run_main
