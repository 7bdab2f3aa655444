# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What held-out spectra say of an encoder that learned without labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy.table import Table
from torch import nn

from .finish import Finished
from .prepared_file import PreparedFile
from .seen import make_model

__all__ = ["judge_encoder"]

_ROWS = 256  # spectra in memory at a time
_INFORMATIVE = 0.1  # nats on average


def judge_encoder(
    record: dict[str, Any],
    members: Sequence[nn.Module],
    file: PreparedFile,
    *,
    held_out: np.ndarray,
) -> Finished:
    """Measure residuals and nats on held-out spectra.

    Parameters
    ----------
    record : dict
        Content of ``config.json`` so far.
    members : sequence of Module
        The network.
    file : PreparedFile
        All spectra.
    held_out : ndarray of int
        Rows of spectra of stars that taught nothing.

    Returns
    -------
    Finished
        The model; a row of ``scores`` for each latent, and of ``predictions`` for each
        spectrum.
    """
    raw = make_model(record, members)
    residuals, means, sigmas = [], [], []
    for first in range(0, len(held_out), _ROWS):
        prepared = file.prepared(held_out[first : first + _ROWS])
        found = raw.reconstruct(prepared, keep_flux=False)
        residuals.append(found.residual)
        means.append(found.latents.mean)
        sigmas.append(found.latents.sigma)
    residual, mean, sigma = (
        np.concatenate(parts).astype(float) for parts in (residuals, means, sigmas)
    )
    nats = 0.5 * (mean**2 + sigma**2 - 1.0 - 2.0 * np.log(sigma)).mean(axis=0)
    told = int(np.count_nonzero(nats > _INFORMATIVE))
    limit = float(np.quantile(residual, 0.98))
    evaluation = {
        "held-out spectra": len(held_out),
        "mean absolute residual": float(np.median(residual)),
        "nats of all latents": float(nats.sum()),
        f"latents above {_INFORMATIVE:g} nat": told,
    }
    text = f"{told} of {len(nats)} latents tell more than {_INFORMATIVE:g} nat."
    record = {
        **record,
        "domain": {**record.get("domain", {}), "reconstruction_limit": limit},
        "evaluation": {**record.get("evaluation", {}), **evaluation},
        "card": {"limitations": text, **record.get("card", {})},
    }
    latents = Table(
        {
            "latent": np.arange(len(nats)),
            "nats": nats,
            "mean": mean.mean(axis=0),
            "scatter": mean.std(axis=0),
            "sigma": np.sqrt((sigma**2).mean(axis=0)),
        }
    )
    each = Table({"obs_id": file.rows["obs_id"][held_out], "residual": residual})
    each["latent"] = mean
    return Finished(model=make_model(record, members), scores=latents, predictions=each)
