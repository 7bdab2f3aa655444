"""Arrays and specutils objects say the same."""

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.nddata import InverseVariance, StdDevUncertainty, VarianceUncertainty
from hypothesis import given, settings
from hypothesis import strategies as st

from astro_latent.exceptions import SpectrumReadError
from astro_latent.spectra import (
    EXAMPLE_FORMATS,
    Observation,
    SpectrumArrays,
    decode_flags,
    from_spectrum,
    read_arrays,
    to_spectrum,
)


def assert_equal(one, other):
    for name in ("wavelength", "flux", "mask"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.sigma is None) == (other.sigma is None)
    if one.sigma is not None:
        np.testing.assert_array_equal(one.sigma, other.sigma)
    assert one.flux_unit == other.flux_unit
    assert one.flux.dtype == other.flux.dtype
    assert repr(one.observation) == repr(other.observation)
    assert one.meta == other.meta


@pytest.mark.parametrize("name", EXAMPLE_FORMATS)
def test_round_trip_without_loss(name, samples):
    (arrays,) = read_arrays(samples[name])
    assert_equal(from_spectrum(to_spectrum(arrays)), arrays)


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(st.floats(1e-3, 10), min_size=2, max_size=30),
    frame=st.sampled_from(["observed", "rest", "unknown"]),
    velocity=st.one_of(st.just(np.nan), st.floats(-500, 500)),
    data=st.data(),
)
def test_any_spectrum_survives(steps, frame, velocity, data):
    size = len(steps)
    numbers = st.floats(0.5, 2, width=32)
    arrays = SpectrumArrays(
        wavelength=4000 + np.cumsum(steps),
        flux=np.array(data.draw(st.lists(numbers, min_size=size, max_size=size))),
        sigma=np.array(data.draw(st.lists(numbers, min_size=size, max_size=size))),
        mask=np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size))),
        flux_unit=u.Jy,
        observation=Observation(frame=frame, radial_velocity=velocity, snr=3.0),
    )
    once = from_spectrum(to_spectrum(arrays))
    np.testing.assert_array_equal(once.wavelength, arrays.wavelength)
    np.testing.assert_array_equal(once.flux, arrays.flux)
    np.testing.assert_array_equal(once.mask, arrays.mask)
    assert_equal(from_spectrum(to_spectrum(once)), once)


def spectrum(axis=None, flux=None, **kwargs):
    from specutils import Spectrum

    axis = [5000, 5001, 5002, 5003] * u.AA if axis is None else axis
    flux = np.array([1.0, 2.0, 3.0, 4.0]) * u.Jy if flux is None else flux
    return Spectrum(spectral_axis=axis, flux=flux, **kwargs)


@pytest.mark.parametrize("unit", ["nm", "um", "Hz", "eV", "1/cm", "m"])
def test_any_unit_of_wavelength_frequency_energy(unit):
    truth = np.array([5000.0, 5001, 5002, 5003])
    axis = (truth * u.AA).to(unit, u.spectral())
    found = from_spectrum(spectrum(axis))
    np.testing.assert_allclose(found.wavelength, truth, rtol=1e-12)
    assert found.flux.tolist() == [1, 2, 3, 4]
    again = from_spectrum(spectrum(axis[::-1], np.array([4.0, 3, 2, 1]) * u.Jy))
    np.testing.assert_allclose(again.wavelength, truth, rtol=1e-12)
    assert again.flux.tolist() == [1, 2, 3, 4]


@pytest.mark.filterwarnings("ignore:Physical type may be ambiguous:UserWarning")
def test_velocities_are_refused_with_reason():
    with pytest.raises(SpectrumReadError, match=r"axis is a velocity \(km / s\)"):
        from_spectrum(spectrum([1, 2, 3, 4] * u.km / u.s))


def test_several_spectra_at_once_are_refused():
    with pytest.raises(SpectrumReadError, match=r"flux has shape \(2, 4\)"):
        from_spectrum(spectrum(flux=np.ones((2, 4)) * u.Jy))


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (StdDevUncertainty, [0.5, 0.5, 0.5, 0.5]),
        (VarianceUncertainty, [0.25] * 4),
        (InverseVariance, [4.0] * 4),
    ],
)
def test_three_kinds_of_uncertainty(kind, values):
    found = from_spectrum(spectrum(uncertainty=kind(values)))
    np.testing.assert_allclose(found.sigma, 0.5)
    assert found.observation.noise == "file"
    assert found.observation.snr == pytest.approx(5)


def test_uncertainty_in_another_unit():
    found = from_spectrum(spectrum(uncertainty=StdDevUncertainty([500.0] * 4 * u.mJy)))
    np.testing.assert_allclose(found.sigma, 0.5)


def test_inverse_variance_of_zero_is_no_data():
    found = from_spectrum(spectrum(uncertainty=InverseVariance([4.0, 0.0, 4.0, 4.0])))
    assert found.mask.tolist() == [False, True, False, False]
    assert found.sigma[0] == 0.5


def test_no_uncertainty_is_said():
    found = from_spectrum(spectrum())
    assert found.sigma is None
    assert decode_flags(found.observation.flags) == ["NO_UNCERTAINTY"]
    assert found.observation.medium == found.observation.frame == "unknown"
    assert np.isnan(found.observation.radial_velocity)


def test_nan_flux_and_bit_masks():
    flux = np.array([1.0, np.nan, 3.0, 4.0]) * u.Jy
    found = from_spectrum(spectrum(flux=flux, mask=np.array([0, 0, 0, 64])))
    assert found.mask.tolist() == [False, True, False, True]


def test_integer_flux():
    assert from_spectrum(spectrum(flux=[1, 2, 3, 4] * u.ct)).flux.dtype.kind == "f"


def test_repeated_wavelengths_are_refused():
    with pytest.raises(SpectrumReadError, match="wavelength repeats at pixel 2"):
        from_spectrum(spectrum([5000, 5001, 5001, 5002] * u.AA))


def test_radial_velocity_of_the_object_counts():
    found = from_spectrum(spectrum(radial_velocity=7000 * u.m / u.s))
    assert found.observation.radial_velocity == pytest.approx(7)


def test_header_of_another_reader():
    from astropy.io import fits

    header = fits.Header({"OBJECT": "HD 1", "RA": 10.0, "DEC": 20.0, "AIRORVAC": "air"})
    header["SPECSYS"] = "BARYCENT"
    known = from_spectrum(spectrum(meta={"header": header})).observation
    assert (known.target_name, known.ra, known.dec) == ("HD 1", 10.0, 20.0)
    assert (known.medium, known.frame) == ("air", "barycentric")


def test_header_that_is_the_whole_of_the_extras():
    from specutils import Spectrum

    header = fits.Header(
        {"OBJECT": "HD 1", "RA": 10.0, "DEC": -5.0, "CTYPE1": "AWAV", "SNR": 80.0}
    )
    header["SPECSYS"] = "BARYCENT"
    for meta in (header, dict(header)):
        spectrum = Spectrum(
            spectral_axis=[5000, 5001] * u.AA, flux=[1.0, 2.0] * u.Jy, meta=meta
        )
        seen = from_spectrum(spectrum).observation
        assert (seen.target_name, seen.ra, seen.dec) == ("HD 1", 10.0, -5.0)
        assert (seen.medium, seen.frame, seen.snr) == ("air", "barycentric", 80.0)
