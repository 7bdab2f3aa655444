"""A model without torch, and tables that hold one of everything."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy import units as u

from astro_latent.preparation.grid import SpectralGrid
from astro_latent.preparation.recipe import Recipe
from astro_latent.spectra.observation import Observation, SpectrumArrays
from astro_latent.tables import ResultTable
from astro_latent.utils.quality import QualityFlag

GRID = SpectralGrid(
    name="tiny",
    spacing="linear",
    start=5000.0,
    step=1.0,
    n_pixels=64,
    medium="air",
    frame="barycentric",
    segments=((0, 64),),
    resolving_power=1000.0,
)
RECIPE = Recipe.from_dict({"steps": [{"step": "resample", "method": "linear"}]})


def _output(name, unit="", ucd="", description="", n=1):
    return SimpleNamespace(name=name, unit=unit, ucd=ucd, description=description, n=n)


class MeanModel:
    """Says the mean flux in different ways; what it gives can be checked by hand."""

    name = "mean_v1"
    version = "1"
    sha256 = "ab" * 32
    config = SimpleNamespace(licence="BSD-3-Clause", citation="Nobody (2026)")
    grid = GRID
    recipe = RECIPE

    def __init__(self, *capabilities):
        self.capabilities = capabilities or ("encode", "predict")
        self.outputs = (
            (_output("latent", n=4),)
            if self.capabilities == ("encode",)
            else (_output("teff", "K"), _output("logg", "dex"))
        )

    def _mean(self, prepared):
        return prepared.flux.sum(axis=1) / np.maximum(prepared.valid.sum(axis=1), 1)

    def encode(self, prepared):
        mean = np.outer(self._mean(prepared), np.arange(1, 5)).astype("f4")
        return SimpleNamespace(mean=mean, sigma=mean / 10, flags=prepared.flags.copy())

    def predict(self, prepared):
        values = np.outer(self._mean(prepared), [1000, 1]).astype("f4")
        parts = (values / 100, values / 200, values / 300)
        return SimpleNamespace(
            values=values,
            error=parts[0],
            error_flux=parts[1],
            error_model=parts[2],
            covariance=parts[0][:, :, None] * parts[0][:, None, :],
            domain_score=np.ones(len(prepared), "f4"),
            flags=prepared.flags | int(QualityFlag.UNLIKE_TRAINING),
        )


@pytest.fixture
def encoder():
    return MeanModel("encode")


@pytest.fixture
def predictor():
    return MeanModel("predict")


def make_spectrum(level, **facts):
    wavelength = np.arange(4990.0, 5080.0)
    observation = {"medium": "air", "frame": "barycentric", "normalisation": "none"}
    return SpectrumArrays(
        wavelength=wavelength,
        flux=np.full(wavelength.size, float(level)),
        sigma=np.full(wavelength.size, 0.01),
        mask=np.zeros(wavelength.size, dtype=bool),
        observation=Observation(**{**observation, "resolving_power": 1000.0, **facts}),
    )


@pytest.fixture
def spectra():
    """Three good spectra; the fourth covers nothing of the grid."""
    good = [
        make_spectrum(i + 1, obs_id=f"star{i}", ra=10.0 * i, dec=-5.0, time=55000.0 + i)
        for i in range(3)
    ]
    far = make_spectrum(1, obs_id="elsewhere", target_name="Ångström")
    return [*good, SpectrumArrays(
        wavelength=far.wavelength + 5000,
        flux=far.flux,
        mask=far.mask,
        observation=far.observation,
    )]  # fmt: skip


@pytest.fixture
def table():
    """One of everything that a result or a catalogue may hold."""
    table = ResultTable()
    table["obs_id"] = ["a", "bb", "", "dddd", "e"]
    table["target_name"] = ["Ångström", "Sun", "", "\U0001d4ae", "x"]
    table["ra"] = [0.0, 359.9999, 10.5, 200.0, np.nan] * u.deg
    table["dec"] = [-90.0, 0.0, 45.25, 90.0, np.nan] * u.deg
    table["obs_time"] = np.arange(5.0) * u.d
    table["teff"] = np.array([3000, 4000, 5000, np.nan, 7000], "f4") * u.K
    table["teff_error"] = np.full(5, 50, "f4") * u.K
    table["logg"] = np.array([0.5, 4.4, -1, np.nan, 2], "f4") * u.dex
    table["wavelength"] = np.linspace(5000, 6000, 5) * u.AA
    table["latent"] = np.arange(40, dtype="f4").reshape(5, 8)
    table["matrix"] = np.arange(30.0).reshape(5, 2, 3)
    table["flags"] = np.array([0, 1, 512, 3, 0], "i4")
    table["counts"] = np.ma.array(np.arange(5, dtype="i8"), mask=[0, 1, 0, 0, 1])
    table["good"] = [True, False, True, True, False]
    position = {"system": "ICRS", "epoch": "J2016.0"}
    for name, meta in {
        "obs_id": {"ucd": "meta.id;meta.main"},
        "ra": {"ucd": "pos.eq.ra;meta.main", "coosys": position},
        "dec": {"ucd": "pos.eq.dec;meta.main", "coosys": position},
        "obs_time": {
            "ucd": "time.epoch",
            "timesys": {
                "timeorigin": 2400000.5,
                "timescale": "UTC",
                "refposition": "TOPOCENTER",
            },
        },
        "teff": {"ucd": "phys.temperature.effective"},
        "flags": {
            "ucd": "meta.code.qual",
            "bits": {"UNREADABLE": [1, "no file"], "LOW_SNR": [512, "a long " * 20]},
        },
    }.items():
        if "bits" in meta:
            meta["bits"]["LOW_SNR"][1] = meta["bits"]["LOW_SNR"][1].strip()
        table[name].info.meta = meta
    table["teff"].info.description = "Effective temperature <of & for> the star"
    table.meta.update(
        description="A table of everything",
        model="mean_v1",
        recipe={"steps": [{"step": "resample", "method": "linear"}]},
        labels=["teff", "logg"],
        number=3,
        fraction=0.25,
        public=True,
        citation="Ångström & Söhne <1868>",
        query='SELECT * FROM x WHERE "a" < 2',
    )
    return table
