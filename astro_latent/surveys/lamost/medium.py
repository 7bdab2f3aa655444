# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""LAMOST medium-resolution spectra: a blue and a red arm, combined and single.

Each arm has an extension: ``COADD_B`` and ``COADD_R`` hold what was combined,
``B-84132345`` and the like single exposures. A row per pixel with LOGLAM until DR8, one
row of arrays with WAVELENGTH since. The arms (4950-5350 and 6300-6800 Å) are far apart
and each is calibrated for itself: they are two spectra.
"""

import re
from dataclasses import replace

import numpy as np
from astropy import units as u

from ...exceptions import SpectrumReadError
from ...spectra.checks import finish_arrays, sigma_from_ivar
from ...spectra.facts import number
from ...spectra.fits import FitsFile, Hdu
from ...spectra.formats import Format
from ...spectra.header import chain_headers
from ...spectra.observation import Observation, SpectrumArrays, placeholder
from .facts import is_lamost, read_observation

__all__ = ["LAMOST_MRS", "identify_lamost_mrs", "read_lamost_mrs"]

_ARM = re.compile(r"COADD_[BR]|[BR]-\d+")
_RESOLVING_POWER = 7500.0
_MASKS = ("ANDMASK", "PIXMASK")  # of combined spectra, of single exposures


def _find_arms(file: FitsFile, *, single: bool) -> list[Hdu]:
    """Return the combined arms; the exposures too, if wanted or all there is."""
    arms = [hdu for hdu in file.hdus[1:] if hdu.is_table and _ARM.fullmatch(hdu.name)]
    combined = [hdu for hdu in arms if hdu.name.startswith("COADD")]
    return arms if single or not combined else combined


def identify_lamost_mrs(file: FitsFile) -> bool:
    """Tell whether a file is a LAMOST medium-resolution spectrum."""
    return is_lamost(file) and bool(_find_arms(file, single=True))


def read_lamost_mrs(file: FitsFile, *, visits: bool = False) -> list[SpectrumArrays]:
    """Read the arms of a LAMOST medium-resolution file.

    Parameters
    ----------
    file : FitsFile
        The file.
    visits : bool, optional
        Return the single exposures besides the combined spectra.

    Returns
    -------
    list of SpectrumArrays
        One spectrum for each arm and exposure; ``obs_id`` ends in ``#COADD_B`` and so
        on. An arm that cannot be read is empty and flagged.
    """
    found = []
    for arm in _find_arms(file, single=visits):
        common = read_observation(file)
        name = f"{common.obs_id}#{arm.name}"
        common = replace(common, obs_id=name, resolving_power=_RESOLVING_POWER)
        try:
            found.append(_read_arm(file, arm, common))
        except (SpectrumReadError, ValueError, KeyError, TypeError) as error:
            text = str(error)
            text = (
                text if str(file.path) in text else f"{file.path}: {arm.name}: {text}"
            )
            facts = {key: getattr(common, key) for key in ("target_name", "ra", "dec")}
            facts |= {"obs_id": name, "source": str(file.path), "survey": "lamost"}
            found.append(placeholder(text, **facts))
    return found


def _read_arm(file: FitsFile, arm: Hdu, observation: Observation) -> SpectrumArrays:
    logarithmic = "LOGLAM" in arm.columns
    axis = arm.column("LOGLAM" if logarithmic else "WAVELENGTH").ravel()
    wavelength = axis.astype(np.float64)
    if logarithmic:
        wavelength = 10.0**wavelength
    flux, ivar = arm.column("FLUX").ravel(), arm.column("IVAR").ravel()
    sigma, mask = sigma_from_ivar(ivar)
    for name in _MASKS:
        if name in arm.columns:
            mask |= arm.column(name).ravel() != 0
            break
    own = number(arm.header, "SNR")
    return finish_arrays(
        wavelength,
        flux,
        sigma=sigma,
        mask=mask,
        flux_unit=u.dimensionless_unscaled,
        observation=replace(observation, snr=own),
        meta={"header": chain_headers(arm.header, file.primary)},
    )


LAMOST_MRS = Format(
    name="lamost_mrs",
    title="LAMOST medium-resolution spectrum",
    identify=identify_lamost_mrs,
    read=read_lamost_mrs,
    options=("visits",),
)
