"""Contract of the formats: each knows its own files and no others."""

import subprocess
import sys

import numpy as np
import pytest

from astro_latent.exceptions import UnknownNameError
from astro_latent.spectra import (
    EXAMPLE_FORMATS,
    FORMATS,
    Format,
    decode_flags,
    identify_format,
    read_arrays,
    write_example,
)
from astro_latent.spectra.formats import open_file

# from the header, not the name; and with the arm
IDENTIFIERS = {
    "sdss_spec": "spec-4055-55359-0596",
    "sdss_spspec": "spec-4055-55359-0596",
    "lamost_mrs": "lamost_mrs#COADD_B",
}


def test_every_format_has_an_example():
    assert sorted(FORMATS) == sorted(EXAMPLE_FORMATS)


@pytest.mark.parametrize("name", EXAMPLE_FORMATS)
def test_format_is_found_and_others_refuse(name, samples):
    file = open_file(samples[name])
    assert identify_format(file) == name
    # the general formats accept any bare image or table, and are asked last
    others = set(FORMATS) - {name, "wcs1d", "sdm_votable", "sdm_fits", "columns"}
    assert [other for other in others if FORMATS[other].matches(file)] == []
    if name not in ("gaia", "sdm_votable"):
        assert not FORMATS["sdm_votable"].matches(file)


@pytest.mark.parametrize("name", EXAMPLE_FORMATS)
def test_format_is_described(name):
    entry = FORMATS[name]
    assert isinstance(entry, Format)
    assert entry.name == name
    assert entry.title


@pytest.mark.parametrize("name", EXAMPLE_FORMATS)
def test_contract_of_what_is_read(name, samples, grid):
    (found,) = read_arrays(samples[name])
    np.testing.assert_allclose(found.wavelength, grid(name), rtol=1e-12)
    assert found.wavelength.dtype == np.float64
    assert np.all(np.diff(found.wavelength) > 0)
    assert found.flux.dtype.isnative
    assert found.mask.dtype == bool
    assert not found.mask.any()
    assert 90 < np.median(found.flux) < 110
    known = found.observation
    assert known.obs_id == IDENTIFIERS.get(name, name)
    assert known.source == str(samples[name])
    assert (known.ra, known.dec) == (150.1, -30.2)
    assert known.medium in ("air", "vacuum")
    assert set(decode_flags(known.flags)) <= {"NOISE_ESTIMATED", "NO_UNCERTAINTY"}
    if FORMATS[name].container == "fits":
        assert found.meta["header"]["NAXIS"] in (0, 1, 2)
    else:
        assert len(found.meta["header"]) >= 3


@pytest.mark.parametrize("name", EXAMPLE_FORMATS)
def test_gzip_is_read_the_same(name, samples, tmp_path):
    import gzip

    packed = tmp_path / f"{samples[name].name}.gz"
    packed.write_bytes(gzip.compress(samples[name].read_bytes()))
    (plain,), (found,) = read_arrays(samples[name]), read_arrays(packed)
    np.testing.assert_array_equal(found.flux, plain.flux)
    np.testing.assert_array_equal(found.wavelength, plain.wavelength)
    assert found.observation.obs_id == plain.observation.obs_id


def test_unknown_format_names_near_ones(samples):
    with pytest.raises(UnknownNameError, match="Did you mean 'apstar'"):
        read_arrays(samples["apstar"], format="apstars")


def test_unknown_option_is_refused(samples):
    with pytest.raises(TypeError, match="no format has the option 'visit'"):
        read_arrays(samples["apstar"], visit=True)


def test_option_of_another_format_is_ignored(samples):
    assert len(read_arrays(samples["harps_s1d"], visits=True)) == 1


def test_unknown_example():
    with pytest.raises(UnknownNameError, match="no example format is called 'sdss'"):
        write_example("sdss", "x.fits", np.arange(3.0), np.ones(3))


def test_example_needs_the_grid_of_the_format(tmp_path):
    with pytest.raises(ValueError, match="evenly spaced in the logarithm"):
        write_example("apstar", tmp_path / "x", np.linspace(1, 2, 99), np.ones(99))
    with pytest.raises(ValueError, match="multiple of 3 pixels, not 100"):
        write_example("apvisit", tmp_path / "x", np.linspace(1, 2, 100), np.ones(100))
    with pytest.raises(ValueError, match=r"shape \(5,\) does not fit 6 wavelengths"):
        write_example("wcs1d", tmp_path / "x", np.linspace(1, 2, 6), np.ones(5))


def test_reading_needs_neither_specutils_nor_torch(samples):
    code = (
        "import sys; from astro_latent.spectra import read_arrays;"
        f"read_arrays({str(samples['apstar'])!r});"
        "heavy = {'specutils', 'torch', 'matplotlib', 'astroquery', 'gwcs'};"
        "sys.exit(','.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
