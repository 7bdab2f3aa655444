# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Model cards: what a person should know before using a set of weights."""

from html import escape
from typing import Any

from .config import ModelConfig, OutputColumn

__all__ = ["CARD_FILE", "SECTIONS", "ModelCard", "describe_score"]

#: Name of the card in a folder of weights.
CARD_FILE = "MODEL_CARD.rst"
#: Sections that every card has, in order.
SECTIONS = (
    "Details", "Intended use", "Out-of-scope use", "Outputs", "Training data",
    "Preparation", "Evaluation", "Limitations", "How to load", "Citation", "Licence",
)  # fmt: skip


class ModelCard:
    """The description of a model, made from its configuration.

    Parameters
    ----------
    config : ModelConfig
        The configuration.

    Attributes
    ----------
    sections : dict of str to list of str
        Title to lines of reStructuredText.
    """

    def __init__(self, config: ModelConfig) -> None:
        self.config = config
        makers = (
            _details, _intended, _out_of_scope, _outputs, _training, _preparation,
            _evaluation, _limitations, _loading, _citation, _licence,
        )  # fmt: skip
        self.sections = {
            title: make(config) for title, make in zip(SECTIONS, makers, strict=True)
        }

    def __repr__(self) -> str:
        return f"<ModelCard {self.config.name} {self.config.version}>"

    def __str__(self) -> str:
        return self.text

    @property
    def text(self) -> str:
        """The card as reStructuredText, with a heading for each section."""
        title = self.config.name
        parts = [f"{title}\n{'=' * len(title)}", self.config.title]
        for name, lines in self.sections.items():
            parts += [f"{name}\n{'-' * len(name)}", "\n".join(lines)]
        return "\n\n".join(parts) + "\n"

    def row(self) -> dict[str, Any]:
        """Return the card as one row of a table.

        Returns
        -------
        dict
            Column name to value.
        """
        return {
            "name": self.config.name,
            "version": self.config.version,
            "survey": self.config.survey,
            "architecture": self.config.architecture,
            "outputs": ", ".join(map(_with_count, self.config.outputs)),
            "n_pixels": self.config.grid.n_pixels,
            "size": self.config.weights["size"] / 1e6,
            "description": self.config.title,
        }

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{escape(name)}</th><td>{_html_lines(lines)}</td></tr>"
            for name, lines in self.sections.items()
        )
        return (
            f"<details open><summary><b>{escape(self.config.name)}</b>: "
            f"{escape(self.config.title)}</summary><table>{rows}</table></details>"
        )


def _html_lines(lines: list[str]) -> str:
    return "<br>".join(
        escape(line.strip().removeprefix("- ")) for line in lines if line.strip()
    )


def _with_count(output: OutputColumn) -> str:
    return output.name if output.n == 1 else f"{output.name}[{output.n}]"


def _bullets(record: dict[str, Any], otherwise: str) -> list[str]:
    return _items(record) if record else [otherwise]


def _items(record: dict[str, Any], indent: str = "") -> list[str]:
    """Nested lists: a level for each dictionary of dictionaries of dictionaries."""
    lines = []
    for key, value in record.items():
        name = f"{indent}- {key.replace('_', ' ')}"
        if isinstance(value, dict) and not _is_row(value):
            lines += [f"{name}:", "", *_items(value, indent + "  "), ""]
        else:
            lines.append(f"{name}: {_inline(value)}")
    return lines


def _is_row(value: dict[str, Any]) -> bool:
    """Whether a dictionary fits on one line: numbers, or scores of labels."""
    return all(
        not isinstance(item, dict) or "scatter" in item for item in value.values()
    )


def _inline(value: object) -> str:
    if isinstance(value, dict) and "scatter" in value:
        return describe_score(value)
    if isinstance(value, dict):
        return "; ".join(f"{key} {_inline(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_inline, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def describe_score(score: dict[str, Any]) -> str:
    """Spell the score of one label: its scatter with error, bias and count.

    Parameters
    ----------
    score : dict
        With ``scatter``, ``scatter_error``, ``bias`` and ``n``.

    Returns
    -------
    str
        Such as ``"46.6 +- 0.7 (bias 1.2, n 5037)"``.
    """
    return (
        f"{score['scatter']:.3g} +- {_two_digits(score['scatter_error'])} "
        f"(bias {score['bias']:.2g}, n {score['n']})"
    )


def _two_digits(value: float) -> str:
    """Spell a number with two digits, without a power of ten."""
    return f"{float(f'{value:.2g}'):.6g}"


def _details(config: ModelConfig) -> list[str]:
    return [
        config.description,
        "",
        f"- version: {config.version}",
        f"- architecture: {config.architecture} ({_inline(config.arguments)})",
        f"- networks in the ensemble: {config.members}",
        f"- tensors: {config.weights['size'] / 1e6:.1f} MB, {config.weights['dtype']}, "
        f"SHA-256 {config.weights['sha256']}",
    ]


def _intended(config: ModelConfig) -> list[str]:
    grid = config.grid
    first, last = grid.wavelength[grid.valid][[0, -1]]
    default = (
        f"Spectra of the survey {config.survey}, or of another instrument brought to "
        f"{first:.1f} to {last:.1f} Angstrom ({grid.medium}, {grid.frame} frame) at a "
        f"resolving power of {grid.resolving_power:g}."
    )
    return [config.card.get("intended_use", default)]


def _out_of_scope(config: ModelConfig) -> list[str]:
    ranges = [
        f"{output.name} {output.domain[0]:g} to {output.domain[1]:g} {output.unit}"
        for output in config.outputs
        if output.domain is not None
    ]
    default = "Objects and instruments unlike those of the training set."
    if ranges:
        default = f"Stars outside of {'; '.join(map(str.strip, ranges))}."
    return [config.card.get("out_of_scope", default)]


def _outputs(config: ModelConfig) -> list[str]:
    return [
        f"- {_with_count(output)}"
        + (f" [{output.unit}]" if output.unit else "")
        + (f": {output.description}" if output.description else "")
        for output in config.outputs
    ]


def _training(config: ModelConfig) -> list[str]:
    return _bullets(config.training, "Not stated.")


def _preparation(config: ModelConfig) -> list[str]:
    steps = [_inline(step) for step in config.recipe_record.get("steps", [])]
    return [f"Grid {config.grid.name}, {config.grid.n_pixels} pixels.", ""] + [
        f"- {step}" for step in steps
    ]


def _evaluation(config: ModelConfig) -> list[str]:
    stars = config.card.get("real_stars")
    said = [f"Real stars: {stars}", ""] if stars else []
    return said + _bullets(config.evaluation, "Not stated.")


def _limitations(config: ModelConfig) -> list[str]:
    default = "Beyond the domain below, none are stated; that does not mean none exist."
    lines = [config.card.get("limitations", default)]
    if fails := config.card.get("fails"):
        lines = [f"In short: {fails}", "", *lines]
    if config.domain:
        lines += ["", *_bullets(config.domain, "")]
    return lines


def _loading(config: ModelConfig) -> list[str]:
    code = f"model = astro_latent.load_model({config.name!r})"
    return ["::", "", f"    {code}"]


def _citation(config: ModelConfig) -> list[str]:
    return [config.citation]


def _licence(config: ModelConfig) -> list[str]:
    return [config.licence]
