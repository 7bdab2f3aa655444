# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Look at the test stars in the end: ``python -m recipes.real.look NAME --data ...``.

What is found is written into ``config.json`` and the card of the weights. Nothing may
be chosen afterwards. Weights that were changed without these stars may be looked at
again, and the card says how often these stars were looked at.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from astro_latent import load_model, predict_parameters
from astro_latent.models.card import CARD_FILE, ModelCard
from astro_latent.models.config import CONFIG_FILE, ModelConfig
from astro_latent.models.locate import PACKAGED
from astro_latent.training import as_block, compare_labels
from astro_latent.training.report import describe_scores
from recipes.real.scores import score_stars
from recipes.real.stars import select

__all__ = ["Sample", "look", "main"]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Test spectra, and what to ask about them.

    Parameters
    ----------
    spectra : dict
        Arrays of the test stars.
    labels : tuple of str
        What to compare.
    inside : ndarray of bool, shape (n_spectra,)
        Stars that the model is for.
    subsets : dict
        Names of parts of these: rows of all spectra.
    beyond : dict
        Names of what has to be flagged: arrays of spectra.
    options : dict
        Arguments of `~astro_latent.predict_parameters`.
    """

    spectra: dict[str, Any]
    labels: tuple[str, ...]
    inside: np.ndarray
    subsets: dict[str, np.ndarray]
    beyond: dict[str, dict[str, Any]]
    options: Mapping[str, Any] = field(default_factory=dict)


def look(weights: Path, sample: Sample) -> tuple[dict[str, Any], Table]:
    """Compare predictions for test stars with their labels.

    Parameters
    ----------
    weights : path
        Folder of weights.
    sample : Sample
        The stars.

    Returns
    -------
    record : dict
        For the ``evaluation`` of the configuration.
    scores : `~astropy.table.Table`
        See `~astro_latent.training.report.score_bins`.
    """
    model = load_model(weights, device="cpu")
    given = select(sample.spectra, sample.inside)
    velocity = given.get("radial_velocity")
    found = predict_parameters(
        as_block(given), model=model, radial_velocity=velocity, **sample.options
    )
    n_spectra = len(found)
    about = Table({n: v for n, v in given.items() if np.shape(v) == (n_spectra,)})
    scores = compare_labels(Table(found), about, sample.labels, matched=True).scores
    record: dict[str, Any] = {"test stars": {}}
    for name, rows in sample.subsets.items():
        inner = rows[sample.inside]
        values, truth = (
            np.stack([np.asarray(t[label])[inner] for label in sample.labels], axis=1)
            for t in (found, about)
        )
        record["test stars"][name] = score_stars(values, truth, sample.labels)
    for name, lines in describe_scores(scores).items():
        at = name.replace("held-out stars", "test stars")
        record[at if "test" in at else f"test stars {at}"] = (
            record.get(at, {}) | lines if at == "test stars" else lines
        )
    flagged = {"test stars, false alarms": _share(~np.asarray(found["usable"]))}
    for name, spectra in sample.beyond.items():
        velocity = spectra.get("radial_velocity")
        strange = predict_parameters(
            as_block(spectra), model=model, radial_velocity=velocity, **sample.options
        )
        flagged[name] = _share(~np.asarray(strange["usable"]))
    record["flagged as not usable"] = flagged
    return record, scores


def _share(rows: np.ndarray) -> str:
    return f"{np.mean(rows):.1%} of {len(rows)}"


def _write(weights: Path, record: dict[str, Any], looks: int, choices: str) -> None:
    """Say in the configuration and on the card what was found."""
    path = weights / CONFIG_FILE
    config = json.loads(path.read_text(encoding="utf-8"))
    config["evaluation"] = record | config["evaluation"]
    config["card"]["real_stars"] = _in_words(record["test stars"], looks, choices)
    path.write_text(
        json.dumps(config, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    card = ModelCard(ModelConfig.from_folder(weights))
    (weights / CARD_FILE).write_text(card.text, encoding="utf-8")


def _in_words(scores: dict[str, Any], looks: int, choices: str) -> str:
    parts = []
    for name, labels in scores.items():
        figures = ", ".join(f"{k} {v['scatter']:.3g}" for k, v in labels.items())
        count = max(score["n"] for score in labels.values())
        parts.append(f"{name} (n = {count}): {figures}")
    seen = "" if looks == 1 else f", looked at {looks} times"
    made = (
        f"after earlier ones of which {choices} were chosen"
        if choices
        else "by which no choice was made"
    )
    return f"scatter on test stars{seen}, {made}: " + "; ".join(parts)


def main(arguments: list[str] | None = None) -> None:
    """Look at the test stars of a set of weights, and write what is found.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m recipes.real.look")
    parser.add_argument("name", help="of the weights")
    parser.add_argument("--data", type=Path, required=True, help="ingredients")
    parser.add_argument("--weights", type=Path, help="folder; by default the packaged")
    parser.add_argument(
        "--looks", type=int, default=1, help="at these stars, with this one"
    )
    parser.add_argument(
        "--choices", default="", help="what was chosen after an earlier look, in words"
    )
    given = parser.parse_args(arguments)
    weights = given.weights or PACKAGED / given.name
    sample = import_module(f"recipes.{given.name}.test_stars").read_sample(given.data)
    record, scores = look(weights, sample)
    _write(weights, record, given.looks, given.choices)
    lines = scores.pformat(max_lines=-1, max_width=-1)
    lines.append(json.dumps(record["flagged as not usable"], indent=1))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
