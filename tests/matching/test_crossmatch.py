"""Matches equal brute force and STILTS, wherever on the sky and however crowded."""

import shutil
import subprocess

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord, angular_separation
from astropy.table import QTable, Table
from astropy.time import Time
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from astro_latent.exceptions import NoResultsWarning
from astro_latent.matching import crossmatch
from astro_latent.tables import check_table, read_table, write_table

ARCSEC = u.arcsec


def sky(ra, dec, **columns):
    table = QTable({"ra": np.asarray(ra, float) * u.deg})
    table["dec"] = np.asarray(dec, float) * u.deg
    for name, ucd in (("ra", "pos.eq.ra"), ("dec", "pos.eq.dec")):
        table[name].info.meta = {"ucd": f"{ucd};meta.main"}
    for name, values in columns.items():
        table[name] = values
    return table


def scattered(rng, n, centre, spread):
    """Positions in a small field; spread in arcsec."""
    points = SkyCoord(*centre, unit="deg").directional_offset_by(
        rng.uniform(0, 360, n) * u.deg, rng.uniform(0, spread, n) * ARCSEC
    )
    return points.ra.deg, points.dec.deg


def brute(first, second, radius):
    """All pairs (i, j) with separations in arcsec, by the full matrix."""
    a, b = ([t[c].to_value("rad") for c in ("ra", "dec")] for t in (first, second))
    matrix = angular_separation(a[0][:, None], a[1][:, None], b[0], b[1])
    matrix *= u.rad.to(ARCSEC)
    i, j = np.nonzero(matrix <= radius)
    return {(int(p), int(q)): matrix[p, q] for p, q in zip(i, j, strict=True)}


CENTRES = [
    (180.0, 10.0),
    (0.0, -30.0),
    (359.99999, 0.0),
    (77.0, 90.0),
    (10.0, -89.9999),
]


@pytest.mark.parametrize("centre", CENTRES)
def test_all_pairs_equal_brute_force(rng, centre):
    first = sky(*scattered(rng, 80, centre, 10), i=np.arange(80))
    second = sky(*scattered(rng, 120, centre, 10), j=np.arange(120))
    expected = brute(first, second, 2.0)
    found = crossmatch(first, second, radius=2 * ARCSEC, find="all")
    pairs = list(zip(found["i"].tolist(), found["j"].tolist(), strict=True))
    assert set(pairs) == set(expected)
    assert len(pairs) == len(expected)
    np.testing.assert_allclose(
        found["separation"].to_value(ARCSEC), [expected[p] for p in pairs], atol=1e-9
    )
    assert pairs == sorted(pairs, key=lambda p: (p[0], expected[p]))


@pytest.mark.parametrize("centre", CENTRES)
def test_best_is_the_nearest_and_the_ambiguity_is_counted(rng, centre):
    first = sky(*scattered(rng, 50, centre, 10), i=np.arange(50))
    second = sky(*scattered(rng, 50, centre, 10), j=np.arange(50))
    expected = brute(first, second, 1.5)
    found = crossmatch(first, second, radius=1.5 * ARCSEC)
    for i, j, n in zip(found["i"], found["j"], found["n_match"], strict=True):
        mine = {q: s for (p, q), s in expected.items() if p == i}
        assert mine[j] == min(mine.values())
        assert n == len(mine)
    assert set(found["i"]) == {p for p, _ in expected}


def test_symmetric_uses_no_row_twice(rng):
    first = sky(*scattered(rng, 60, (5, 5), 10), i=np.arange(60))
    second = sky(*scattered(rng, 60, (5, 5), 10), j=np.arange(60))
    expected = brute(first, second, 2.0)
    found = crossmatch(first, second, radius=2 * ARCSEC, find="symmetric")
    nearest = {}  # the nearest of the second for each of the first ...
    for (p, q), apart in expected.items():
        nearest[p] = min(nearest.get(p, (9, 9)), (apart, q))
    closest = {}  # ... and of those that chose the same, the closest
    for p, (apart, q) in nearest.items():
        closest[q] = min(closest.get(q, (9, 9)), (apart, p))
    pairs = {(p, q) for q, (_, p) in closest.items()}
    assert set(zip(found["i"].tolist(), found["j"].tolist(), strict=True)) == pairs


def test_left_join_keeps_every_row_in_order():
    first = sky([10, 20, np.nan, 30], [0, 0, 0, 0], name=["a", "b", "c", "d"])
    second = sky([20, 30], [0, 0], mag=[1.0, 2.0], n=[7, 8], band=["G", "H"])
    found = crossmatch(first, second, join="left")
    assert list(found["name"]) == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(found["mag"], [np.nan, 1, np.nan, 2])
    assert found["n"].mask.tolist() == [True, False, True, False]
    assert list(found["band"]) == ["", "G", "", "H"]
    assert found["n_match"].tolist() == [0, 1, 0, 1]
    np.testing.assert_array_equal(np.isnan(found["separation"].value), [1, 0, 1, 0])


