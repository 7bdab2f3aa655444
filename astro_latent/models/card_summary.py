# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""A model on one screen: what it takes and gives, how good it is, where it fails."""

import textwrap

from .card import describe_score
from .config import ModelConfig, OutputColumn

__all__ = ["summarise_model"]

_INDENT = 12  # characters, the width of the words on the left
_LONGEST = 330  # characters of a text, so that all fit one screen
_RANGES = 5  # labels whose range is said; of more, the names


def summarise_model(config: ModelConfig, *, width: int = 80) -> str:
    """Describe a model on one screen.

    Parameters
    ----------
    config : ModelConfig
        Its configuration.
    width : int, optional
        Characters in a line.

    Returns
    -------
    str
        Lines, each at most so wide.

    Examples
    --------
    >>> from astro_latent.models.card_summary import summarise_model
    >>> from astro_latent.models import find_weights
    >>> from astro_latent.models.config import ModelConfig
    >>> config = ModelConfig.from_folder(find_weights("harps_parameters_v1"))
    >>> print(summarise_model(config).splitlines()[0])
    harps_parameters_v1: Velocity and parameters of FGK stars from HARPS
    """
    size = config.weights["size"] / 1e6
    paragraphs = {
        "takes": _takes(config),
        "gives": _gives(config),
        "for": config.card.get("intended_use", ""),
        "not for": config.card.get("out_of_scope", ""),
        "real stars": config.card.get("real_stars") or _held_out(config),
        "fails": config.card.get("fails") or config.card.get("limitations", ""),
        "weights": f"version {config.version}, {config.architecture}, "
        f"{config.members} in the ensemble, {size:.1f} MB, {config.licence}",
    }
    lines = [f"{config.name}: {config.title}"]
    for word, text in paragraphs.items():
        short = textwrap.shorten(text or "not stated", _LONGEST, placeholder=" ...")
        left = f"{word:<{_INDENT}}"
        lines += textwrap.wrap(
            short, width, initial_indent=left, subsequent_indent=" " * _INDENT
        )
    return "\n".join(lines)


def _takes(config: ModelConfig) -> str:
    grid = config.grid
    first, last = grid.wavelength[grid.valid][[0, -1]]
    power = (
        f"R = {grid.resolving_power:g}" if grid.resolving_power else "any resolution"
    )
    low, high = config.domain.get("snr", (None, None))
    noise = "" if low is None else f", S/N {low:g} to {high:g}"
    return (
        f"{config.survey or 'any survey'}, or others that cover {first:.0f} to "
        f"{last:.0f} Angstrom ({grid.medium}, {grid.frame} frame, {power}){noise}"
    )


def _gives(config: ModelConfig) -> str:
    outputs = config.outputs
    systematic = config.calibration.get("systematic", [0.0] * len(outputs))
    spelt = list(map(_spell_output, outputs, systematic))[:_RANGES]
    rest = ", ".join(output.name for output in outputs[_RANGES:])
    return "; ".join([*spelt, rest] if rest else spelt)


def _spell_output(output: OutputColumn, systematic: float) -> str:
    """Spell a label with its range, and the error that real stars add."""
    if output.domain is None:
        return output.name if output.n == 1 else f"{output.name}[{output.n}]"
    low, high = output.domain
    unit = f" {output.unit}" if output.unit else ""
    added = f" (± {systematic:.3g})" if systematic else ""
    return f"{output.name} {low:.4g} to {high:.4g}{unit}{added}"


def _held_out(config: ModelConfig) -> str:
    """Say how well labels of held-out spectra came out, where that is known."""
    scores = config.evaluation.get("held-out stars", {}).get("all", {})
    found = [f"{name} {describe_score(score)}" for name, score in scores.items()]
    return "held-out spectra: " + "; ".join(found) if found else ""
