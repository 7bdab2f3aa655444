"""Mean spectra of Gaia as its archive and GaiaXPy really write them."""

import io
import warnings
import weakref
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits, votable
from astropy.table import Table

from astro_latent.archives import conf
from astro_latent.exceptions import SpectrumReadError
from astro_latent.spectra import decode_flags, iter_arrays, read_arrays, read_spectra
from astro_latent.surveys import fetch
from astro_latent.surveys.gaia import rows
from astro_latent.surveys.gaia.config import conf as gaia_conf

DATA = Path(__file__).parents[1] / "data" / "gaia"
SOURCE = 5937083312263887616
XP = DATA / f"XP_SAMPLED-Gaia DR3 {SOURCE}.xml"
XP_UNIT = u.W / u.m**2 / u.nm


def one(source):
    (found,) = iter_arrays(source, on_error="raise")
    return found


def recorded(kind):
    """Return members of an answer of DataLink that astroquery recorded."""
    home = Path(find_spec("astroquery").origin).parent / "gaia" / "tests" / "data"
    path = home / f"gaia_dr3_source_id_{SOURCE}_dl_products_{kind}.zip"
    if not path.is_file():
        pytest.skip("this astroquery came without its tests")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def xp():
    return one(XP)


def test_xp_sampled_of_the_archive(xp):
    known = xp.observation
    np.testing.assert_array_equal(xp.wavelength, np.arange(3360.0, 10201, 20))
    assert xp.flux_unit.is_equivalent(XP_UNIT)
    # as the csv answer of the same request prints it
    assert xp.flux[0] == pytest.approx(4.3137092e-17)
    assert xp.sigma[0] == pytest.approx(5.7488387e-18)
    assert (known.survey, known.target_name) == ("gaia", str(SOURCE))
    assert (known.ra, known.dec) == pytest.approx((251.519207728, -51.505352555))
    assert (known.medium, known.frame, known.normalisation) == (
        "unknown",
        "unknown",
        "none",
    )
    assert known.flags == 0


@pytest.mark.parametrize("name", ["gaiaxpy.csv", "gaiaxpy.ecsv"])
def test_gaiaxpy_gives_what_the_archive_gives(name, xp):
    found = one(DATA / name)
    np.testing.assert_array_equal(found.wavelength, xp.wavelength)
    np.testing.assert_allclose(found.flux, xp.flux, rtol=3e-5)
    np.testing.assert_allclose(found.sigma, xp.sigma, rtol=3e-5)
    assert found.flux_unit.is_equivalent(XP_UNIT)
    assert found.observation.target_name == str(SOURCE)


def gaiaxpy_frame():
    pandas = pytest.importorskip("pandas")
    table = Table.read(DATA / "gaiaxpy.ecsv", format="ascii.ecsv")
    columns = {name: list(np.asarray(table[name])) for name in table.colnames}
    return pandas.DataFrame(columns), np.asarray(table.meta["sampling"])


def test_gaiaxpy_objects(xp):
    frame, sampling = gaiaxpy_frame()
    for source in (frame, (frame, sampling)):
        found = one(source)
        np.testing.assert_array_equal(found.wavelength, xp.wavelength)
        np.testing.assert_allclose(found.flux, xp.flux, rtol=3e-5)
        assert found.observation.obs_id == str(SOURCE)
    shifted = one((frame, sampling + 1))
    np.testing.assert_array_equal(shifted.wavelength, xp.wavelength + 10)


def test_a_sampling_of_ones_own_is_not_guessed():
    frame, sampling = gaiaxpy_frame()
    for name in ("flux", "flux_error"):
        frame[name] = [values[::7] for values in frame[name]]
    with pytest.raises(SpectrumReadError, match="49 pixels a source and no wavelen"):
        one(frame)
    assert one((frame, sampling[::7])).wavelength[1] == 3500


def test_csv_of_gaiaxpy_without_its_sampling(tmp_path):
    target = tmp_path / "alone.csv"
    target.write_bytes((DATA / "gaiaxpy.csv").read_bytes())
    assert one(target).wavelength.size == 343  # the sampling of the archive
    (tmp_path / "alone_sampling.csv").write_text("pos\n")
    with pytest.raises(SpectrumReadError, match="is no sampling as GaiaXPy writes"):
        one(target)


