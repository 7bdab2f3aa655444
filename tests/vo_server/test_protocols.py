# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Generic surveys and cross-matching against real SSA, ObsTAP and cone services."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io.votable import parse_single_table
from astropy.table import Table
from pyvo.dal import SCSService
from pyvo.dal.adhoc import DatalinkResults

from astro_latent.archives.http import make_session
from astro_latent.archives.xmatch import tap_crossmatch
from astro_latent.exceptions import TruncatedResultsWarning
from astro_latent.surveys import fetch, get_survey

pytestmark = pytest.mark.vo_server

ALPHA_CEN_B = SkyCoord(219.8960, -60.8375, unit="deg")


@pytest.fixture
def ssa(vo_server):
    return get_survey("ssa", url=vo_server.ssa)


@pytest.fixture
def obscore(vo_server):
    return get_survey("obscore", url=vo_server.tap, collection="HARPS")


class TestSsa:
    def test_roles_become_obscore_columns(self, ssa):
        table = ssa.query_region(ALPHA_CEN_B, 2 * u.arcsec)
        assert len(table) == 6
        assert set(table["target_name"]) == {"HD 128621"}
        np.testing.assert_allclose(table["s_ra"], 219.8960, atol=1e-7)
        np.testing.assert_allclose(table["em_max"], 5.02999e-7, rtol=1e-6)
        np.testing.assert_allclose(sorted(table["t_min"])[0], 56000.2)
        np.testing.assert_allclose(table["access_estsize"], 54.72)

    @pytest.mark.parametrize(
        ("filters", "count"),
        [
            ({"snr": 183}, 3),
            ({"time": (56000.0, 56001.1)}, 1),
            ({"band": [500.0, 501.0] * u.nm}, 6),
            ({"row_limit": 6}, 6),
        ],
    )
    def test_filters(self, ssa, filters, count):
        assert len(ssa.query_region(ALPHA_CEN_B, 2 * u.arcsec, **filters)) == count

    def test_truncation_is_told(self, ssa):
        with pytest.warns(TruncatedResultsWarning, match="more than the 2 rows"):
            assert len(ssa.query_region(ALPHA_CEN_B, 1 * u.deg, row_limit=2)) == 2

    def test_target_names_need_no_name_service(self, ssa):
        assert len(ssa.query_target("HD 10700")) == 4

    def test_files_arrive(self, ssa, tmp_path):
        table = ssa.query_target("HD 0")
        assert set(fetch(table, tmp_path)["fetch_status"]) == {"downloaded"}


class TestObsCore:
    def test_files_come_by_datalink(self, obscore, tmp_path):
        table = obscore.query_region(ALPHA_CEN_B, 2 * u.arcsec, row_limit=-1)
        assert len(table) == 6
        assert set(fetch(table, tmp_path)["fetch_status"]) == {"downloaded"}

    def test_a_target_list(self, obscore):
        targets = Table({"ra": [219.896, 26.017] * u.deg, "dec": [-60.8375, -15.9375]})
        table = obscore.query_targets(targets, 2 * u.arcsec)
        assert sorted(table["target_id"]) == [0] * 6 + [1] * 4

    def test_what_the_standard_lacks_is_refused(self, obscore):
        with pytest.raises(ValueError, match="ObsCore has no signal-to-noise ratio"):
            obscore.query_region(ALPHA_CEN_B, 2 * u.arcsec, snr=5)


class TestCutouts:
    @pytest.mark.filterwarnings("ignore:The unit 'Angstrom' has been deprecated")
    def test_soda_cuts_out_a_band(self, obscore, tmp_path):
        row = obscore.query_region(ALPHA_CEN_B, 2 * u.arcsec)[0]
        with make_session() as session:
            url = row["access_url"]
            links = DatalinkResults.from_result_url(url, session=session)
            stream = links.get_first_proc().process(band=(500.8 * u.nm, 501.2 * u.nm))
            (tmp_path / "cut.vot").write_bytes(stream.read())
        table = parse_single_table(tmp_path / "cut.vot").to_table()
        assert 350 < len(table) < 450
        assert 5007.9 < table["spectral"].min() < table["spectral"].max() < 5012.1


class TestCrossmatch:
    def test_tap(self, vo_server):
        mine = Table({"ra": [26.0170, 1.0, 219.8961], "dec": [-15.9375, 1.0, -60.8375]})
        pairs = tap_crossmatch(mine, vo_server.tap, "alspec.stars", 1 * u.arcsec)
        assert list(pairs["row"]) == [0, 2]
        assert list(pairs["name"]) == ["HD 10700", "HD 128621"]
        expected = SkyCoord(219.8961, -60.8375, unit="deg").separation(ALPHA_CEN_B)
        assert pairs["separation"][1] == pytest.approx(expected.arcsec, abs=1e-4)
        assert pairs["teff"].unit == u.K
        assert pairs["teff"].meta["ucd"] == "phys.temperature.effective"

    def test_the_cone_service_agrees(self, vo_server):
        with make_session() as session:
            service = SCSService(vo_server.cone, session=session)
            found = service.search(ALPHA_CEN_B, radius=2 * u.arcsec).to_table()
        assert list(found["name"]) == ["HD 128621"]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("stilts"), reason="needs STILTS")
def test_the_server_itself_is_a_valid_tap_service(vo_server):
    """Otherwise the tests above would prove little; STILTS ends with 0 all the same."""
    command = ["stilts", "taplint", f"tapurl={vo_server.tap}", "report=EF"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    errors = re.findall(r"Errors?: (\d+)", done.stdout + done.stderr)
    assert errors == ["0"], done.stdout[-3000:]
