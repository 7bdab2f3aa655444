# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The one table of quality bits, and its decoder.

Ten bad spectra among ten thousand are ten flagged rows, not ten warnings. Bits are
append-only: their numbers are part of the tables that people have saved.
"""

from enum import IntFlag
from typing import Literal, overload

import numpy as np
from astropy.table import Table

__all__ = [
    "FATAL_FLAGS",
    "NOTICE_FLAGS",
    "QUALITY_FLAGS",
    "QualityFlag",
    "decode_flags",
    "explain_flags",
]


class QualityFlag(IntFlag):
    """Quality of one spectrum and of what was derived from it."""

    UNREADABLE = 1 << 0
    NO_SIGNAL = 1 << 1
    CORRUPT_FLUX = 1 << 2
    NO_OVERLAP = 1 << 3
    PARTIAL_COVERAGE = 1 << 4
    SEGMENT_MISSING = 1 << 5
    MANY_BAD_PIXELS = 1 << 6
    NO_UNCERTAINTY = 1 << 7
    NOISE_ESTIMATED = 1 << 8
    LOW_SNR = 1 << 9
    MEDIUM_UNKNOWN = 1 << 10
    MEDIUM_SUSPECT = 1 << 11
    FRAME_UNKNOWN = 1 << 12
    RV_UNKNOWN = 1 << 13
    RV_MEASURED = 1 << 14
    RV_UNCERTAIN = 1 << 15
    RESOLUTION_TOO_LOW = 1 << 16
    RESOLUTION_UNKNOWN = 1 << 17
    WRONG_NORMALISATION = 1 << 18
    LABEL_OUT_OF_DOMAIN = 1 << 19
    UNLIKE_TRAINING = 1 << 20
    LARGE_ERROR = 1 << 21
    POOR_RECONSTRUCTION = 1 << 22
    DOUBLE_LINED = 1 << 23
    EMISSION_LINES = 1 << 24
    NO_MODEL = 1 << 25
    MODEL_BY_COVERAGE = 1 << 26
    INCONSISTENT_PARTS = 1 << 27
    WAVELENGTHS_SUSPECT = 1 << 28
    NO_RESULT = 1 << 29
    ABSURD_ERRORS = 1 << 30
    ERRORS_SUSPECT = 1 << 31


#: Meaning of each bit: name -> (value, sentence).
QUALITY_FLAGS: dict[str, tuple[int, str]] = {
    flag.name: (int(flag), text)  # type: ignore[misc]
    for flag, text in {
        QualityFlag.UNREADABLE: "the file could not be read as a spectrum",
        QualityFlag.NO_SIGNAL: "the flux is nowhere finite and positive",
        QualityFlag.CORRUPT_FLUX: "absurd or frozen flux was found and masked",
        QualityFlag.NO_OVERLAP: "too little of the model's wavelengths is covered",
        QualityFlag.PARTIAL_COVERAGE: "part of the model's wavelengths is not covered",
        QualityFlag.SEGMENT_MISSING: "a segment (detector, chip) has no good pixel",
        QualityFlag.MANY_BAD_PIXELS: "over a fifth of the covered pixels are masked",
        QualityFlag.NO_UNCERTAINTY: "no flux uncertainty is known",
        QualityFlag.NOISE_ESTIMATED: "the flux uncertainty was estimated from the flux",
        QualityFlag.LOW_SNR: "signal-to-noise below what the model was trained on",
        QualityFlag.MEDIUM_UNKNOWN: "air or vacuum unknown; taken as the model's",
        QualityFlag.MEDIUM_SUSPECT: "the lines contradict the stated medium",
        QualityFlag.FRAME_UNKNOWN: "velocity frame unknown; taken as the model's",
        QualityFlag.RV_UNKNOWN: "radial velocity needed but unknown; taken as zero",
        QualityFlag.RV_MEASURED: "radial velocity from cross-correlation here",
        QualityFlag.RV_UNCERTAIN: "the cross-correlation has no clear peak",
        QualityFlag.RESOLUTION_TOO_LOW: "resolving power below the model's",
        QualityFlag.RESOLUTION_UNKNOWN: "resolving power unknown; taken as the model's",
        QualityFlag.WRONG_NORMALISATION: "normalised input, flux shape expected",
        QualityFlag.LABEL_OUT_OF_DOMAIN: "a label lies outside the training set",
        QualityFlag.UNLIKE_TRAINING: "the spectrum resembles none of the training set",
        QualityFlag.LARGE_ERROR: "an error larger than the model's stated limit",
        QualityFlag.POOR_RECONSTRUCTION: "the model cannot reconstruct the spectrum",
        QualityFlag.DOUBLE_LINED: "a second, shifted set of lines is seen",
        QualityFlag.EMISSION_LINES: "emission is seen where the model knows none",
        QualityFlag.NO_MODEL: "no model suits the spectrum",
        QualityFlag.MODEL_BY_COVERAGE: "survey unknown; the model suits by coverage",
        QualityFlag.INCONSISTENT_PARTS: "parts of the spectrum contradict each other",
        QualityFlag.WAVELENGTHS_SUSPECT: "lines do not lie where the wavelengths say",
        QualityFlag.NO_RESULT: "the model gives no finite number for the spectrum",
        QualityFlag.ABSURD_ERRORS: "pixels with absurd errors were found and masked",
        QualityFlag.ERRORS_SUSPECT: "the flux scatters unlike its stated errors",
    }.items()
}

#: Bits that make a spectrum unusable: its row holds NaN.
FATAL_FLAGS = int(
    QualityFlag.UNREADABLE
    | QualityFlag.NO_SIGNAL
    | QualityFlag.NO_OVERLAP
    | QualityFlag.NO_MODEL
    | QualityFlag.NO_RESULT
)


#: Bits that say how something was done, not that anything is wrong.
NOTICE_FLAGS = int(
    QualityFlag.NO_UNCERTAINTY
    | QualityFlag.NOISE_ESTIMATED
    | QualityFlag.RV_MEASURED
    | QualityFlag.MODEL_BY_COVERAGE
    | QualityFlag.ABSURD_ERRORS
)


@overload
def decode_flags(flags: int | np.ndarray, *, return_table: Literal[True]) -> Table: ...


@overload
def decode_flags(
    flags: int | np.ndarray, *, return_table: Literal[False] = ...
) -> list[str] | list[list[str]]: ...


def decode_flags(
    flags: int | np.ndarray, *, return_table: bool = False
) -> list[str] | list[list[str]] | Table:
    """Spell out quality bits.

    Parameters
    ----------
    flags : int or array_like of int
        The ``flags`` column, or one value of it.
    return_table : bool, optional
        Return the meaning of the bits that are set instead of their names.

    Returns
    -------
    list of str, list of list of str, or `~astropy.table.Table`
        Names of the bits set, for each row if an array is given; or a table with
        columns ``bit``, ``name``, ``count``, ``meaning``.

    Examples
    --------
    >>> from astro_latent.spectra import decode_flags
    >>> decode_flags(9)
    ['UNREADABLE', 'NO_OVERLAP']
    >>> decode_flags([0, 512])
    [[], ['LOW_SNR']]
    """
    values = np.asarray(flags, dtype=np.int64)
    if return_table:
        rows = [
            (bit.bit_length() - 1, name, int(np.sum((values & bit) != 0)), text)
            for name, (bit, text) in QUALITY_FLAGS.items()
            if np.any(values & bit)
        ]
        return Table(
            rows=rows or None,
            names=("bit", "name", "count", "meaning"),
            dtype=(int, str, int, str),
        )
    names = [
        [name for name, (bit, _) in QUALITY_FLAGS.items() if value & bit]
        for value in values.ravel().tolist()
    ]
    return names[0] if values.ndim == 0 else names


def explain_flags(flags: int, message: str = "") -> str:
    """Say why a row is flagged, notices aside.

    Parameters
    ----------
    flags : int
        One value of the ``flags`` column.
    message : str, optional
        Details that are known.

    Returns
    -------
    str
        The meaning of each bit that speaks against the row, and the details.

    Examples
    --------
    >>> from astro_latent.utils.quality import explain_flags
    >>> explain_flags(1 << 9, "S/N 8, 20 needed")
    'signal-to-noise below what the model was trained on; S/N 8, 20 needed'
    >>> explain_flags(1 << 8)
    ''
    """
    against = int(flags) & ~NOTICE_FLAGS
    texts = [text for bit, text in QUALITY_FLAGS.values() if against & bit]
    return "; ".join(part for part in (*texts, message) if part)
