# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Ask a network for the abundances of Arcturus, whose literature values are known."""

from pathlib import Path
from typing import Any

import numpy as np

from astro_latent.models import SpectralModel
from astro_latent.preparation import prepare_spectra
from astro_latent.simulation.apogee_synthesis import ALPHA_ELEMENTS
from astro_latent.spectra.observation import Observation, SpectrumArrays

__all__ = ["ARCTURUS", "judge_arcturus", "read_arcturus"]

#: Ramirez & Allende Prieto (2011, ApJ 743, 135): [Fe/H], T_eff, log g, v_micro, and
#: [X/Fe] of fourteen elements (Ti from Ti I). There is no N, P, S or Cu.
ARCTURUS = {
    "teff": 4286.0, "logg": 1.66, "vmicro": 1.74, "fe_h": -0.52,
    "c_fe": 0.43, "o_fe": 0.50, "na_fe": 0.11, "mg_fe": 0.37, "al_fe": 0.34,
    "si_fe": 0.33, "k_fe": 0.20, "ca_fe": 0.11, "ti_fe": 0.27, "v_fe": 0.20,
    "cr_fe": -0.05, "mn_fe": -0.21, "co_fe": 0.09, "ni_fe": 0.06,
}  # fmt: skip

_VELOCITY = 14.0  # km/s: what brings the lines of the atlas to rest


def read_arcturus(path: str | Path) -> SpectrumArrays:
    """Read the FTS atlas of Arcturus as SDSS distributes it.

    Parameters
    ----------
    path : path
        ``arct.20190830.txt``: wavelength in air (Angstrom) and normalised flux.

    Returns
    -------
    SpectrumArrays
        At rest; errors of 0.005 are assumed.
    """
    wavelength, flux = np.loadtxt(path, usecols=(0, 1), unpack=True)
    wavelength, first = np.unique(wavelength, return_index=True)
    flux = flux[first]
    return SpectrumArrays(
        wavelength=wavelength / (1.0 + _VELOCITY / 299_792.458),
        flux=flux,
        sigma=np.full(flux.size, 0.005),
        mask=~(flux > 0.0),
        observation=Observation(
            obs_id="Arcturus", medium="air", frame="rest", radial_velocity=0.0,
            normalisation="continuum", resolving_power=1e5, snr=200.0,
        ),
    )  # fmt: skip


def _published() -> dict[str, float]:
    iron = ARCTURUS["fe_h"]
    return {
        name.replace("_fe", "_h") if name != "fe_h" else name: value
        + (iron if name.endswith("_fe") else 0.0)
        for name, value in ARCTURUS.items()
    }


def judge_arcturus(model: SpectralModel, path: str | Path) -> dict[str, Any]:
    """Compare a network's answer with the literature and with scaled solar.

    Parameters
    ----------
    model : SpectralModel
        Loaded weights.
    path : path
        See `read_arcturus`.

    Returns
    -------
    dict
        For each label the value, its error, the statistical part of that and the
        published value; how many labels lie within one and two errors; for the [X/H]
        mean and scatter of the differences, beside those of published [Fe/H] plus the
        mean published [alpha/Fe] for alpha elements.
    """
    prepared = prepare_spectra([read_arcturus(path)], model.grid, model.recipe)
    result = model.predict(prepared)
    published = _published()
    alpha = float(np.mean([ARCTURUS[f"{x}_fe"] for x in ALPHA_ELEMENTS if x != "s"]))
    report: dict[str, Any] = {"flags": int(result.flags[0]), "labels": {}}
    ours, guess, pulls = [], [], []
    statistical = result.error_statistical
    for column, output in enumerate(model.outputs):
        name, value = output.name, float(result.values[0, column])
        error = float(result.error[0, column])
        entry = {"value": value, "error": error}
        entry["statistical"] = float(statistical[0, column])
        if name in published:
            entry["published"] = published[name]
            pulls.append(abs(value - published[name]) / error)
            if name.endswith("_h") and name != "fe_h":
                excess = alpha if name.removesuffix("_h") in ALPHA_ELEMENTS else 0.0
                ours.append(value - published[name])
                guess.append(ARCTURUS["fe_h"] + excess - published[name])
        report["labels"][name] = entry
    report["within"] = {
        "n": len(pulls),
        "one_error": int(np.sum(np.array(pulls) < 1.0)),
        "two_errors": int(np.sum(np.array(pulls) < 2.0)),
    }
    for title, differences in (("network", ours), ("scaled_solar", guess)):
        report[title] = {
            "n": len(differences),
            "mean": float(np.mean(differences)),
            "standard_deviation": float(np.std(differences)),
            "rms": float(np.sqrt(np.mean(np.square(differences)))),
        }
    return report
