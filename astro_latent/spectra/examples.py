# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Write small files that are true to their formats, for examples and tests.

The arrays are yours; headers, table layouts and conventions are those of the real
products: SDSS data model, ESO Science Data Products Standard, HARPS DRS, LAMOST,
GALAH, Gaia's DataLink, the IVOA Spectrum Data Model.
"""

import gzip
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from astropy.io import fits

from ..utils.registry import LazyRegistry
from ..utils.writing import replacing
from .formats import FORMATS, gather_surveys

__all__ = [
    "EXAMPLE_FORMATS", "ExampleSpectrum", "HduList", "even_steps", "star_header",
    "write_example",
]  # fmt: skip

_HERE = "astro_latent.spectra"


HduList: TypeAlias = list[fits.PrimaryHDU | fits.ImageHDU | fits.BinTableHDU]


@dataclass(frozen=True, eq=False)
class ExampleSpectrum:
    """What an example holds.

    Parameters
    ----------
    wavelength : ndarray, shape (n_pixels,)
        Ångström.
    flux, sigma, bits : ndarray, shape (n_pixels,)
        Flux, standard deviations and bit mask; apStar takes several rows of them.
    header : dict
        Parameters, columns or lines of comment of an example that is text.
    """

    wavelength: np.ndarray
    flux: np.ndarray
    sigma: np.ndarray
    bits: np.ndarray
    header: dict[str, Any]

    @property
    def ivar(self) -> np.ndarray:
        """Inverse variances, 0 where there is no error."""
        with np.errstate(divide="ignore"):
            return np.where(self.sigma > 0, 1 / self.sigma**2, 0)

    @property
    def log_steps(self) -> tuple[float, float]:
        """Start and step in the logarithm of the wavelength, which must be even."""
        return even_steps(np.log10(self.wavelength), "the logarithm of the wavelength")


def _all_examples() -> dict[str, str]:
    general = {
        "columns": f"{_HERE}.examples:columns_text",
        "sdm_fits": f"{_HERE}.examples:sdm_hdus",
        "wcs1d": f"{_HERE}.examples:wcs1d_hdus",
        "sdm_votable": f"{_HERE}.example_votables:sdm_votable",
    }
    return gather_surveys("EXAMPLES") | general


#: Formats that `write_example` can write, and what lays them out.
EXAMPLE_FORMATS = LazyRegistry("example format", _all_examples)


def write_example(
    format: str,
    path: str | os.PathLike,
    wavelength: np.ndarray,
    flux: np.ndarray,
    *,
    sigma: np.ndarray | None = None,
    pixmask: np.ndarray | None = None,
    overwrite: bool = True,
    **header: Any,
) -> Path:
    """Write a spectrum in one of the formats that this package reads.

    Parameters
    ----------
    format : str
        One of `~astro_latent.spectra.FORMATS`.
    path : path-like
        Where to; a name in ``.gz`` is compressed.
    wavelength : ndarray, shape (n_pixels,)
        Ångström, in the medium that the format has; evenly spaced, in the logarithm
        for apstar, aspcapstar and lamost_lrs. For apvisit a multiple of three pixels.
    flux : ndarray, shape (n_pixels,) or, for apstar, (n_rows, n_pixels)
        Flux.
    sigma : ndarray of the shape of ``flux``, optional
        Standard deviations, where the format has them; NaN (Phase 3) or one hundredth
        of the median flux by default.
    pixmask : ndarray of int, of the shape of ``flux``, optional
        Bit mask or quality, where the format has one; zeros by default.
    overwrite : bool, optional
        Replace an existing file.
    **header
        Cards of the primary header, or parameters of a VOTable, in place of or beside
        the usual ones; ``**{"ESO DRS BERV": 1.0}`` where a keyword is no Python name.
        None removes.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UnknownNameError
        If there is no example of this format.
    ValueError
        If the wavelengths do not suit the format.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> from astro_latent.spectra import read_arrays, write_example
    >>> path = pathlib.Path(tempfile.mkdtemp(), "star.fits")
    >>> wavelength = 10 ** (4.179 + 6e-6 * np.arange(8575))
    >>> path = write_example("apstar", path, wavelength, np.ones(8575), SNR=120.0)
    >>> read_arrays(path)[0].observation.snr
    120.0
    """
    lay_out = EXAMPLE_FORMATS[format]
    wavelength, flux = np.asarray(wavelength, float), np.asarray(flux)
    if wavelength.shape != flux.shape[-1:]:
        msg = f"flux of shape {flux.shape} does not fit {wavelength.size} wavelengths"
        raise ValueError(msg)
    if sigma is None:
        level = np.abs(np.nanmedian(flux)) if np.isfinite(flux).any() else 0.0
        unknown = format == "eso_phase3"
        sigma = np.full(flux.shape, np.nan if unknown else level / 100 or 1.0)
    pixmask = np.zeros(flux.shape, np.int16) if pixmask is None else np.asarray(pixmask)
    star = ExampleSpectrum(wavelength, flux, sigma, pixmask, header)
    if FORMATS[format].container != "fits":
        text = lay_out(star).encode()
        packed = str(path).endswith(".gz")
        with replacing(path, overwrite=overwrite) as part:
            part.write_bytes(gzip.compress(text) if packed else text)
        return Path(path)
    hdus = lay_out(star)
    for key, value in header.items():
        key = f"HIERARCH {key}" if " " in key or len(key) > 8 else key
        if value is None:
            hdus[0].header.remove(key, ignore_missing=True)
        else:
            hdus[0].header[key] = value
    with replacing(path, overwrite=overwrite) as part:
        fits.HDUList(hdus).writeto(part)
    return Path(path)


def even_steps(values: np.ndarray, kind: str) -> tuple[float, float]:
    """Return start and step of evenly spaced values.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Wavelengths, or their logarithms.
    kind : str
        What they are, for the message.

    Returns
    -------
    start, step : float
        Of the values.

    Raises
    ------
    ValueError
        If they are not evenly spaced.
    """
    start, step = float(values[0]), float(values[-1] - values[0]) / (values.size - 1)
    even = start + step * np.arange(values.size)
    if not np.allclose(values, even, rtol=0, atol=0.01 * abs(step)):
        msg = f"this format needs wavelengths evenly spaced in {kind}"
        raise ValueError(msg)
    return start, step


def star_header(primary: fits.PrimaryHDU) -> fits.Header:
    """Give a header the position that all examples have."""
    head = primary.header
    head["RA"], head["DEC"] = (150.1, "[deg] J2000"), (-30.2, "[deg] J2000")
    return head


def sdm_hdus(star: ExampleSpectrum) -> HduList:
    """Lay out what an SSA service sends as FITS.

    Parameters
    ----------
    star : ExampleSpectrum
        The spectrum, in air; there is no mask here.

    Returns
    -------
    list
        An empty header and a table with one row per pixel.
    """
    layout = [
        ("spectral", "D", "Angstrom", star.wavelength),
        ("flux", "D", "adu", star.flux),
        ("flux_error", "E", "adu", star.sigma),
    ]
    columns = [
        fits.Column(name, form, unit=unit, array=array)
        for name, form, unit, array in layout
    ]
    table = fits.BinTableHDU.from_columns(columns)
    start = "spec:spectrum.data."
    table.header.update(
        {
            "TUTYP1": f"{start}spectralaxis.value",
            "TUTYP2": f"{start}fluxaxis.value",
            "TUCD1": "em.wl;obs.atmos",
            "VOCLASS": "Spectrum-1.0",
            "OBJECT": "EXAMPLE",
            "RA": 150.1,
            "DEC": -30.2,
            "TMID": 60000.255,
            "DER_SNR": 120.0,
        }
    )
    return [fits.PrimaryHDU(), table]


def wcs1d_hdus(star: ExampleSpectrum) -> HduList:
    """Lay out a plain image with a linear axis, and its errors.

    Parameters
    ----------
    star : ExampleSpectrum
        The spectrum, and its bit mask.

    Returns
    -------
    list
        The HDUs.
    """
    start, step = even_steps(star.wavelength, "wavelength")
    primary = fits.PrimaryHDU(star.flux.astype(np.float32))
    keys = {"CTYPE1": "AWAV", "CUNIT1": "Angstrom", "CRPIX1": 1.0}
    star_header(primary).update({**keys, "CRVAL1": start, "CDELT1": step})
    return [primary, fits.ImageHDU(star.sigma.astype(np.float32), name="SIGMA")]


def columns_text(star: ExampleSpectrum) -> str:
    """Lay out a spectrum as CSV.

    Parameters
    ----------
    star : ExampleSpectrum
        The spectrum; there is no mask.

    Returns
    -------
    str
        The text.
    """
    facts = {"OBJECT": "EXAMPLE", "RA": 150.1, "DEC": -30.2} | star.header
    lines = [f"# {key} = {value}" for key, value in facts.items() if value is not None]
    lines.append("wavelength_air [Angstrom],flux,flux_error")
    pixels = np.stack([star.wavelength, star.flux, star.sigma], axis=1).tolist()
    lines += [",".join(map(repr, pixel)) for pixel in pixels]
    return "\n".join([*lines, ""])