def test_left_join_with_an_empty_catalogue():
    empty = sky([], [], mag=np.zeros(0))
    with pytest.warns(NoResultsWarning, match="no row of table has a position"):
        found = crossmatch(sky([1], [2]), empty, join="left")
    assert len(found) == 1
    assert np.isnan(found["mag"][0])
    with pytest.warns(NoResultsWarning, match="no row of the first table has"):
        assert len(crossmatch(empty, sky([1], [2]))) == 0


def test_duplicates_are_all_found_and_counted():
    first = sky([10, 10], [0, 0], i=[0, 1])
    second = sky([10] * 6, [0] * 6, j=range(6))
    assert len(crossmatch(first, second, find="all")) == 12
    best = crossmatch(first, second)
    assert best["n_match"].tolist() == [6, 6]
    assert best["j"].tolist() == [0, 0]
    assert crossmatch(first, second, find="symmetric")["j"].tolist() == [0]


def test_matching_twice_keeps_names_apart_and_one_main_position():
    first = sky([10], [0], obs_id=["a"])
    first["obs_id"].info.meta = {"ucd": "meta.id;meta.main"}
    second = sky([10], [0], mag=[1.0] * u.mag)
    second["mag"].info.meta = {"ucd": "phot.mag;em.opt"}
    once = crossmatch(first, second)
    twice = crossmatch(once, second, radius=2 * ARCSEC)
    assert twice.colnames == [
        "ra", "dec", "obs_id", "ra_2", "dec_2", "mag", "separation", "n_match",
        "ra_3", "dec_3", "mag_2", "separation_2", "n_match_2",
    ]  # fmt: skip
    assert check_table(twice) == []
    assert twice["mag_2"].unit == u.mag
    assert twice["mag_2"].info.meta["ucd"] == "phot.mag;em.opt"
    assert twice["separation"].unit == ARCSEC
    assert [r["radius_arcsec"] for r in twice.meta["crossmatch"]] == [1.0, 2.0]


def test_radius_is_inclusive_and_has_a_unit():
    first, second = sky([0], [0]), sky([0], [1 / 3600])
    exact = angular_separation(0, 0, 0, np.deg2rad(1 / 3600)) * u.rad
    assert len(crossmatch(first, second, radius=exact * (1 + 1e-12))) == 1
    with pytest.warns(NoResultsWarning, match="the nearest pair is 1 arcsec apart"):
        assert len(crossmatch(first, second, radius=0.999 * ARCSEC)) == 0
    with pytest.raises(ValueError, match="radius must be positive"):
        crossmatch(first, second, radius=-1 * ARCSEC)
    for wrong in (1 * u.m, 2):
        with pytest.raises(u.UnitsError, match=rf"2 \* astropy.*, not {wrong}"):
            crossmatch(first, second, radius=wrong)


def test_what_is_no_table_is_named():
    stars = sky([0], [0])
    for wrong in (None, ["stars.vot"]):
        with pytest.raises(TypeError, match="other must be a table, file or service"):
            crossmatch(stars, wrong, radius=ARCSEC)
    with pytest.raises(TypeError, match="table must be a table; read_table reads one"):
        crossmatch("stars.vot", stars, radius=ARCSEC)


def test_proper_motion_brings_epochs_together():
    # Barnard's star: 10.4 arcsec per year; apart at 2000 and 2016, the same when moved.
    then = SkyCoord(
        269.45402 * u.deg,
        4.66829 * u.deg,
        pm_ra_cosdec=-802.8 * u.mas / u.yr,
        pm_dec=10362.5 * u.mas / u.yr,
        distance=1.83 * u.pc,
        obstime=Time(2000, format="jyear"),
    )
    now = then.apply_space_motion(Time(2016, format="jyear"))
    gaia = sky([now.ra.deg], [now.dec.deg], ref_epoch=[2016.0] * u.yr)
    gaia["pmra"] = [-802.8] * u.mas / u.yr
    gaia["pmdec"] = [10362.5] * u.mas / u.yr
    old = sky([then.ra.deg], [then.dec.deg])
    with pytest.warns(NoResultsWarning, match="2.77 arcmin apart: there are"):
        assert len(crossmatch(old, gaia, radius=1 * ARCSEC)) == 0  # epoch unknown
    old["ra"].info.meta["coosys"] = {"system": "ICRS", "epoch": "J2000.0"}
    for a, b in ((old, gaia), (gaia, old)):
        found = crossmatch(a, b, radius=1 * ARCSEC)
        assert len(found) == 1
        assert found["separation"][0] < 0.05 * ARCSEC
        assert found.meta["crossmatch"][0]["epoch"] == 2000.0


