# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Files that simulations are made from; they are not part of the package."""

from pathlib import Path

from ..exceptions import AstroLatentError

__all__ = ["find_ingredient"]


def find_ingredient(path: str | Path, what: str) -> Path:
    """Return the path of a file that a simulation needs.

    Parameters
    ----------
    path : path
        Where it should be.
    what : str
        What it is and where it comes from, for the message.

    Returns
    -------
    Path
        The same path.

    Raises
    ------
    AstroLatentError
        If there is no such file.

    Examples
    --------
    >>> from astro_latent.simulation.ingredients import find_ingredient
    >>> find_ingredient("nowhere/O2.fits", "the transmission of oxygen")
    Traceback (most recent call last):
    ...
    astro_latent.exceptions.AstroLatentError: there is no file nowhere/O2.fits ...
    """
    path = Path(path)
    if not path.is_file():
        msg = (
            f"there is no file {path} ({what}); put it there or give another path: "
            "licenses/WEIGHTS.rst names the sources"
        )
        raise AstroLatentError(msg)
    return path