@pytest.mark.parametrize("kind", ["vot", "fits", "csv", "ecsv"])
def test_the_same_in_all_formats(kind, tmp_path, xp):
    for name, content in recorded(kind).items():
        path = tmp_path / name
        path.write_bytes(content)
        if name.startswith("XP_SAMPLED"):
            found = one(path)
            np.testing.assert_allclose(found.wavelength, xp.wavelength, rtol=1e-12)
            np.testing.assert_allclose(found.flux, xp.flux, rtol=1e-6)
            assert found.flux_unit.is_equivalent(XP_UNIT)
            assert found.observation.target_name == str(SOURCE)
            assert found.observation.ra == pytest.approx(251.519207728)
        elif name.startswith("XP_CONTINUOUS"):
            with pytest.raises(
                SpectrumReadError, match=r"fetch XP_SAMPLED, or .*gaiax"
            ):
                read_arrays(path)
        else:
            with (
                warnings.catch_warnings(action="ignore"),
                pytest.raises(SpectrumReadError, match="no spectrum found"),
            ):
                read_arrays(path)


def as_astroquery(kind):
    """Do with the members what ``Gaia.load_data`` does (astroquery 0.4.11)."""
    files = {}
    for name, content in recorded(kind).items():
        if kind == "fits":
            with fits.open(io.BytesIO(content)) as hdus:
                files[name] = [Table.read(hdu, format="fits") for hdu in hdus[1:]]
        elif kind == "vot":
            files[name] = list(votable.parse(io.BytesIO(content)).iter_tables())
        else:
            files[name] = [Table.read(content.decode(), format="ascii.csv")]
    return files


@pytest.mark.parametrize("kind", ["vot", "fits", "csv"])
@pytest.mark.filterwarnings("ignore")
def test_what_load_data_returns(kind, xp):
    rows = {a.observation.obs_id: a for a in iter_arrays(as_astroquery(kind))}
    assert len(rows) == 3
    found = rows.pop(f"XP_SAMPLED-Gaia DR3 {SOURCE}")
    np.testing.assert_allclose(found.flux, xp.flux, rtol=1e-6)
    assert found.observation.target_name == str(SOURCE)
    for other in rows.values():  # coefficients and a Markov chain
        assert decode_flags(other.observation.flags) == ["UNREADABLE"]


def test_rvs_of_the_archive():
    found = one(DATA / "rvs_mean_spectrum.csv")
    known = found.observation
    assert (known.medium, known.frame, known.normalisation) == (
        "vacuum",
        "rest",
        "continuum",
    )
    assert known.resolving_power == 11_500
    assert found.wavelength[:2] == pytest.approx([8460, 8460.1])
    assert (found.flux[0], found.sigma[0]) == pytest.approx((0.9684156, 0.006533068))
    assert known.target_name == "4268620287278693120"
    assert known.ra == pytest.approx(285.297683150)


def test_rvs_real_files(real_data):
    folder = real_data / "real" / "gaia_rvs"
    for path in sorted(folder.glob("*.csv.gz")):
        found = one(path)
        assert found.wavelength.size == 2401
        assert found.observation.frame == "rest"
        assert 10 < found.observation.snr < 1000
        plain = Table.read(path, format="ascii.csv")
        blank = np.ma.getmaskarray(np.ma.asarray(plain["flux"]))
        np.testing.assert_array_equal(np.isnan(found.flux), blank)


def several(tmp_path, *, broken=False):
    """Two sources in one table, as DATA_STRUCTURE=COMBINED and RAW have them."""
    text = (DATA / "gaiaxpy.csv").read_text().splitlines()
    other = text[1].replace(str(SOURCE), "4295806720")
    path = tmp_path / "two.csv"
    cell = '4295806720,"(1.0, 2.0)","(1.0, word)"' if broken else other
    path.write_text("\n".join([*text, cell, ""]))
    return path


def test_sources_of_one_file_are_told_apart(tmp_path):
    names = [a.observation.obs_id for a in read_arrays(several(tmp_path))]
    assert names == [f"two#{SOURCE}", "two#4295806720"]
    lines = (DATA / "rvs_mean_spectrum.csv").read_text().splitlines()
    more = [line.replace("4268620287278693120", "4295806720") for line in lines[1:]]
    path = tmp_path / "combined.csv"
    path.write_text("\n".join([*lines, *more]))
    first, second = read_spectra(path)
    assert second.meta["observation"].obs_id == "combined#4295806720"
    np.testing.assert_array_equal(first.flux, second.flux)


