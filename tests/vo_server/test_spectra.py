# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra as a real server makes them on the fly: SDM in VOTable and FITS."""

from urllib.parse import urlencode

import numpy as np
import pytest
import requests

from astro_latent.archives.ssa import SsaSurvey
from astro_latent.spectra import identify_format, read_arrays
from astro_latent.spectra.formats import open_file

pytestmark = pytest.mark.vo_server

KINDS = ("application/x-votable+xml;serialization=tabledata", None)


@pytest.fixture(scope="module")
def row(vo_server):
    return SsaSurvey(vo_server.ssa).query_target("HD 10700")[0]


def ask(vo_server, row, path, **parameters):
    query = urlencode({"ID": row["obs_publisher_did"], **parameters})
    url = f"{vo_server.url}/alspec/q/sdl/dlget?{query}"
    answer = requests.get(url, timeout=30)
    answer.raise_for_status()
    path.write_bytes(answer.content)
    return path


@pytest.mark.parametrize("kind", KINDS, ids=["text", "default"])
def test_a_cutout_as_votable(vo_server, row, tmp_path, kind):
    words = {"BAND": "5e-7 5.01e-7", **({"FORMAT": kind} if kind else {})}
    path = ask(vo_server, row, tmp_path / "star.vot", **words)
    with open_file(path) as file:
        assert identify_format(file) == "sdm_votable"
    (found,) = read_arrays(path)
    assert 5000 <= found.wavelength[0] < found.wavelength[-1] <= 5010
    known = found.observation
    assert known.medium == "air"
    assert known.normalisation == "none"
    assert known.target_name == "HD 10700"
    assert known.obs_publisher_did == row["obs_publisher_did"]
    np.testing.assert_allclose((known.ra, known.dec), (26.017, -15.9375), atol=1e-3)
    assert str(found.flux_unit) == "adu"


def test_the_same_as_fits(vo_server, row, tmp_path):
    path = ask(vo_server, row, tmp_path / "star.fits", FORMAT="application/fits")
    with open_file(path) as file:
        assert identify_format(file) == "sdm_fits"
    (found,) = read_arrays(path)
    assert len(found.wavelength) == 3000
    known = found.observation
    assert known.medium == "unknown"  # the server leaves the UCDs out here
    assert (known.target_name, known.noise) == ("HD 10700", "file")
    assert known.obs_publisher_did == row["obs_publisher_did"]
