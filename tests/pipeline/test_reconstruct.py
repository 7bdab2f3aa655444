# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Reconstructions have the axis of their input, and every spectrum keeps its place."""

import numpy as np
import pytest

import astro_latent as al


@pytest.fixture(scope="module")
def harps():
    sample = al.get_survey("sample").table()
    return [str(path) for path in sample["path"][sample["survey"] == "harps"]]


def test_each_has_the_pixels_of_its_input(harps, tmp_path):
    broken = tmp_path / "no.fits"
    broken.write_text("no spectrum")
    first, lost, second = al.reconstruct_spectra([harps[0], str(broken), harps[1]])
    for rebuilt, path in ((first, harps[0]), (second, harps[1])):
        (given,) = al.read_spectra(path)
        assert rebuilt.flux.unit == given.flux.unit
        assert (rebuilt.spectral_axis == given.spectral_axis).all()
        good = ~rebuilt.mask & ~given.mask
        assert good.mean() > 0.9
        ratio = rebuilt.flux.value[good] / given.flux.value[good]
        assert np.median(np.abs(ratio - 1)) < 0.02
        assert np.isnan(rebuilt.flux.value[rebuilt.mask]).all()
    assert len(lost.flux) == 0
    assert "no.fits" in lost.meta["observation"].message


def test_spectra_that_no_model_suits_keep_their_place():
    sample = al.get_survey("sample").table()
    apogee = sample[sample["survey"] == "apogee"][:1]
    (rebuilt,) = al.reconstruct_spectra(apogee)
    assert rebuilt.mask.all()
    assert np.isnan(rebuilt.flux.value).all()
    assert "no model suits" in rebuilt.meta["observation"].message


def test_models_that_cannot_decode_are_refused(harps):
    with pytest.raises(TypeError, match="not encode"):
        al.reconstruct_spectra(harps[:1], model="apogee_starnet_v1")
