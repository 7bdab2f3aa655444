# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Errors that grow with missing pixels: what the spectra of the training never lack.

``python -m recipes.gaia_xp_starnet_v1.missing --data FOLDER`` after the training. The
networks stay what they are, and so does all that is said of whole spectra. Pixels are
taken from held-out stars; test stars have no part.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from astro_latent import load_model
from astro_latent.models.card import CARD_FILE, ModelCard
from astro_latent.models.check import write_reference
from astro_latent.models.config import CONFIG_FILE, ModelConfig
from astro_latent.models.domain import measure_missing
from astro_latent.models.locate import PACKAGED
from astro_latent.preparation import PreparedSpectra, prepare_spectra
from astro_latent.training import as_block, drop_pixels
from astro_latent.training.missing_term import fit_missing_term
from astro_latent.utils.writing import replacing
from recipes.gaia_xp_starnet_v1.spectra import LABELS, divide, read_stars
from recipes.reading import read_recipe
from recipes.real.stars import select

__all__ = ["main", "teach_missing", "thin"]

_NAME = "gaia_xp_starnet_v1"
_SEED = 20261127
_MOST = 0.4  # share of pixels; of spectra that lack more than 0.2 all is flagged
_STRETCHES = 40  # parts of the grid


def thin(prepared: PreparedSpectra, seed: int) -> PreparedSpectra:
    """Take up to two fifths of the pixels, at random or in stretches.

    Parameters
    ----------
    prepared : PreparedSpectra
        Spectra.
    seed : int
        Of the choice.

    Returns
    -------
    PreparedSpectra
        With fewer pixels.
    """
    rng = np.random.default_rng(seed)
    n_spectra, n_pixels = prepared.valid.shape
    share = rng.uniform(0.0, _MOST, n_spectra)[:, None]
    part = np.arange(n_pixels) * _STRETCHES // n_pixels
    alone = rng.random((n_spectra, n_pixels)) >= share
    together = (rng.random((n_spectra, _STRETCHES)) >= share)[:, part]
    return drop_pixels(
        prepared, np.where(rng.random(n_spectra)[:, None] < 0.5, alone, together)
    )


def teach_missing(weights: Path, stars: dict[str, Any], n_stars: int = 1500) -> None:
    """Let views solve for their coefficients, and fit how errors grow.

    Parameters
    ----------
    weights : path
        Folder of weights, whose configuration and card are written anew.
    stars : dict
        Held-out stars.
    n_stars : int, optional
        How many of them are asked about.
    """
    path = weights / CONFIG_FILE
    config = json.loads(path.read_text(encoding="utf-8"))
    for view in config["arguments"]["views"]:
        view["fill"] = "solve"
    for name in ("shape_68", "shape_95"):
        for terms in config["calibration"][name]:
            terms[1] = 0.0
    _write(path, config)
    rows = np.random.default_rng(_SEED).permutation(len(stars["flux"]))[:n_stars]
    stars = select(stars, np.sort(rows))
    model = load_model(weights, device="cpu")
    prepared = prepare_spectra(
        as_block(stars), model.grid, model.recipe, facts={"survey": "gaia_xp"},
        progress=False,
    )  # fmt: skip
    thinned = thin(prepared, _SEED)
    found = model.predict(thinned, flux_errors=False)
    truth = np.stack([stars[label] for label in LABELS], axis=1)
    nothing = np.zeros(len(truth))
    given = np.stack([stars.get(f"{n}_error", nothing) for n in LABELS], axis=1)
    terms = fit_missing_term(
        found.values - truth, found.error, found.interval_95,
        measure_missing(thinned, np.arange(len(truth))), given=np.nan_to_num(given),
    )  # fmt: skip
    for name, values in zip(("shape_68", "shape_95"), terms, strict=True):
        for row, value in zip(config["calibration"][name], values, strict=True):
            row[1] = round(float(value), 3)
    _write(path, config)
    # what is in the gaps of the spectra of the reference is filled otherwise now
    write_reference(load_model(weights, device="cpu"), weights)
    card = ModelCard(ModelConfig.from_folder(weights))
    (weights / CARD_FILE).write_text(card.text, encoding="utf-8")


def _write(path: Path, config: dict) -> None:
    with replacing(path) as part:
        text = json.dumps(config, indent=1, ensure_ascii=False) + "\n"
        Path(part).write_text(text, encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Do so for the weights of the package, or of a folder.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the command line.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="ingredients")
    parser.add_argument("--weights", type=Path, default=PACKAGED / _NAME)
    given = parser.parse_args(arguments)
    stars = read_stars(given.data)
    parts = divide(stars, **read_recipe(_NAME)["parts"])
    teach_missing(given.weights, select(stars, parts == "held_out"))


if __name__ == "__main__":
    main()
