# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra for specutils: ``read_spectra``, and our formats for ``Spectrum.read``.

``import astro_latent`` sees to it that this happens as soon as specutils is imported;
from then on `specutils.Spectrum.read` and `specutils.SpectrumList.read` recognise the
formats of `~astro_latent.spectra.FORMATS` by themselves.

specutils is imported within functions only, since this module is itself imported while
specutils is (see ``utils/on_import.py``).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import _config
from ..exceptions import SpectrumReadError
from ..utils.guard import guarding
from .convert import to_spectrum
from .formats import FORMATS, identify_format, open_file
from .observation import SpectrumArrays, placeholder
from .reading import SpectraLike, iter_arrays

if TYPE_CHECKING:
    from specutils import Spectrum, SpectrumList

__all__ = ["read_spectra", "register_loaders"]

_EXTENSIONS = {
    "fits": ["fits", "fits.gz"],
    "votable": ["vot", "xml"],
    "table": ["csv", "ecsv"],
}


def _make_identifier(name: str) -> Callable[..., bool]:
    def identify(
        origin: str, path: Any, fileobj: Any, *args: Any, **kwargs: Any
    ) -> bool:
        path = path if isinstance(path, str) else getattr(fileobj, "name", None)
        if origin != "read" or not isinstance(path, str):
            return False
        try:
            with open_file(path) as file:
                return identify_format(file) == name
        except SpectrumReadError:
            return False

    return identify


def _read(source: SpectraLike, **options: Any) -> list[SpectrumArrays]:
    """Read a path, an open file or an HDUList."""
    return list(iter_arrays([source], on_error="raise", **options))


def _register(name: str) -> None:
    from specutils import Spectrum, SpectrumList
    from specutils.io.registers import data_loader

    def load_one(source: Any, **options: Any) -> Spectrum:
        return to_spectrum(_read(source, format=name, **options)[0])

    def load_list(source: Any, **options: Any) -> SpectrumList:
        found = _read(source, format=name, **options)
        return SpectrumList([to_spectrum(arrays) for arrays in found])

    common = {
        "identifier": _make_identifier(name),
        "extensions": _EXTENSIONS[FORMATS[name].container],
        "priority": FORMATS[name].priority,
        "force": True,
    }
    data_loader(name, dtype=Spectrum, autogenerate_spectrumlist=False, **common)(
        load_one
    )
    data_loader(name, dtype=SpectrumList, **common)(load_list)


def register_loaders() -> None:
    """Register each format under its own name; again does no harm.

    Examples
    --------
    >>> from astro_latent.spectra.loaders import register_loaders
    >>> register_loaders()
    """
    for name in FORMATS:
        _register(name)


def read_spectra(
    paths: SpectraLike,
    *,
    format: str | None = None,
    on_error: str = "flag",
    progress: bool | None = None,
    **options: Any,
) -> "SpectrumList":
    """Read many files as specutils objects.

    Parameters
    ----------
    paths : path, folder, glob, table, or iterable of those
        As for `iter_arrays`.
    format : str, optional
        Format of all files.
    on_error : {"flag", "raise"}, optional
        A file that cannot be read becomes a spectrum without pixels whose
        ``meta["observation"]`` is flagged, or an error.
    progress : bool, optional
        Show a progress bar; by default what ``astro_latent.conf`` says.
    **options
        As for `read_arrays`.

    Returns
    -------
    `~specutils.SpectrumList`
        As many spectra as files (more with ``visits=True``), in order.

    Raises
    ------
    SpectrumReadError
        If a file cannot be read and ``on_error="raise"``.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> from astro_latent.spectra import read_spectra, write_example
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> wavelength = np.linspace(5000, 5010, 1001)
    >>> path = write_example("harps_s1d", folder / "a.fits", wavelength, np.ones(1001))
    >>> len(read_spectra([folder / "a.fits", folder / "missing.fits"]))
    2
    """
    from specutils import SpectrumList
    from tqdm.auto import tqdm

    found = iter_arrays(paths, format=format, on_error=on_error, **options)
    show = _config.conf.show_progress if progress is None else progress
    bar = tqdm(found, desc="reading", unit=" spectra", disable=not show)
    return SpectrumList([_to_spectrum(arrays, on_error) for arrays in bar])


def _to_spectrum(arrays: SpectrumArrays, on_error: str) -> "Spectrum":
    """Make a specutils object; what specutils refuses becomes an empty one."""
    seen = arrays.observation
    try:
        with guarding(
            seen.source or seen.obs_id or "the spectrum", SpectrumReadError,
            problem="is no spectrum to specutils", remedy="iter_arrays gives arrays",
        ):  # fmt: skip
            return to_spectrum(arrays)
    except SpectrumReadError as error:
        if on_error == "raise":
            raise
        facts = {"obs_id": seen.obs_id, "source": seen.source}
        return to_spectrum(placeholder(str(error), **facts))
