# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Twenty spectra become parameters and latents that a TAP service and STILTS match."""

import shutil
import subprocess
from io import BytesIO

import numpy as np
import pytest
from astropy import units as u
from pyvo.dal import TAPService

from astro_latent.archives.http import make_session
from astro_latent.matching import TapTable, crossmatch
from astro_latent.pipeline import encode_spectra, predict_parameters
from astro_latent.preparation import HARPS_RECIPE, get_grid
from astro_latent.spectra import write_example
from astro_latent.tables import check_table, read_table, write_table
from astro_latent.utils.quality import FATAL_FLAGS

pytestmark = pytest.mark.vo_server

RADIUS = 3 * u.arcsec
NANODEGREE = (1e-9 * u.deg).to_value(u.arcsec)
#: Stars that the server knows, by number: right ascension and declination.
STARS = {
    1: (219.8960, -60.8375),
    2: (219.9021, -60.8340),
    3: (26.0170, -15.9375),
    4: (269.4521, 4.6934),
    5: (0.0003, 0.0002),
}
GRID = {
    "name": "tiny_harps", "spacing": "linear", "start": 5150.0, "step": 0.05,
    "n_pixels": 20_480, "medium": "air", "frame": "barycentric",
    "segments": [[0, 20_480]], "resolving_power": 115_000.0,
}  # fmt: skip


def make_positions():
    """Four spectra near each star, one of the twenty far from all of them."""
    rng = np.random.default_rng(7)
    places = np.repeat(list(STARS.values()), 4, axis=0)
    places += rng.uniform(-0.7, 0.7, places.shape) / 3600
    places[16, 0] = -0.0001  # on the other side of RA 0, 1.4 arcsec from its star
    places[7, 1] += 0.5
    places[:, 0] %= 360
    return places


def apstar(path, place, flux_level):
    wavelength = 10 ** (4.179 + 6e-6 * np.arange(8575))
    flux = flux_level * (1 - 0.3 * np.exp(-(((wavelength - 16_000) / 2) ** 2)))
    cards = {"OBJID": path.stem, "RA": place[0], "DEC": place[1]}
    return write_example("apstar", path, wavelength, flux, **cards)


def harps_s1d(path, place, flux_level):
    wavelength = 5140 + 0.05 * np.arange(21_000)
    flux = flux_level * (1 - 0.6 * np.exp(-((wavelength - 5500) ** 2)))
    # This format has no errors: the noise is measured.
    flux += np.random.default_rng(9).normal(0, 1, flux.size)
    cards = {"OBJECT": path.stem, "RA": place[0], "DEC": place[1]}
    return write_example("harps_s1d", path, wavelength, flux, **cards)


def write_spectra(folder, write):
    """Write twenty files; the flux of the fourth is nothing but NaN."""
    folder.mkdir()
    levels = [np.nan if i == 3 else 100.0 + i for i in range(20)]
    for i, (place, level) in enumerate(zip(make_positions(), levels, strict=True)):
        write(folder / f"star-{i:02d}.fits", place, level)
    return folder


def predicted(folder):
    """Parameters by a tiny network with random weights."""
    import torch

    from astro_latent.models import save_weights
    from astro_latent.models.architectures.starnet import StarNet
    from astro_latent.preparation import APOGEE_RECIPE

    torch.manual_seed(1)
    shape = {"n_labels": 3, "n_filters": [1, 1], "n_hidden": [4, 4]}
    labels = [
        {"name": "teff", "unit": "K", "scale": 400.0, "offset": 4800.0},
        {"name": "logg", "unit": "dex", "scale": 0.7, "offset": 2.5},
        {"name": "fe_h", "unit": "dex", "scale": 0.3, "offset": -0.2},
    ]
    config = make_config(
        "apogee", "starnet", shape, labels, get_grid("apogee_7214"), APOGEE_RECIPE
    )
    weights = save_weights(folder / "starnet", StarNet(**shape), config)
    return predict_parameters(write_spectra(folder / "apogee", apstar), model=weights)


def encoded(folder):
    """One hundred and twenty-eight latent nodes by random weights."""
    import torch

    from astro_latent.models import save_weights
    from astro_latent.models.architectures.disentangled_autoencoder import (
        DisentangledAutoencoder,
    )
    from astro_latent.preparation import SpectralGrid

    torch.manual_seed(1)
    shape = {"n_pixels": 20_480, "n_latent": 128, "channels": [2] * 10}
    config = make_config(
        "harps", "disentangled_autoencoder", shape, [{"name": "latent", "n": 128}],
        SpectralGrid.from_dict(GRID), HARPS_RECIPE,
    )  # fmt: skip
    network = DisentangledAutoencoder(**shape)
    weights = save_weights(folder / "autoencoder", network, config)
    return encode_spectra(write_spectra(folder / "harps", harps_s1d), model=weights)


def make_config(survey, architecture, shape, outputs, grid, recipe):
    return {
        "name": f"tiny_{architecture}_v1",
        "version": "1",
        "title": "Random weights",
        "description": "Says nothing about stars.",
        "survey": survey,
        "architecture": architecture,
        "arguments": shape,
        "outputs": outputs,
        "grid": grid.to_dict(),
        "recipe": recipe.to_dict(),
        "licence": "BSD-3-Clause",
        "citation": "None.",
    }


@pytest.fixture(scope="module", params=["parameters", "latents"])
def results(request, tmp_path_factory):
    """Path of the VOTable with twenty rows."""
    folder = tmp_path_factory.mktemp(request.param)
    make = {"parameters": predicted, "latents": encoded}[request.param]
    table, path = make(folder), folder / f"{request.param}.vot"
    assert len(table) == 20
    assert np.flatnonzero(table["flags"] & FATAL_FLAGS).tolist() == [3]
    assert check_table(table) == []
    table.write(path)
    return path


