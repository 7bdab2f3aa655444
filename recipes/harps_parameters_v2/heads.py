# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Train heads on coefficients with errors, and stop where real stars come out best."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from astro_latent.models.architectures.aligned_ensemble import AlignedEnsemble
from astro_latent.preparation import prepare_spectra
from astro_latent.preparation.recipe import HARPS_RECIPE
from astro_latent.training.loop import one_cycle, write_checkpoint
from astro_latent.training.losses import gaussian_nll
from recipes.harps_parameters_v2.components import Sample, wavelengths
from recipes.options import Options

__all__ = [
    "SeenErrors",
    "choose_step",
    "leave_one_out",
    "real_features",
    "train_heads",
]

_HELD = 400  # stars that no head sees
_FAR = 1e-4  # noise with which coefficients of cut spectra are found


class SeenErrors:
    """Draws coefficients as spectra with errors would give them.

    Parameters
    ----------
    model : AlignedEnsemble
        With its components.
    sample : Sample
        Of synthetic stars.
    errors : dict
        Ranges of ``noise`` of a pixel, of ``lines`` as a share of their depth, of
        ``shape``; log-uniform. ``cuts``: ranges in Angstrom of spectra that are not
        whole.
    """

    def __init__(
        self, model: AlignedEnsemble, sample: Sample, errors: dict[str, Any]
    ) -> None:
        self.sample, self.errors, self.scale = sample, errors, model.star_scale.clone()
        place = wavelengths(model)
        orthonormal = model.basis * model.weight
        self.cuts = []
        for low, high in errors["cuts"]:
            lost = orthonormal[:, torch.from_numpy((place < low) | (place > high))]
            seen = torch.eye(len(lost)) - lost @ lost.T
            prior = torch.diag(_FAR / self.scale.square())
            self.cuts.append(torch.linalg.solve(seen + prior, seen).T)

    def draw(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Return what heads see of some stars.

        Parameters
        ----------
        rows : Tensor of int, shape (n,)
            Which.
        generator : torch.Generator
            Source of randomness.

        Returns
        -------
        Tensor, shape (n, n_components + 1)
            Scaled coefficients and noise level.
        """
        sample, n = self.sample, len(rows)
        noise, lines, shape = (
            self._size(n, self.errors[name], generator)
            for name in ("noise", "lines", "shape")
        )
        white = torch.randn(n, len(self.scale), generator=generator)
        draws = sample.wrong_lines.shape[1]
        which = torch.randint(draws, (n,), generator=generator)
        sign = torch.randint(2, (n,), generator=generator) * 2.0 - 1.0
        shapes = torch.randint(len(sample.wrong_shapes), (n,), generator=generator)
        seen = (
            sample.coefficients[rows]
            + (sign * lines)[:, None] * sample.wrong_lines[rows, which]
            + shape[:, None] * sample.wrong_shapes[shapes]
            + noise[:, None] * white
        )
        depth = sample.depth[rows]
        level = noise**2 + lines**2 * depth + 0.6 * shape**2 * sample.weight
        share = 0.5 / max(1, len(self.cuts))
        cut = torch.rand(n, generator=generator) / share
        for number, matrix in enumerate(self.cuts):
            mine = (cut >= number) & (cut < number + 1)
            seen[mine] = seen[mine] @ matrix
        return torch.cat([seen / self.scale, 0.5 * level.log()[:, None] + 4.0], 1)

    @staticmethod
    def _size(n: int, limits: list[float], generator: torch.Generator) -> Tensor:
        low, high = np.log(limits)
        return torch.exp(low + (high - low) * torch.rand(n, generator=generator))


def train_heads(
    model: AlignedEnsemble, sample: Sample, recipe: dict[str, Any], options: Options
) -> dict[str, Any] | None:
    """Train the heads one by one, and keep the step at which real stars are best.

    Parameters
    ----------
    model : AlignedEnsemble
        Changed in place.
    sample : Sample
        Of synthetic stars.
    recipe : dict
        With ``fit``, ``errors`` and ``stars_known``.
    options : Options
        Where and for how long; heads that are trained already are kept.

    Returns
    -------
    dict or None
        For the card: the step, and how far real stars are off at the steps that the
        others choose. None if the time was up before the end.
    """
    fit, seen = recipe["fit"], SeenErrors(model, sample, recipe["errors"])
    kept: dict[int, list[dict[str, Tensor]]] = {step: [] for step in fit["stops"]}
    for number, head in enumerate(model.heads):
        path = options.work / f"head_{number}.pt"
        if not path.exists():
            if options.late:
                return None
            write_checkpoint(path, _train(head, seen, fit, fit["seed"] + number))
        for step, state in torch.load(path, weights_only=True).items():
            kept[step].append(state)
    stars = [
        (star, real_features(model, options.data, star))
        for star in recipe["stars_known"]
    ]
    step, found = choose_step(model, kept, stars, recipe)
    for head, state in zip(model.heads, kept[step], strict=True):
        head.load_state_dict(state)
    names = [star["name"] for star in recipe["stars_known"] if star.get("counts")]
    return {"step": step, "left out": leave_one_out(found, names, recipe["goals"])}


def leave_one_out(
    found: dict[int, np.ndarray], names: list[str], goals: list[float]
) -> dict[str, list[float]]:
    """Return how far each star is off at the step that the others choose.

    Parameters
    ----------
    found : dict of int to ndarray, shape (n_stars, n_labels)
        From `choose_step`.
    names : list of str
        Of the stars.
    goals : list of float
        Units of the labels in the rule.

    Returns
    -------
    dict of str to list of float
        Deviations of T_eff, log g, [M/H].
    """
    left = {}
    for row, name in enumerate(names):
        others = {step: np.delete(off, row, axis=0) for step, off in found.items()}
        left[name] = found[_best(others, goals)][row].round(4).tolist()
    return left


def _best(found: dict[int, np.ndarray], goals: list[float]) -> int:
    return min(found, key=lambda step: float(np.sum((found[step] / goals) ** 2)))


def _train(
    head: nn.Module, seen: SeenErrors, fit: dict[str, Any], seed: int
) -> dict[int, dict[str, Tensor]]:
    """Train one head; return its weights at each step where it may stop."""
    torch.manual_seed(seed)
    for layer in head:
        if isinstance(layer, nn.Linear):
            layer.reset_parameters()
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(
        head.parameters(), lr=fit["learning_rate"], weight_decay=1e-3
    )
    last, states = max(fit["stops"]), {}
    n_train = len(seen.sample.targets) - _HELD
    for step in range(1, last + 1):
        rows = torch.randint(n_train, (fit["batch_size"],), generator=generator)
        mean, log_variance = head(seen.draw(rows, generator)).chunk(2, 1)
        log_variance = log_variance.clamp(-12.0, 4.0)
        loss = gaussian_nll(mean, log_variance, seen.sample.targets[rows])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        for group in optimiser.param_groups:
            group["lr"] = fit["learning_rate"] * one_cycle(step, last)
        optimiser.step()
        if step in fit["stops"]:
            states[step] = {k: v.clone() for k, v in head.state_dict().items()}
    return states


@torch.no_grad()
def real_features(
    model: AlignedEnsemble, data: str | Path, star: dict[str, Any]
) -> Tensor:
    """Return what heads see of the spectra of a real star.

    Parameters
    ----------
    model : AlignedEnsemble
        With its components.
    data : path
        Folder with the training ingredients.
    star : dict
        ``files``, a pattern below ``data``.

    Returns
    -------
    Tensor, shape (n_spectra, n_components + 1)
        Scaled coefficients and noise level.
    """
    found = []
    for path in sorted(Path(data).glob(star["files"])):
        prepared = prepare_spectra([path], "harps_327680", HARPS_RECIPE)
        features = model.features(
            torch.from_numpy(prepared.flux), torch.from_numpy(prepared.valid)
        )
        found.append(features[:, :-3])
    return torch.cat(found)


@torch.no_grad()
def choose_step(
    model: AlignedEnsemble,
    kept: dict[int, list[dict[str, Tensor]]],
    stars: list[tuple[dict[str, Any], Tensor]],
    recipe: dict[str, Any],
) -> tuple[int, dict[int, np.ndarray]]:
    """Choose where to stop: the least squared deviations of real stars, in goals.

    The Sun that weighs the pixels is the zero of the labels at each step, and does not
    count.

    Parameters
    ----------
    model : AlignedEnsemble
        Its heads and its ``zero`` are changed.
    kept : dict of int to list
        Weights of the heads at each step.
    stars : list of (dict, Tensor)
        Stars of the selection with their features; ``labels`` are T_eff, log g, [M/H],
        ``zero`` is true for the Sun.
    recipe : dict
        With ``goals``, one for each of these labels.

    Returns
    -------
    step : int
        The best.
    deviations : dict of int to ndarray, shape (n_stars, 3)
        Of the stars that count, at each step.
    """
    offset, scale = (np.array(recipe[key][1:4]) for key in ("offset", "scale"))
    found, zeros = {}, {}
    for step, states in kept.items():
        for head, state in zip(model.heads, states, strict=True):
            head.load_state_dict(state)
        values = {
            star["name"]: model.each_head(seen)[0].mean((0, 1)).numpy()
            for star, seen in stars
        }
        truths = {
            star["name"]: (np.array(star["labels"]) - offset) / scale
            for star, _ in stars
        }
        sun = next(star["name"] for star, _ in stars if star.get("zero"))
        zeros[step] = truths[sun] - values[sun][:3]
        found[step] = scale * np.array(
            [
                values[star["name"]][:3] + zeros[step] - truths[star["name"]]
                for star, _ in stars
                if star.get("counts", False)
            ]
        )
    best = _best(found, recipe["goals"])
    model.zero[:3] = torch.from_numpy(zeros[best]).float()
    return best, found
