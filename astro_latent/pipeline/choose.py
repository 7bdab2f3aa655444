# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Which model suits a spectrum: by its survey, else by what it covers.

Only configurations are read here; no network is loaded before a spectrum needs it.
"""

import hashlib
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np
from astropy import log

from ..models.config import ModelConfig
from ..models.locate import weights_configs
from ..spectra.observation import SpectrumArrays
from ..surveys import SURVEYS
from ..utils.quality import QualityFlag
from .loop import Choice

if TYPE_CHECKING:
    from ..models import SpectralModel

__all__ = ["ModelChooser"]

#: Share of a model's pixels that a spectrum has to cover to be taken for its kind.
_COVERED = 0.5
#: Its pixels may be this many times as wide as those of the model.
_COARSE = 2.0
#: Its resolving power, where it is known, must reach this share of the model's.
_SHARP = 0.7


class ModelChooser:
    """Finds a model for each spectrum among those that can be loaded by name.

    Parameters
    ----------
    task : {"encode", "predict"}
        What the model has to do.
    device : str, optional
        Where models run; by default as configured.
    """

    def __init__(self, task: str, device: str | None = None) -> None:
        self._task, self._device = task, device
        self._loaded: dict[str, SpectralModel] = {}
        self._wanted: dict[str, tuple[np.ndarray, float]] = {}
        self.default: SpectralModel | None = None  # of no spectra

    @property
    def used(self) -> list["SpectralModel"]:
        """The models that spectra were given to, in the order in which they came up."""
        return list(self._loaded.values())

    @cached_property
    def _candidates(self) -> dict[str, ModelConfig]:
        """Configurations of the models that can do the task, first choices first."""
        configs = {
            name: config
            for name, config in weights_configs().items()
            if config.task == self._task
        }
        order = [name for names in _recommended().values() for name in names]
        ranks = {name: rank for rank, name in enumerate(order)}
        return dict(
            sorted(configs.items(), key=lambda it: ranks.get(it[0], len(ranks)))
        )

    def choose(self, arrays: SpectrumArrays) -> Choice:
        """Find the model for a spectrum.

        Parameters
        ----------
        arrays : SpectrumArrays
            The spectrum.

        Returns
        -------
        Choice
            A model, or None with the flag ``NO_MODEL`` and a message that names the
            nearest model and what speaks against it.
        """
        if not len(arrays.wavelength):
            return Choice(None)  # nothing was read, and the row says so
        survey = arrays.observation.survey.lower()
        for name, config in self._candidates.items():
            if _same_survey(survey, config) and self._misfit(arrays, name) is None:
                return Choice(self._load(name))
        misfits = {name: self._misfit(arrays, name) for name in self._candidates}
        fits = [name for name, misfit in misfits.items() if misfit is None]
        if fits and not survey:
            text = f"survey unknown; {fits[0]} suits by coverage and resolution"
            return Choice(self._load(fits[0]), QualityFlag.MODEL_BY_COVERAGE, text)
        return Choice(None, QualityFlag.NO_MODEL, self._refusal(survey, misfits))

    def _misfit(self, arrays: SpectrumArrays, name: str) -> str | None:
        """Say what speaks against a model for a spectrum; None if nothing does."""
        config = self._candidates[name]
        if name not in self._wanted:
            wanted = config.grid.wavelength[config.grid.valid]
            self._wanted[name] = wanted, _step(wanted)
        return _compare(arrays, config, *self._wanted[name])

    def again(self) -> tuple[None, str | None]:
        """Return no folder, as none is named, and the device."""
        return None, self._device

    def identity(self) -> str:
        """Return a hash of the candidates, their weights and their order."""
        names = [f"{n} {c.weights['sha256']}" for n, c in self._candidates.items()]
        return f"one of {hashlib.sha256(' '.join(names).encode()).hexdigest()}"

    def load(self, name: str) -> None:
        """Load a model that rows of an earlier run are from; "" stands for none."""
        if name:
            self._load(name)

    def _load(self, name: str) -> "SpectralModel":
        from ..models import load_model

        if name not in self._loaded:
            model = self._loaded[name] = load_model(name, device=self._device)
            log.debug(f"{name} {model.config.version} is loaded, on {model.device}")
        return self._loaded[name]

    def _refusal(self, survey: str, misfits: dict[str, str | None]) -> str:
        """Name the nearest model, and what speaks against it."""
        what = f"survey {survey!r}" if survey else "a spectrum of unknown survey"
        if not misfits:
            return f"no model here can {self._task}"
        mine = [n for n in misfits if _same_survey(survey, self._candidates[n])]
        fitting = [name for name, misfit in misfits.items() if misfit is None]
        nearest = (mine or fitting or list(misfits))[0]
        why = misfits[nearest] or f"it is for {self._candidates[nearest].survey}"
        return f"no model suits {what}; nearest: {nearest}, but {why}"


@cache
def _recommended() -> dict[str, tuple[str, ...]]:
    """Models that the folders of the surveys name, by survey."""
    return {name: SURVEYS[name].models for name in SURVEYS}


def _same_survey(survey: str, config: ModelConfig) -> bool:
    """Whether a spectrum's survey, such as ``apogee-2n``, is that of a model."""
    return bool(survey) and survey.startswith(config.survey.lower())


def _compare(
    arrays: SpectrumArrays, config: ModelConfig, wanted: np.ndarray, its: float
) -> str | None:
    """Compare a spectrum with the wavelengths and the pixels of a model."""
    wavelength = arrays.wavelength
    low, high = wavelength[0], wavelength[-1]
    first = np.searchsorted(wanted, low * 0.998)
    last = np.searchsorted(wanted, high * 1.002, side="right")
    if last - first < _COVERED * len(wanted):
        return (
            f"it covers {wanted[0]:.0f} to {wanted[-1]:.0f} Angstrom, the spectrum "
            f"{low:.0f} to {high:.0f}"
        )
    first = np.searchsorted(wavelength, wanted[0])
    last = np.searchsorted(wavelength, wanted[-1], side="right")
    mine = _step(wavelength[first:last])
    if not mine < _COARSE * its:
        return f"its pixels are {its:.2g} of the wavelength wide, these {mine:.2g}"
    steps = config.recipe_record.get("steps", [])
    blurs = any(step.get("step") == "match_resolution" for step in steps)
    if not blurs and its > _COARSE * mine:
        return f"it takes pixels {its:.2g} of the wavelength wide, not {mine:.2g}"
    sharpness = arrays.observation.resolving_power
    needed = config.grid.resolving_power
    if sharpness < _SHARP * needed:
        return f"it needs R = {needed:.0f}, this has {sharpness:.0f}"
    return None


def _step(wavelength: np.ndarray) -> float:
    """Median width of pixels over their wavelength."""
    if len(wavelength) < 2:
        return np.inf
    return float(np.median(np.diff(wavelength) / wavelength[1:]))
