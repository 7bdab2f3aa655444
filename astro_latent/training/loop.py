# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The training loop: deterministic batches, checkpoints, resuming where it stopped."""

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..utils.writing import replacing

__all__ = ["fit", "group_parameters", "one_cycle", "write_checkpoint"]

Batch = Any


def one_cycle(
    step: int,
    n_steps: int,
    *,
    warm_up: float = 0.05,
    end: float = 0.01,
    shape: str = "cosine",
) -> float:
    """Factor of the learning rate: linear rise, then a fall to ``end``.

    Parameters
    ----------
    step, n_steps : int
        Where the training is and how long it lasts.
    warm_up : float, optional
        Fraction of the steps that the rise takes.
    end : float, optional
        Last factor.
    shape : {"cosine", "linear", "constant"}, optional
        Of the fall; a constant one never falls.

    Returns
    -------
    float
        Between 0 and 1.

    Examples
    --------
    >>> from astro_latent.training.loop import one_cycle
    >>> one_cycle(50, 1000), round(one_cycle(1000, 1000), 3)
    (1.0, 0.01)
    """
    rise = warm_up * n_steps
    if step < rise:
        return step / rise
    progress = (step - rise) / max(n_steps - rise, 1.0)
    progress = 0.0 if shape == "constant" else min(progress, 1.0)
    if shape == "cosine":
        cosine = torch.cos(torch.tensor(torch.pi * progress)).item()
        return end + (1.0 - end) * 0.5 * (1.0 + cosine)
    return end + (1.0 - end) * (1.0 - progress)


def _ahead(make: Callable[[int], Batch], first: int, last: int) -> Iterator[Batch]:
    """Yield the batches of the steps in order, made two ahead in another thread."""
    with ThreadPoolExecutor(1) as pool:
        waiting = deque(
            pool.submit(make, step) for step in range(first, min(first + 2, last))
        )
        for step in range(first, last):
            batch = waiting.popleft().result()
            if step + 2 < last:
                waiting.append(pool.submit(make, step + 2))
            yield batch


def group_parameters(
    model: nn.Module, *, scale_by_fan_in: bool
) -> list[dict[str, Any]]:
    """Return parameters in groups of one width, the divisor of their rate.

    Parameters
    ----------
    model : `torch.nn.Module`
        A network.
    scale_by_fan_in : bool
        Whether widths follow the number of inputs; else there is one group.

    Returns
    -------
    list of dict
        ``params`` and ``width``, for an optimiser.
    """
    if not scale_by_fan_in:
        return [{"params": list(model.parameters()), "width": 1.0}]
    groups: dict[float, list[nn.Parameter]] = {}
    for layer in model.modules():
        for parameter in layer.parameters(recurse=False):
            width = 1.0
            if parameter.ndim > 1:
                width = max(1.0, layer.get_parameter("weight")[0].numel() / 32)
                if isinstance(layer, nn.ConvTranspose2d):  # inputs come first there
                    reached = parameter.shape[3] / layer.stride[1]
                    width = max(1.0, layer.in_channels * reached / 32)
            groups.setdefault(width, []).append(parameter)
    return [{"params": part, "width": width} for width, part in groups.items()]


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint that is either whole or not there.

    Parameters
    ----------
    path : path
        File to write; an old one is replaced.
    state : dict
        Tensors, numbers and dictionaries of these.
    """
    with replacing(path) as part:
        torch.save(state, part)


def _resume(path: Path, model: nn.Module, optimiser: torch.optim.Optimizer) -> int:
    """Take up a checkpoint, if there is one; return the step it was written at."""
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    if "random" in state:
        torch.set_rng_state(state["random"])
        torch.cuda.set_rng_state_all(state["random_cuda"])
    return state["step"]


class _Log:
    """Means of figures over some steps, as lines of a file."""

    def __init__(self, path: Path, every: int) -> None:
        self.path, self.every = path, every
        self.sums: dict[str, float] = {}

    def add(self, step: int, elapsed: float, figures: dict[str, float]) -> None:
        for name, figure in figures.items():
            self.sums[name] = self.sums.get(name, 0.0) + figure / self.every
        if step % self.every == 0:
            with self.path.open("a") as log:
                line = {"step": step, "seconds": round(elapsed, 1), **self.sums}
                log.write(json.dumps(line) + "\n")
            self.sums = {}


def fit(
    model: nn.Module,
    loss: Callable[[nn.Module, Batch, int], tuple[Tensor, dict[str, float]]],
    batches: Callable[[int], Batch],
    *,
    n_steps: int,
    learning_rate: float,
    work: str | Path,
    weight_decay: float = 0.0,
    scale_by_fan_in: bool = False,
    clip: float = 5.0,
    log_every: int = 50,
    checkpoint_every: int = 500,
    stop_after: float = float("inf"),
) -> int:
    """Fit a network; run again with the same arguments to continue.

    Batches are functions of the step alone, and a checkpoint holds the state of
    PyTorch's random numbers, so a training that was stopped and resumed sees and draws
    what an uninterrupted one would have seen and drawn.

    Parameters
    ----------
    model : `torch.nn.Module`
        Changed in place.
    loss : callable
        ``loss(model, batch, step)`` returns the loss and figures for the log.
    batches : callable
        ``batches(step)`` returns a batch.
    n_steps : int
        Length of the training, from its first start.
    learning_rate : float
        Peak of the schedule, see `one_cycle`.
    work : path
        Folder for ``checkpoint.pt`` and ``log.jsonl``.
    weight_decay : float, optional
        Of AdamW.
    scale_by_fan_in : bool, optional
        Divide the rate of each weight by the number of its inputs over 32, so that a
        step changes what leaves a wide layer no more than what leaves a narrow one
        (Yang et al. 2021).
    clip : float, optional
        Largest norm of the gradient.
    log_every, checkpoint_every : int, optional
        Steps between lines of the log and between checkpoints.
    stop_after : float, optional
        Seconds after which to checkpoint and return.

    Returns
    -------
    int
        The step reached.
    """
    work = Path(work)
    work.mkdir(parents=True, exist_ok=True)
    optimiser = torch.optim.AdamW(
        group_parameters(model, scale_by_fan_in=scale_by_fan_in), lr=learning_rate,
        weight_decay=weight_decay, fused=True,  # one pass over wide layers
    )  # fmt: skip
    checkpoint, log = work / "checkpoint.pt", _Log(work / "log.jsonl", log_every)
    first = step = _resume(checkpoint, model, optimiser)
    start = time.monotonic()
    model.train()
    for step, batch in enumerate(_ahead(batches, first, n_steps), start=first + 1):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate * one_cycle(step, n_steps) / group["width"]
        value, figures = loss(model, batch, step)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), clip)
        if torch.isfinite(norm):  # one absurd batch must not end a long training
            optimiser.step()
        elapsed = time.monotonic() - start
        log.add(step, elapsed, {"loss": value.item(), **figures})
        late = elapsed > stop_after
        if step % checkpoint_every == 0 or step == n_steps or late:
            state = {
                "model": model.state_dict(),
                "optimiser": optimiser.state_dict(),
                "step": step,
                "random": torch.get_rng_state(),  # networks may draw as they train
                "random_cuda": torch.cuda.get_rng_state_all(),
            }
            write_checkpoint(checkpoint, state)
        if late:
            break
    return step
