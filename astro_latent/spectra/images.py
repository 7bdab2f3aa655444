# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Which images of a FITS file belong together: flux, wavelengths, errors, masks.

The flux is the primary array or the first image that is called so; what accompanies it
is known by the names of its extensions (``ERR``, ``IVAR``, ``QUAL``, ``B_WAVELENGTH``,
``Sci Error`` ...), of which a prefix tells several spectrographs or fibres apart.
"""

import re
from dataclasses import dataclass, field

from .columns import Column, is_other_light, role_of_name
from .fits import FitsFile, Hdu

__all__ = ["ImageSet", "find_sets"]

_SUFFIX = re.compile(r"(?P<prefix>.+)[ _\-](?P<name>[^ _\-]+)")


@dataclass(frozen=True)
class ImageSet:
    """The images of one spectrum, or of several on the same pixels.

    Parameters
    ----------
    prefix : str
        What their names have in common; "" if nothing.
    images : dict of str to Hdu
        By role.
    """

    prefix: str
    images: dict[str, Hdu] = field(default_factory=dict)

    @property
    def flux(self) -> Hdu:
        """The image of the flux."""
        return self.images["flux"]

    def columns(self) -> dict[str, Column]:
        """Read the images that fit the flux, by role.

        Returns
        -------
        dict of str to Column
            All but wavelengths that a header gives; images of other shapes (a
            resolution matrix) are left out.
        """
        flux, shape = self.flux, self.flux.shape
        found = {}
        for role, hdu in self.images.items():
            fits_rows = hdu.shape == shape
            fits_axis = role == "wavelength" and hdu.shape in (shape[-1:], (1, *shape))
            if hdu is flux or fits_rows or fits_axis:
                unit = str(hdu.header.get("BUNIT") or "")
                found[role] = Column(values=hdu.array(), unit=unit, name=hdu.name)
        return found


def _label(hdu: Hdu) -> tuple[str, str]:
    """Return prefix and role of an image."""
    name = hdu.name
    if name in ("", "COMPRESSED_IMAGE") or (not hdu.index and name == "PRIMARY"):
        return "", ""
    if is_other_light(name):
        return "", "other"
    role, _ = role_of_name(name)
    prefix = ""
    if not role and (found := _SUFFIX.fullmatch(name)):
        role, _ = role_of_name(found["name"])
        prefix = found["prefix"]
        if not role and not role_of_name(prefix)[0]:
            return "", "other"
    version = int(hdu.header.get("EXTVER") or 1)
    return prefix + (f" {version}" if version > 1 else ""), role or "other"


def find_sets(file: FitsFile) -> list[ImageSet]:
    """Group the images of a file.

    Parameters
    ----------
    file : FitsFile
        The open file.

    Returns
    -------
    list of ImageSet
        Those that have a flux, in the order of the file.
    """
    sets: dict[str, ImageSet] = {}
    unnamed: list[Hdu] = []
    for hdu in file.hdus:
        if not hdu.is_image:
            continue
        prefix, role = _label(hdu)
        if not role:
            unnamed.append(hdu)
        elif role != "other":
            sets.setdefault(prefix, ImageSet(prefix)).images.setdefault(role, hdu)
    whole = sets.get("", ImageSet(""))
    primary = file.hdus[0]
    # the primary array is the flux, whatever it is called
    if primary.is_image and _label(primary)[1] in ("", "other"):
        whole.images["flux"] = primary
    elif unnamed and not any("flux" in found.images for found in sets.values()):
        whole.images["flux"] = unnamed[0]
    sets = {"": whole, **sets}
    return [found for found in sets.values() if "flux" in found.images]
