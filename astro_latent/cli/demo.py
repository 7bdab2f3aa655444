# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The whole road on the bundled sample: tables, VOTable files and two pictures."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from .common import EXIT_OK, complain
from .pictures import save_picture
from .show import say, show_results, terminal_width

if TYPE_CHECKING:
    from astropy.table import Table

    from ..models import LatentModel
    from ..surveys.sample.survey import SampleSurvey

__all__ = ["add_arguments", "run"]

_WIDE = 120  # characters, with room for all labels beside their truth


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the options of the verb."""
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("astro_latent_demo"),
        help="folder for the results (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Predict, encode, print, write and draw."""
    from ..models import load_model
    from ..pipeline import encode_spectra, predict_parameters
    from ..surveys import get_survey

    folder = options.output
    folder.mkdir(parents=True, exist_ok=True)
    sample = cast("SampleSurvey", get_survey("sample")).table()
    say(
        f"{len(sample)} spectra of the bundled sample: simulated observations of "
        "invented stars.\n"
    )
    apogee = sample[sample["survey"] == "apogee"]
    parameters = predict_parameters(apogee)
    say(f"Stellar parameters by {parameters.meta['model']} (truth beside them):")
    show_results(*_beside_truth(parameters, apogee))

    harps = sample[sample["survey"] == "harps"]
    encoder = load_model("harps_dae_fast_v1")
    latents = encode_spectra(harps, model=encoder)
    say(f"\nLatent features by {encoder.name}:")
    columns = ["obs_id", "snr", "latent", "flags"]
    show_results(latents, columns)

    written = []
    for name, table in (("parameters", parameters), ("latents", latents)):
        written.append(folder / f"{name}.vot")
        table.write(written[-1], overwrite=True)
    written += _pictures(folder, parameters, apogee, encoder, harps)
    say("\nWritten:")
    for path in written:
        say(f"  {path.resolve()}")
    say("\nNext: astro-latent predict FILES -o results.vot; astro-latent --help")
    return EXIT_OK


def _beside_truth(parameters: "Table", sample: "Table") -> tuple["Table", list[str]]:
    """Add the labels that were put in, and pick columns for which there is room."""
    labels = ["teff", "logg", "fe_h"]
    if (terminal_width() or _WIDE) < _WIDE:
        labels.remove("fe_h")
    table = parameters.copy(copy_data=False)
    columns = ["target_name"]
    for label in labels:
        table[f"true_{label}"] = np.asarray(sample[f"true_{label}"])
        columns += [label, f"true_{label}"]
    return table, [*columns, "flags"]


def _pictures(
    folder: Path,
    parameters: "Table",
    apogee: "Table",
    encoder: "LatentModel",
    harps: "Table",
) -> list[Path]:
    """Draw the Kiel diagram and a reconstruction, if matplotlib is there."""
    try:
        import matplotlib as mpl
    except ImportError:
        complain("no pictures: they need matplotlib, pip install 'astro_latent[plot]'")
        return []
    mpl.use("agg")
    from ..plotting import plot_kiel, plot_reconstruction
    from ..preparation import prepare_spectra

    kiel = folder / "parameters.png"
    axes = plot_kiel(parameters)
    axes.plot(
        apogee["true_teff"], apogee["true_logg"], "k+", markersize=10, label="truth"
    )
    axes.legend(loc="upper left", title="circles: predicted")
    axes.set_title(f"The sample: {axes.get_title()}", fontsize="medium")
    save_picture(axes.figure, kiel)

    prepared = prepare_spectra(harps[:1], encoder.grid, encoder.recipe)
    rebuilt = encoder.reconstruct(prepared)
    figure = plot_reconstruction(
        prepared.grid.wavelength, prepared.flux[0], cast("np.ndarray", rebuilt.flux)[0],
        valid=prepared.valid[0],
    )  # fmt: skip
    reconstruction = folder / "reconstruction.png"
    save_picture(figure, reconstruction)
    return [kiel, reconstruction]