@pytest.mark.filterwarnings("ignore:ERFA function .pmsafe")
def test_motion_over_the_pole_agrees_with_astropy():
    from astro_latent.matching.positions import Positions

    start = SkyCoord(
        [10.0, 200.0] * u.deg,
        [89.9999, -20.0] * u.deg,
        pm_ra_cosdec=[500.0, 3000.0] * u.mas / u.yr,
        pm_dec=[2000.0, -100.0] * u.mas / u.yr,
        distance=[1.0, 1.0] * u.kpc,
        obstime=Time(2000, format="jyear"),
    )
    rate = (u.mas / u.yr).to(u.rad / u.yr)
    moved = Positions(
        start.ra.rad,
        start.dec.rad,
        2000.0,
        (start.pm_ra_cosdec.value * rate, start.pm_dec.value * rate),
    ).at(2020.0)
    expected = start.apply_space_motion(dt=20 * u.yr)
    apart = angular_separation(moved.ra, moved.dec, expected.ra.rad, expected.dec.rad)
    assert np.all(np.abs(apart) * u.rad < 1e-5 * ARCSEC)


def test_other_frames_files_and_coordinate_columns(tmp_path):
    first = sky([266.4], [-29.0], name=["x"])
    as_column = Table({"where": SkyCoord([266.4], [-29.0], unit="deg")})
    assert len(crossmatch(first, as_column)) == 1
    fk5 = SkyCoord(266.4, -29.0, unit="deg").transform_to("fk4")
    old = sky([fk5.ra.deg], [fk5.dec.deg])
    with pytest.warns(NoResultsWarning, match="in both tables"):
        assert len(crossmatch(first, old)) == 0
    old["ra"].info.meta["coosys"] = {"system": "eq_FK4"}
    assert len(crossmatch(first, old)) == 1
    write_table(first, tmp_path / "c.fits")
    assert crossmatch(first, tmp_path / "c.fits")["name_2"].tolist() == ["x"]


def test_no_position_columns_is_said():
    with pytest.raises(ValueError, match=r"no position columns among \['a'\]"):
        crossmatch(Table({"a": [1]}), sky([1], [1]))
    with pytest.raises(ValueError, match="no column 'lon'"):
        crossmatch(sky([1], [1]), sky([1], [1]), columns=("lon", "lat"))
    with pytest.raises(ValueError, match="find must be one of"):
        crossmatch(sky([1], [1]), sky([1], [1]), find="nearest")


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_positions_match_themselves(data):
    angles = st.tuples(st.floats(0, 360), st.floats(-90, 90))
    ra, dec = zip(*data.draw(st.lists(angles, min_size=1, max_size=12)), strict=True)
    table = sky(ra, dec, i=np.arange(len(ra)))
    found = crossmatch(table, table, find="best", radius=1e-3 * ARCSEC)
    assert found["i"].tolist() == list(range(len(ra)))
    assert np.all(found["separation"] < 1e-6 * ARCSEC)


@pytest.mark.skipif(shutil.which("stilts") is None, reason="no stilts")
@pytest.mark.parametrize(
    ("find", "stilts"), [("best", "best1"), ("all", "all"), ("symmetric", "best")]
)
def test_equal_to_stilts_row_for_row(tmp_path, rng, find, stilts):
    tables = []
    for name in "ij":
        fields = [scattered(rng, 50, centre, 8) for centre in CENTRES]
        ra, dec = (np.concatenate(parts) for parts in zip(*fields, strict=True))
        tables.append(sky(ra, dec, **{name: np.arange(250)}))
        write_table(tables[-1], tmp_path / f"{name}.vot")
    command = f"in1={tmp_path}/i.vot in2={tmp_path}/j.vot out={tmp_path}/out.vot "
    command += "matcher=sky params=1.5 join=1and2 ofmt=votable-binary2"
    values = ["values1=ra dec", "values2=ra dec", f"find={stilts}"]
    subprocess.run(
        ["stilts", "tmatch2", *command.split(), *values],
        check=True,
        capture_output=True,
    )
    theirs = read_table(tmp_path / "out.vot")
    ours = crossmatch(*tables, radius=1.5 * ARCSEC, find=find)
    assert len(ours) > 50
    ours, theirs = (
        {(int(r["i"]), int(r["j"])): r[name].to_value(ARCSEC) for r in t}
        for t, name in ((ours, "separation"), (theirs, "Separation"))
    )
    # STILTS 3.4.7 loses some pairs across RA 0, which brute force says are there.
    truth = brute(*tables, 1.5)
    for i, j in set(ours) - set(theirs):
        assert (i, j) in truth
        assert abs(tables[0]["ra"][i] - tables[1]["ra"][j]) > 359 * u.deg
        assert find == "all"
    assert set(theirs) <= set(ours)
    np.testing.assert_allclose(
        [ours[pair] for pair in theirs], list(theirs.values()), atol=3.6e-6
    )
