# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""An archive publishes results with `write_resource`; everybody gets them back."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from pyvo.dal import SCSService, TAPService

from astro_latent.archives.http import make_session
from astro_latent.tables import ResultTable, check_table, read_table, write_resource

pytestmark = pytest.mark.vo_server

CENTRE = SkyCoord(80.0, -20.0, unit="deg")
#: Simple Cone Search 1.03 wants the words of 1995 for these three columns.
CONE_UCDS = {"obs_id": "ID_MAIN", "ra": "POS_EQ_RA_MAIN", "dec": "POS_EQ_DEC_MAIN"}


def make_results(rng):
    """Eight rows with one of everything that a result may hold."""
    table = ResultTable({"obs_id": [f"star-{i}" for i in range(8)]})
    names = ["Ångström", "β Pictoris", "Müller 7", "Παρθένος", "plain", "", "ß", "日本"]
    table["target_name"] = names
    table["ra"] = (80.0 + np.arange(8) / 100) * u.deg
    table["dec"] = np.linspace(-20, -19.9, 8) * u.deg
    teff = rng.normal(5000, 500, 8).astype("f4")
    teff[[2, 5]] = np.nan
    table["teff"] = teff * u.K
    table["teff_error"] = np.where(np.isnan(teff), np.nan, 50).astype("f4") * u.K
    table["logg"] = rng.normal(3, 1, 8).astype("f4") * u.dex
    table["radial_velocity"] = rng.normal(0, 30, 8).astype("f4") * u.km / u.s
    table["latent"] = rng.normal(size=(8, 128)).astype("f4")
    table["flags"] = np.array([0, 1, 2, 512, 0, 3, 2**20, 0], "i4")
    table["visits"] = np.ma.array(np.arange(8, dtype="i8"), mask=[0, 1] * 4)
    for name, ucd in {
        "obs_id": "meta.id;meta.main",
        "target_name": "meta.id;src",
        "ra": "pos.eq.ra;meta.main",
        "dec": "pos.eq.dec;meta.main",
        "teff": "phys.temperature.effective",
        "teff_error": "stat.error;phys.temperature.effective",
        "logg": "phys.gravity",
        "radial_velocity": "spect.dopplerVeloc.opt",
        "latent": "stat.param",
        "flags": "meta.code.qual",
        "visits": "meta.number;obs",
    }.items():
        table[name].info.meta = {"ucd": ucd}
        table[name].info.description = f"What {name} means"
    table.meta["description"] = "Results for Ångström & others"
    return table


@pytest.fixture(scope="module")
def published(vo_server, tmp_path_factory):
    """The table, and the address of the resource that serves it."""
    if vo_server.dachs is None:
        pytest.skip("the running server was not started by these tests")
    table = make_results(np.random.default_rng(5))
    folder = tmp_path_factory.mktemp("resource") / "allatents"
    write_resource(table, folder, title="Latents of stars", creator="Doe, J.")
    return table, vo_server.dachs.publish(folder)


def assert_same(served, table, ucds=()):
    """Values, nulls, units, UCDs and descriptions are those of the table."""
    ucds = dict(ucds)
    assert set(table.colnames) <= set(served.colnames)
    for name in table.colnames:
        mine, theirs = table[name], served[name]
        assert theirs.info.unit == mine.info.unit, name
        ucd = ucds.get(name, mine.info.meta["ucd"])
        assert theirs.info.meta["ucd"] == ucd, name
        assert theirs.info.description == mine.info.description, name
        assert theirs.shape == mine.shape, name
        values = [np.asarray(getattr(c, "value", c)) for c in (mine, theirs)]
        nulls = np.ma.getmaskarray(np.ma.asarray(mine))
        if nulls.any():
            np.testing.assert_array_equal(
                np.ma.getmaskarray(np.ma.asarray(theirs)), nulls, err_msg=name
            )
        np.testing.assert_array_equal(*(v[~nulls] for v in values), err_msg=name)


def answered(query, path):
    """What a service answers, byte by byte, as our own reader sees it."""
    path.write_bytes(query.execute_stream().read())
    return read_table(path)


def test_tap_gives_the_table_back(published, vo_server, tmp_path):
    table, _ = published
    with make_session() as session:
        service = TAPService(vo_server.tap, session=session)
        query = "SELECT * FROM allatents.results ORDER BY obs_id"
        served = answered(service.create_query(query), tmp_path / "all.vot")
    assert_same(served, table)
    assert check_table(served) == []
    assert served["latent"].dtype == np.float32


def test_the_schema_tells_what_columns_mean(published, vo_server):
    table, _ = published
    with make_session() as session:
        service = TAPService(vo_server.tap, session=session)
        known = service.tables["allatents.results"]
    assert known.description == "Results for Ångström & others"
    columns = {column.name: column for column in known.columns}
    assert set(table.colnames) <= set(columns)
    assert columns["latent"].ucd == "stat.param"
    assert columns["latent"].description == "What latent means"


def test_text_and_nulls_can_be_asked_for(published, vo_server):
    with make_session() as session:
        service = TAPService(vo_server.tap, session=session)
        query = "SELECT obs_id FROM allatents.results WHERE {} ORDER BY obs_id"
        named = service.run_sync(query.format("target_name = 'Ångström'"))
        without = service.run_sync(query.format("teff IS NULL"))
        unknown = service.run_sync(query.format("visits IS NULL"))
    assert list(named["obs_id"]) == ["star-0"]
    assert list(without["obs_id"]) == ["star-2", "star-5"]
    assert list(unknown["obs_id"]) == ["star-1", "star-3", "star-5", "star-7"]


def test_cone_search_gives_its_rows_back(published, tmp_path):
    table, address = published
    radius = 0.035 * u.deg
    with make_session() as session:
        service = SCSService(f"{address}/cone/scs.xml", session=session)
        query = service.create_query(CENTRE, radius=radius, verbosity=3)
        served = answered(query, tmp_path / "cone.vot")
    places = SkyCoord(table["ra"], table["dec"])
    inside = table[places.separation(CENTRE) <= radius]
    assert 1 < len(inside) < len(table)
    served.sort("obs_id")
    assert_same(served, inside, CONE_UCDS)
