# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Files that only specutils knows: one spectrum, a list of them, or a collection.

Its loaders for no survey in particular are left out: they take numbers of pixels for
wavelengths where a file has none, and what they do right is done here as well.
"""

import threading
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ..exceptions import SpectrumReadError
from ..utils.files import is_packed, open_regular, read_whole
from .facts import identifier_from_path
from .observation import SpectrumArrays

if TYPE_CHECKING:
    from specutils import Spectrum, SpectrumCollection, SpectrumList

__all__ = ["list_formats", "read_foreign"]

_UNMAPPED = threading.Lock()  # settings of Astropy are those of all threads

#: Loaders of specutils that any image or table satisfies.
_UNSPECIFIC = ("wcs1d-fits", "iraf", "tabular-fits", "generic cube", "ASCII", "ECSV")

#: What the documents of these surveys say and their files do not. A frame of which
#: they say nothing stays unknown: none of this was compared with lines in real files.
_FACTS = {
    "JWST": {"medium": "vacuum"},  # JWST User Documentation, spectroscopy
    "HST": {"medium": "vacuum"},  # Data Handbooks of COS and of STIS
    # CTYPE1 = WAVE-LOG in the data model; heliocentric in Law et al. (2016)
    "MaNGA": {"medium": "vacuum", "frame": "barycentric"},
    "DESI": {"medium": "vacuum", "frame": "barycentric"},  # Guy et al. (2023)
    "SDSS": {"medium": "vacuum"},  # VACUUM = T in the data model of spec files
    "APOGEE": {"medium": "vacuum"},  # Nidever et al. (2015)
    # "wavelength in units of nm (vacuum)", datamodel.txt of Subaru-PFS/datamodel
    "Subaru-pfs": {"medium": "vacuum"},
}


def list_formats() -> list[str]:
    """Return the names of all formats that specutils can read.

    Returns
    -------
    list of str
        For ``format=``.
    """
    from specutils import Spectrum, SpectrumCollection, SpectrumList

    kinds = (Spectrum, SpectrumList, SpectrumCollection)
    return list(dict.fromkeys(name for kind in kinds for name in _formats_of(kind)))


def _formats_of(kind: type) -> list[str]:
    from astropy.io import registry

    return registry.get_formats(kind, readwrite="Read")["Format"].tolist()


def _identify(path: Path, own: Container[str]) -> list[str]:
    """Return the formats of specutils that a file has, of those that are of a survey.

    What specutils reads as a Spectrum it reads as a SpectrumList, by the same token:
    each of its forty questions, which open the file, is asked once.
    """
    from astropy.io import registry
    from specutils import SpectrumCollection, SpectrumList

    found = [
        name
        for kind in (SpectrumList, SpectrumCollection)
        for name in registry.identify_format("read", kind, str(path), None, [], {})
    ]
    return [name for name in found if name not in _UNSPECIFIC and name not in own]


def read_foreign(
    path: Path, format: str | None, *, own: Container[str] = ()
) -> list[SpectrumArrays]:
    """Let specutils read a file; its loaders may raise anything.

    Parameters
    ----------
    path : Path
        The file.
    format : str or None
        One of specutils' formats; found out if not given.
    own : container of str, optional
        Formats of this package, which specutils knows as well.

    Returns
    -------
    list of SpectrumArrays
        All spectra that it finds.

    Raises
    ------
    SpectrumReadError
        If it finds none, or they are no spectra; the message says why.
    """
    with _unpacked(path) as plain:
        return _read_plain(path, plain, format, own)


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """Lend a file as it is unpacked: in packed ones Astropy may look without end."""
    with open_regular(path) as stream:
        packed = is_packed(stream.read(3))
    if not packed:
        yield path
        return
    with TemporaryDirectory() as folder:
        plain = Path(folder, path.stem)
        plain.write_bytes(read_whole(path))
        yield plain


def _read_plain(
    path: Path, plain: Path, format: str | None, own: Container[str]
) -> list[SpectrumArrays]:
    """Try all kinds of objects that specutils has."""
    from specutils import Spectrum, SpectrumCollection, SpectrumList

    names, reasons = [format] if format else _identify(plain, own), []
    for kind in (Spectrum, SpectrumList, SpectrumCollection) if names else ():
        try:
            can = names if format else _formats_of(kind)
            name = next((name for name in names if name in can), None)
            if name is None:
                continue
            found = list(_take_apart(_read_unmapped(kind, plain, name)))
        except Exception as error:
            reason = str(error).strip().split("\n")[0] or type(error).__name__
            reason = reason.replace(str(plain), str(path))
            reasons.append(f"{type(error).__name__}: {reason}")
            continue
        return [_describe(s, path, name, n, len(found)) for n, s in enumerate(found)]
    why = reasons[0] if reasons else "none fits"
    msg = (
        f"{path}: no spectrum found, by readers here or of specutils ({why}); if it "
        "has columns, name them: column_mapping=, --spectrum-columns"
    )
    raise SpectrumReadError(msg)


def _read_unmapped(
    kind: "type[Spectrum] | type[SpectrumList] | type[SpectrumCollection]",
    path: Path,
    name: str,
) -> "Spectrum | SpectrumList | SpectrumCollection":
    """Read without mapping: a file that is cut meanwhile would end the process."""
    from astropy.io import fits

    with _UNMAPPED, fits.conf.set_temp("use_memmap", False):
        return kind.read(str(path), format=name)


def _take_apart(
    found: "Spectrum | SpectrumList | SpectrumCollection",
) -> "Iterator[Spectrum]":
    """Yield spectra of one dimension of whatever a loader has returned."""
    from specutils import Spectrum, SpectrumCollection

    from .convert import split_spectrum

    if isinstance(found, Spectrum):
        yield from split_spectrum(found)
        return
    several = isinstance(found, SpectrumCollection)
    for number in range(found.flux.shape[0] if several else len(found)):
        yield from split_spectrum(found[number])


def _describe(
    spectrum: "Spectrum", path: Path, name: str, number: int, count: int
) -> SpectrumArrays:
    """Turn a spectrum into arrays, named, with what its survey is known for."""
    from .convert import from_spectrum

    if str(spectrum.spectral_axis.unit) in ("pix", "pixel", ""):
        msg = f"{path}: specutils ({name}) finds pixels, not wavelengths"
        raise SpectrumReadError(msg)
    arrays = from_spectrum(spectrum)
    seen = arrays.observation
    known = next((_FACTS[word] for word in _FACTS if name.startswith(word)), {})
    facts: dict[str, Any] = {
        key: value for key, value in known.items() if getattr(seen, key) == "unknown"
    }
    suffix = f"#{number + 1}" if count > 1 else ""
    obs_id = (seen.obs_id or identifier_from_path(path)) + suffix
    seen = replace(seen, source=seen.source or str(path), obs_id=obs_id, **facts)
    return replace(arrays, observation=seen)
