"""Whoever finds the pairs, the result has the same columns."""

import sys

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from astro_latent.archives import xmatch
from astro_latent.matching import TapTable, crossmatch
from astro_latent.tables import ResultTable, check_table

RADIUS = 2 * u.arcsec


@pytest.fixture
def stars():
    table = ResultTable({"obs_id": ["a", "b", "c", "d"]})
    table["ra"] = [10.0, np.nan, 20.0, 30.0] * u.deg
    table["dec"] = [0.0, 0.0, 45.0, -60.0] * u.deg
    for name, ucd in (
        ("obs_id", "meta.id"),
        ("ra", "pos.eq.ra"),
        ("dec", "pos.eq.dec"),
    ):
        table[name].info.meta = {"ucd": f"{ucd};meta.main"}
    return table


@pytest.fixture
def catalogue():
    table = Table({"source": [1, 2, 3], "ra": [10.0, 10.0003, 20.0]})
    table["dec"] = [0.0001, 0.0, 45.0]
    for name, ucd in (("ra", "pos.eq.ra"), ("dec", "pos.eq.dec")):
        table[name].unit = "deg"
        table[name].meta["ucd"] = f"{ucd};meta.main"
    table["source"].meta["ucd"] = "meta.id;meta.main"
    return table


@pytest.fixture
def service(monkeypatch, catalogue):
    """Answer as the archives room does, from the catalogue; note what is sent."""
    asked = []

    def answer(sent, radius):
        rows = Table(
            {"row": np.arange(len(sent)), "ra": sent["ra"], "dec": sent["dec"]}
        )
        found = crossmatch(rows, catalogue, radius=radius, find="all", suffix="_c")
        out = Table({"row": found["row"]})
        out["separation"] = found["separation"].value
        for name in ("source", "ra", "dec"):
            values = found[name if name == "source" else f"{name}_c"]
            out[name] = getattr(values, "value", values)
            out[name].unit = catalogue[name].unit
            out[name].meta["ucd"] = catalogue[name].meta["ucd"]
        return out[::-1]

    def vizier(table, name, radius):
        asked.append(("vizier", name, len(table)))
        return answer(table, radius)

    def tap(table, url, name, radius, *, columns, mode):
        asked.append(("tap", url, name, columns, mode, len(table)))
        return answer(table, radius)

    monkeypatch.setattr(xmatch, "vizier_crossmatch", vizier)
    monkeypatch.setattr(xmatch, "tap_crossmatch", tap)
    return asked


TAP = TapTable(url="https://example.org/tap", table="s.stars")


@pytest.mark.parametrize("find", ["best", "all", "symmetric"])
@pytest.mark.parametrize("join", ["inner", "left"])
@pytest.mark.parametrize("other", ["vizier:I/355/gaiadr3", TAP], ids=["cds", "tap"])
def test_services_give_what_a_table_gives(stars, catalogue, service, other, find, join):
    options = {"radius": RADIUS, "find": find, "join": join}
    here = crossmatch(stars, catalogue, **options)
    there = crossmatch(stars, other, **options)
    assert there.colnames == here.colnames
    assert check_table(there) == []
    for name in here.colnames:
        a, b = here[name], there[name]
        assert a.info.unit == b.info.unit
        assert a.info.meta == b.info.meta
        values = [np.ma.filled(getattr(c, "value", c)) for c in (a, b)]
        if values[0].dtype.kind == "f":
            np.testing.assert_allclose(*values, atol=1e-9)
        else:
            np.testing.assert_array_equal(*values)


def test_what_is_asked(stars, service):
    crossmatch(stars, "vizier:simbad")
    crossmatch(stars, TAP)
    assert service == [
        ("vizier", "simbad", 3),
        ("tap", "https://example.org/tap", "s.stars", ("ra", "dec"), "async", 3),
    ]


def test_nothing_to_send(stars, service):
    with pytest.raises(ValueError, match="no row of the table has a position"):
        crossmatch(stars[1:2], "vizier:simbad")
    assert service == []


def test_missing_lsdb_is_said(stars, monkeypatch):
    monkeypatch.setitem(sys.modules, "lsdb", None)
    with pytest.raises(ImportError, match="HATS catalogues need LSDB"):
        crossmatch(stars, "hats:somewhere")
