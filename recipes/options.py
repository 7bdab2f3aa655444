# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What the command hands to every recipe."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from astro_latent.exceptions import AstroLatentError

__all__ = ["OptionError", "Options"]


class OptionError(AstroLatentError, ValueError):
    """A recipe cannot do what an option asks for."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Where a recipe works, and for how long.

    Parameters
    ----------
    data : `~pathlib.Path`
        Training ingredients.
    work : `~pathlib.Path`
        For checkpoints; a second run with the same folder goes on where one stopped.
    output : `~pathlib.Path`
        Folder of weights to write.
    device : str
        Where networks train.
    stop_after : float
        Seconds after which to leave a checkpoint and stop.
    from_weights : str or None
        Weights to begin with.
    """

    data: Path
    work: Path
    output: Path
    device: str = "cpu"
    stop_after: float = float("inf")
    from_weights: str | None = None
    started: float = field(default_factory=time.monotonic)

    @property
    def late(self) -> bool:
        """Whether it is time to stop."""
        return time.monotonic() - self.started > self.stop_after

    def training(self) -> dict[str, Any]:
        """Return the arguments of a training."""
        return {
            "data": self.data,
            "work": self.work,
            "device": self.device,
            "stop_after": self.stop_after,
            "from_weights": self.from_weights,
        }