@pytest.fixture
def server(vo_server):
    with make_session() as session:
        yield TAPService(vo_server.tap, session=session)


def fetched(query, path):
    """What a service answers, byte by byte, as our own reader sees it."""
    path.write_bytes(query.execute_stream().read())
    return read_table(path)


def expected_pairs(table):
    """Row of the result and number of the star, by brute force."""
    numbers = np.array(list(STARS))
    stars = np.deg2rad(list(STARS.values()))
    ra, dec = np.deg2rad(table["ra"].value), np.deg2rad(table["dec"].value)
    d_ra, d_dec = ra[:, None] - stars[:, 0], dec[:, None] - stars[:, 1]
    cosines = np.cos(dec)[:, None] * np.cos(stars[:, 1])
    half = np.sin(d_dec / 2) ** 2 + cosines * np.sin(d_ra / 2) ** 2
    separation = np.rad2deg(2 * np.arcsin(np.sqrt(half))) * 3600
    rows, columns = np.nonzero(separation <= RADIUS.value)
    return rows, numbers[columns], separation[rows, columns]


def assert_columns_kept(joined, table, rows):
    """Each column of ours came back: values, nulls, shape, unit, UCD, description."""
    for name in table.colnames:
        mine, theirs = table[name][rows], joined[name]
        np.testing.assert_array_equal(np.asarray(theirs), np.asarray(mine), name)
        assert theirs.dtype.kind == mine.dtype.kind, name
        assert theirs.info.unit == mine.info.unit, name
        assert theirs.info.meta["ucd"] == mine.info.meta["ucd"], name
        assert theirs.info.description == mine.info.description, name


def test_crossmatch_with_a_tap_table(results, vo_server):
    table = read_table(results)
    stars = TapTable(url=vo_server.tap, table="alspec.stars", mode="sync")
    joined = crossmatch(table, stars, radius=RADIUS)
    rows, numbers, separation = expected_pairs(table)
    assert len(rows) == 19
    assert list(joined["obs_id"]) == list(table["obs_id"][rows])
    assert list(joined["source_id"]) == list(numbers)
    found = joined["separation"].to_value(u.arcsec)
    np.testing.assert_allclose(found, separation, rtol=0, atol=NANODEGREE)
    assert_columns_kept(joined, table, rows)
    assert joined["teff_2" if "teff" in table.colnames else "teff"].unit == u.K
    assert check_table(joined) == []


def test_upload_of_the_file_as_it_is(results, server, tmp_path):
    """What any other client does with the file gives the same."""
    table = read_table(results)
    query = (
        "SELECT u.*, s.source_id, DISTANCE(POINT('ICRS', u.ra, u.dec), "
        "POINT('ICRS', s.ra, s.dec)) AS apart FROM TAP_UPLOAD.mine AS u JOIN "
        "alspec.stars AS s ON 1 = CONTAINS(POINT('ICRS', u.ra, u.dec), "
        f"CIRCLE('ICRS', s.ra, s.dec, {RADIUS.to_value(u.deg)})) ORDER BY obs_id"
    )
    upload = BytesIO(results.read_bytes())
    asked = server.create_query(query, uploads={"mine": upload})
    joined = fetched(asked, tmp_path / "joined.vot")
    rows, numbers, separation = expected_pairs(table)
    assert list(joined["obs_id"]) == list(table["obs_id"][rows])
    assert list(joined["source_id"]) == list(numbers)
    found = joined["apart"].to_value(u.arcsec)
    np.testing.assert_allclose(found, separation, rtol=0, atol=NANODEGREE)
    assert_columns_kept(joined, table, rows)
    if "latent" in table.colnames:
        assert joined["latent"].shape == (19, 128)
        assert joined["latent"].dtype == np.float32
    name = "latent" if "latent" in table.colnames else "label_covariance"
    nulls = np.isnan(np.asarray(joined[name]))
    assert nulls.any(axis=1).tolist() == nulls.all(axis=1).tolist()
    assert np.flatnonzero(nulls[:, 0]).tolist() == [3]


@pytest.mark.skipif(not shutil.which("stilts"), reason="needs STILTS")
def test_stilts_matches_row_for_row(results, vo_server, server, tmp_path):
    stars, out = tmp_path / "stars.vot", tmp_path / "out.vot"
    table = fetched(server.create_query("SELECT * FROM alspec.stars"), stars)
    write_table(table, stars, overwrite=True)
    words = ["in1=" + str(results), "in2=" + str(stars), f"out={out}", "join=1and2"]
    words += ["matcher=sky", f"params={RADIUS.value}", "find=best1"]
    words += ["values1=ra dec", "values2=ra dec", "ofmt=votable-binary2"]
    command = ["stilts", "tmatch2", *words]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    theirs = read_table(out)
    ours = crossmatch(
        read_table(results),
        TapTable(url=vo_server.tap, table="alspec.stars", mode="sync"),
        radius=RADIUS,
    )
    assert len(theirs) == 19
    for name in ("obs_id", "source_id", "name", "flags"):
        assert list(theirs[name]) == list(ours[name])
    for name in {"latent", "latent_error", "label_covariance"} & set(ours.colnames):
        cells = [np.asarray(matched[name]) for matched in (theirs, ours)]
        np.testing.assert_array_equal(*cells)
    np.testing.assert_allclose(
        theirs["Separation"].to_value(u.arcsec),
        ours["separation"].to_value(u.arcsec),
        rtol=0,
        atol=NANODEGREE,
    )
