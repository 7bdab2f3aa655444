# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Register the formats with specutils, for ``Spectrum.read(file)``.

``import astro_latent`` sees to it that this happens as soon as specutils is imported;
from then on `specutils.Spectrum.read` and `specutils.SpectrumList.read` recognise the
formats of `~astro_latent.spectra.FORMATS` by themselves.

specutils is imported within functions only, since this module is itself imported while
specutils is (see ``utils/on_import.py``).
"""

from collections.abc import Callable
from typing import Any

from ..exceptions import SpectrumReadError
from .convert import to_spectrum
from .formats import FORMATS, identify_format, open_file
from .observation import SpectrumArrays
from .reading import SpectraLike, iter_arrays

__all__ = ["register_loaders"]

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
