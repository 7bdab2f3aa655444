# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Quality bits that a model adds to those of the preparation."""

import numpy as np

from ..preparation.prepared import PreparedSpectra
from ..utils.quality import QualityFlag
from .config import ModelConfig

__all__ = ["model_flags"]


def model_flags(
    config: ModelConfig,
    prepared: PreparedSpectra,
    *,
    values: np.ndarray | None = None,
    error: np.ndarray | None = None,
    score: np.ndarray | None = None,
    residual: np.ndarray | None = None,
    second: np.ndarray | None = None,
    emission: np.ndarray | None = None,
) -> np.ndarray:
    """Compare results with the limits that a configuration states.

    What is NaN is not flagged: not knowing is no evidence of a fault.

    Parameters
    ----------
    config : ModelConfig
        With the limits; one that is not stated flags nothing.
    prepared : PreparedSpectra
        What the model was given.
    values, error : ndarray, shape (n_spectra, n_labels), optional
        Labels and their total errors.
    score, residual : ndarray, shape (n_spectra,), optional
        Domain score, and mean absolute residual of the reconstruction.
    second, emission : ndarray, shape (n_spectra,), optional
        Heights of the peaks that `~astro_latent.models.residuals.FluxBasis` finds.

    Returns
    -------
    ndarray of int32, shape (n_spectra,)
        The preparation's flags with the model's.
    """
    flags = np.array(prepared.flags, dtype=np.int32)
    if "snr" in config.domain:
        snr = np.array([observation.snr for observation in prepared.observations])
        _mark(flags, snr < config.domain["snr"][0], QualityFlag.LOW_SNR)
    for column, output in enumerate(config.outputs):
        if values is not None and output.domain is not None:
            low, high = output.domain
            outside = (values[:, column] < low) | (values[:, column] > high)
            _mark(flags, outside, QualityFlag.LABEL_OUT_OF_DOMAIN)
        if error is not None and output.max_error is not None:
            _mark(flags, error[:, column] > output.max_error, QualityFlag.LARGE_ERROR)
    if score is not None:
        _mark(flags, score > 1, QualityFlag.UNLIKE_TRAINING)
    for height, key, bit in (
        (residual, "reconstruction_limit", QualityFlag.POOR_RECONSTRUCTION),
        (second, "second_limit", QualityFlag.DOUBLE_LINED),
        (emission, "emission_limit", QualityFlag.EMISSION_LINES),
    ):
        if height is not None and key in config.domain:
            _mark(flags, height > config.domain[key], bit)
    return flags


def _mark(flags: np.ndarray, rows: np.ndarray, bit: QualityFlag) -> None:
    flags[rows] |= np.int32(bit)
