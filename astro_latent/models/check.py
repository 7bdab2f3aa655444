# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Check a folder of weights: configuration, tensors, reference outputs, card.

``python -m astro_latent.models.check FOLDER`` does it from the command line.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from astropy.table import Table

from ..exceptions import WeightsError, WeightsIntegrityError, WeightsNotFoundError
from ..preparation.prepared import PreparedSpectra
from ..spectra.observation import Observation
from ..utils.writing import replacing
from .base import SpectralModel
from .card import CARD_FILE, SECTIONS
from .pretrained import load_model

__all__ = [
    "REFERENCE_FILE",
    "check_folder",
    "check_reference",
    "main",
    "reference_input",
    "write_reference",
]

#: Name of the file in a folder of weights.
REFERENCE_FILE = "reference.ecsv"


def reference_input(model: SpectralModel, seeds: Sequence[int]) -> PreparedSpectra:
    """Make prepared spectra from seeds: noise around one, a twentieth masked.

    Parameters
    ----------
    model : SpectralModel
        Whose grid and recipe they claim.
    seeds : sequence of int
        One for each spectrum.

    Returns
    -------
    PreparedSpectra
        The same on every machine.
    """
    shape = (len(seeds), model.grid.n_pixels)
    flux, valid = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=bool)
    for row, seed in enumerate(seeds):
        rng = np.random.default_rng(seed)
        flux[row] = 1 + 0.05 * rng.standard_normal(shape[1])
        valid[row] = model.grid.valid & (rng.random(shape[1]) > 0.05)
    return PreparedSpectra(
        flux=np.where(valid, flux, np.float32(0)),
        variance=np.full(shape, 1e-4, dtype=np.float32),
        valid=valid,
        scale=np.ones((len(seeds), len(model.grid.segments))),
        radial_velocity=np.zeros(len(seeds)),
        radial_velocity_source=["none"] * len(seeds),
        flags=np.zeros(len(seeds), dtype=np.int64),
        observations=[Observation(obs_id=f"seed {seed}") for seed in seeds],
        grid=model.grid,
        recipe=model.recipe,
    )


def write_reference(
    model: SpectralModel,
    folder: str | Path,
    *,
    seeds: Sequence[int] = (1, 2),
    tolerance: float = 1e-4,
) -> Path:
    """Write what a model gives for seeded inputs.

    Parameters
    ----------
    model : SpectralModel
        Loaded from the folder.
    folder : str or Path
        The folder of weights.
    seeds : sequence of int, optional
        Of the inputs.
    tolerance : float, optional
        Accepted difference, relative to the scale of an output plus its size.

    Returns
    -------
    Path
        The file.
    """
    table = Table({"seed": list(seeds)})
    for name, values in _outputs(model, reference_input(model, seeds)).items():
        table[name] = values
    table.meta = {"tolerance": tolerance, "torch": str(torch.__version__)}
    path = Path(folder, REFERENCE_FILE)
    with replacing(path) as part:
        table.write(part, format="ascii.ecsv")
    return path


def check_reference(model: SpectralModel, folder: str | Path | None = None) -> float:
    """Check that a model still gives its reference outputs.

    Parameters
    ----------
    model : SpectralModel
        A loaded model.
    folder : str or Path, optional
        Where the reference lies; by default where the configuration was read.

    Returns
    -------
    float
        Largest difference, as a fraction of what the reference tolerates.

    Raises
    ------
    WeightsNotFoundError
        If there is no reference.
    WeightsIntegrityError
        If an output differs by more than the tolerance.
    """
    if folder is None:
        folder = Path() if model.config.source is None else model.config.source.parent
    path = Path(folder, REFERENCE_FILE)
    if not path.is_file():
        msg = f"{path} does not exist; write_reference makes one"
        raise WeightsNotFoundError(msg)
    table = Table.read(path, format="ascii.ecsv")
    found = _outputs(model, reference_input(model, list(table["seed"])))
    worst = 0.0
    for name, values in found.items():
        expected = np.asarray(table[name], dtype=float)
        scale = 1.0 if values.ndim == 1 or name in ("mean", "sigma") else model.scales
        offset = model.offsets if name == "values" else 0.0
        allowed = table.meta["tolerance"] * (scale + np.abs(expected - offset))
        ratio = float(np.max(np.abs(values - expected) / allowed))
        if not ratio <= 1:
            msg = (
                f"{path}: {name!r} of {model.name!r} on {model.device} differs by "
                f"{ratio:.3g} times the tolerance"
            )
            raise WeightsIntegrityError(msg)
        worst = max(worst, ratio)
    return worst


def _outputs(model: SpectralModel, prepared: PreparedSpectra) -> dict[str, np.ndarray]:
    if "predict" in model.capabilities:
        labels = model.predict(prepared)
        return {"values": labels.values, "error_flux": labels.error_flux}
    result = model.reconstruct(prepared, keep_flux=False)
    return {
        "mean": result.latents.mean,
        "sigma": result.latents.sigma,
        "residual": result.residual,
    }


def check_folder(folder: str | Path) -> str:
    """Check a folder of weights: configuration, tensors, reference, card.

    Parameters
    ----------
    folder : str or Path
        The folder.

    Returns
    -------
    str
        One line that says that all is well.

    Raises
    ------
    WeightsError
        If something is not.
    """
    model = load_model(Path(folder), device="cpu")
    worst = check_reference(model)
    path = Path(folder, CARD_FILE)
    if not path.is_file():
        msg = f"{path} does not exist"
        raise WeightsError(msg)
    lines = path.read_text(encoding="utf-8").splitlines()
    missing = [section for section in SECTIONS if section not in lines]
    if missing:
        msg = f"{path} lacks the sections {', '.join(missing)}"
        raise WeightsError(msg)
    return f"{model!r} is complete; reference met to {worst:.2g} of its tolerance"


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a folder of weights from the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        0 if all is well, else 1.
    """
    parser = argparse.ArgumentParser(prog="python -m astro_latent.models.check")
    parser.add_argument("folder", metavar="FOLDER")
    folder = parser.parse_args(arguments).folder
    try:
        sys.stdout.write(check_folder(folder) + "\n")
    except WeightsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
