# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Which stars are for what: the same rule for all sets of real spectra."""

from typing import Any

import numpy as np

__all__ = ["is_test", "select"]

_TEST = (7, 3)  # divisor and rest of the identifiers of test stars


def is_test(identifiers: np.ndarray) -> np.ndarray:
    """Tell which stars only the last look at a finished model may see.

    Parameters
    ----------
    identifiers : ndarray of int
        Of stars.

    Returns
    -------
    ndarray of bool
        True for about one in seven.

    Examples
    --------
    >>> import numpy as np
    >>> from recipes.real.stars import is_test
    >>> is_test(np.array([3, 4, 10]))
    array([ True, False,  True])
    """
    divisor, rest = _TEST
    return identifiers % divisor == rest


def select(spectra: dict[str, Any], rows: np.ndarray) -> dict[str, Any]:
    """Return some of the spectra of a mapping of arrays.

    Parameters
    ----------
    spectra : dict
        Arrays with one row a spectrum, and the wavelengths.
    rows : ndarray
        Indices or booleans.

    Returns
    -------
    dict
        The same for these rows.
    """
    return {
        name: values if name.startswith("wavelength") else values[rows]
        for name, values in spectra.items()
    }
