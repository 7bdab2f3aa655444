# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""DataLink of Gaia through astroquery, against archives in its own format."""

import io
import re
import zipfile
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from astro_latent.surveys import fetch
from astro_latent.surveys.gaia.config import conf as gaia_conf


def rvs_votable(source):
    """What one member of Gaia's zip archive holds."""
    table = Table(
        {
            "wavelength": np.linspace(846, 870, 5) * u.nm,
            "flux": np.ones(5),
            "flux_error": np.full(5, 0.01),
        }
    )
    table.meta["description"] = f"Gaia DR3 {source}"
    stream = BytesIO()
    table.write(stream, format="votable")
    return stream.getvalue()


def zipped(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of astroquery's import
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
class TestGaia:
    ids = (4295806720, 34361129088)

    @pytest.fixture
    def gaia(self, stub, say):
        stub.routes["/data-server/data"] = say(
            zipped(
                {
                    f"RVS-Gaia DR3 {self.ids[1]}.xml": rvs_votable(self.ids[1]),
                    "../../evil.xml": b"evil",
                    f"RVS-Gaia DR3 {self.ids[0]}.xml": rvs_votable(self.ids[0]),
                }
            ),
            content_type="application/zip",
        )
        with gaia_conf.set_temp("server_url", f"{stub.url}/"):
            yield stub

    def rows(self, *ids):
        table = Table({"source_id": np.array(ids or self.ids, dtype=np.int64)})
        table["obs_id"] = [f"Gaia-DR3-RVS-{source}" for source in table["source_id"]]
        return table

    def test_one_request_for_all_sources(self, gaia, tmp_path):
        here = set(Path.cwd().iterdir())
        fetched = fetch(self.rows(), tmp_path / "in", survey="gaia")
        assert list(fetched["fetch_status"]) == ["downloaded"] * 2
        body = parse_qs(gaia.requests_for("/data-server/data")[0].body.decode())
        assert body["ID"] == [",".join(map(str, self.ids))]
        assert body["RELEASE"] == ["Gaia DR3"]
        assert body["RETRIEVAL_TYPE"] == ["RVS"]
        assert body["DATA_STRUCTURE"] == ["INDIVIDUAL"]
        first = Table.read(fetched["path"][0], format="votable")
        assert len(first) == 5
        assert str(self.ids[0]) in Path(fetched["path"][0]).name
        # Nothing but our own names, and nothing outside the folder.
        assert len(list((tmp_path / "in").glob("[!.]*"))) == 2
        assert [path.name for path in tmp_path.iterdir()] == ["in"]
        assert set(Path.cwd().iterdir()) == here

    def test_a_second_run_makes_no_request(self, gaia, tmp_path):
        fetch(self.rows(), tmp_path, survey="gaia")
        again = fetch(self.rows(), tmp_path, survey="gaia")
        assert list(again["fetch_status"]) == ["cached"] * 2
        assert len(gaia.requests_for("/data-server/data")) == 1

    def test_a_source_without_spectrum_is_a_flagged_row(self, gaia, tmp_path):
        fetched = fetch(self.rows(99999999, self.ids[0]), tmp_path, survey="gaia")
        assert list(fetched["flags"]) == [1, 0]
        assert "no RVS spectrum of this source" in fetched["message"][0]

    def test_words_of_the_next_release(self, gaia, tmp_path):
        with gaia_conf.set_temp("release", "DR4"):
            fetch(self.rows(), tmp_path, survey="gaia")
        body = parse_qs(gaia.requests_for("/data-server/data")[0].body.decode())
        assert body["RELEASE"] == ["Gaia DR4"]
        assert body["RETRIEVAL_TYPE"] == ["MEAN_SPECTRUM_RVS"]
        assert body["DATA_STRUCTURE"] == ["DATAMODEL_STANDARD"]

    def test_xp(self, gaia, tmp_path):
        fetch(self.rows(), tmp_path, survey="gaia_xp")
        body = parse_qs(gaia.requests_for("/data-server/data")[0].body.decode())
        assert body["RETRIEVAL_TYPE"] == ["XP_SAMPLED"]

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            ({"body": b"<html>maintenance</html>"}, "the answer is no zip archive"),
            ({"status": 500}, "answered 500.*given up after 3"),
            ({"status": 400, "body": b"bad word"}, "answered 400.*bad word"),
        ],
    )
    def test_faults_flag_the_rows(self, gaia, say, tmp_path, answer, message):
        gaia.routes["/data-server/data"] = say(**answer)
        fetched = fetch(self.rows(), tmp_path, survey="gaia")
        assert list(fetched["flags"]) == [1, 1]
        assert np.all([np.char.find(text, "[") > 0 for text in fetched["message"]])
        assert re.search(message, fetched["message"][0])

    def test_a_table_without_sources_is_refused(self, gaia, tmp_path):
        with pytest.raises(ValueError, match="needs a column source_id"):
            fetch(Table({"obs_id": ["x"]}), tmp_path, survey="gaia")