def test_one_bad_source_costs_no_other(tmp_path):
    good, bad = read_arrays(several(tmp_path, broken=True))
    assert good.wavelength.size == 343
    assert decode_flags(bad.observation.flags) == ["UNREADABLE"]
    assert "something else than numbers" in bad.observation.message
    assert bad.observation.target_name == "4295806720"


def rows_of_one_spectrum(xp, count):
    """Return the archive's spectrum as a table of many sources."""
    flux, sigma = (np.tile(each, (count, 1)) for each in (xp.flux, xp.sigma))
    return Table({"source_id": np.arange(count), "flux": flux, "flux_error": sigma})


def test_a_long_table_is_made_into_spectra_one_at_a_time(tmp_path, xp):
    path = tmp_path / "long.fits"
    rows_of_one_spectrum(xp, 40).write(path)
    seen, alive = [], []
    for spectrum in iter_arrays(path, on_error="raise"):
        np.testing.assert_allclose(spectrum.flux, xp.flux)
        seen.append(weakref.ref(spectrum))
        alive.append(sum(made() is not None for made in seen))
    assert len(seen) == 40
    assert max(alive) <= 2


def test_an_unforeseen_fault_in_a_row_is_a_flagged_row(monkeypatch, tmp_path, xp):
    path, make = tmp_path / "long.fits", rows._make

    def fails_at_two(found, where, *, alone):
        if where.start == 2:
            raise ZeroDivisionError("of nobody's")
        return make(found, where, alone=alone)

    monkeypatch.setattr(rows, "_make", fails_at_two)
    rows_of_one_spectrum(xp, 4).write(path)
    flags = [decode_flags(found.observation.flags) for found in iter_arrays(path)]
    assert flags == [[], [], ["UNREADABLE"], []]
    with pytest.raises(SpectrumReadError, match=r"long\.fits"):
        list(iter_arrays(path, on_error="raise"))


@pytest.mark.parametrize("packed", [False, True])
def test_the_recorded_answer_fetched_and_read(stub, say, tmp_path, packed, xp):
    content = recorded("vot")
    sampled = f"XP_SAMPLED-Gaia DR3 {SOURCE}.xml"
    if packed:  # several products under one source must not be taken for each other
        content = {sampled: content.pop(sampled), **content}
    content["XP_SAMPLED-Gaia DR3 4295806720.xml"] = b"<VOTABLE>cut"
    content["RVS-Gaia DR3 34361129088.xml"] = content[sampled]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, body in content.items():
            archive.writestr(name, body)
    stub.routes["/data-server/data"] = say(stream.getvalue())
    ids = np.array([4295806720, SOURCE, 34361129088, 5], dtype=np.int64)
    with gaia_conf.set_temp("server_url", stub.url):
        rows = fetch(Table({"source_id": ids}), tmp_path, survey="gaia_xp")
    assert list(rows["fetch_status"]) == ["failed", "downloaded", "failed", "failed"]
    assert "the VOTable has no end" in rows["message"][0]
    assert "the archive sent RVS of this source, no XP_SAMPLED" in rows["message"][2]
    assert "no XP_SAMPLED spectrum of this source" in rows["message"][3]
    found = list(iter_arrays(rows))
    np.testing.assert_array_equal(found[1].flux, xp.flux)
    assert [a.wavelength.size for a in found] == [0, 343, 0, 0]


def test_an_error_of_the_service_is_told(stub, say, tmp_path):
    text = (
        b'<?xml version="1.0"?><VOTABLE><RESOURCE><INFO value="ERROR" '
        b'name="QUERY_STATUS"><![CDATA[Cannot process DR9 &amp; more]]></INFO>'
        b"</RESOURCE></VOTABLE>"
    )
    stub.routes["/data-server/data"] = [say(text), say(text, status=400)]
    with gaia_conf.set_temp("server_url", stub.url):
        for _ in range(2):
            rows = fetch(Table({"source_id": [1]}), tmp_path, survey="gaia")
            assert "Cannot process DR9 & more" in rows["message"][0]


def test_settings_that_moved_to_the_surveys():
    before = gaia_conf.server_url
    conf.gaia_server_url = "http://127.0.0.1/"
    try:
        assert gaia_conf.server_url == "http://127.0.0.1/"
    finally:
        gaia_conf.server_url = before
    for name in ("gaia_servr_url", "nonsense"):
        with pytest.raises(AttributeError, match=f"has no setting '{name}'"):
            setattr(conf, name, 1)
