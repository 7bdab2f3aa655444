# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Results matched with Gaia DR3 at CDS: what is sent, what comes back."""

import csv
from email import message_from_bytes

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from astro_latent import crossmatch, read_table
from astro_latent.archives import conf
from astro_latent.tables import ResultTable, check_table

RADIUS = 2 * u.arcsec
PROXIMA = 5853498713190525696  # more digits than a float holds

#: Name, unit, UCD and type of what the service answers beside what it was sent.
GAIA = (
    ("RA_ICRS", "deg", "pos.eq.ra;meta.main", "double"),
    ("DE_ICRS", "deg", "pos.eq.dec;meta.main", "double"),
    ("Source", "", "meta.id;meta.main", "long"),
    ("Plx", "mas", "pos.parallax.trig", "double"),
    ("pmRA", "mas/yr", "pos.pm;pos.eq.ra", "double"),
    ("Gmag", "mag", "phot.mag;em.opt", "float"),
    ("RUWE", "", "stat.error", "float"),
)
STARS = {  # Source: position, and the rest of its row
    PROXIMA: (217.3923, -62.6761, "768.07", "-3781.74", "8.985", "1.0"),
    1: (26.0170, -15.9375, "", "", "15.1", ""),
    2: (26.0173, -15.9375, "3.0", "1.0", "17.5", "1.2"),
}


def answer(request, said):
    """Match like the service: all pairs within the radius, farthest first."""
    fields = form(request)
    rows = list(csv.DictReader(fields["cat1"].splitlines()))
    radius = float(fields["distMaxArcsec"])
    lines = []
    for row in rows:
        place = SkyCoord(float(row["al_ra"]), float(row["al_dec"]), unit="deg")
        for source, (ra, dec, *more) in STARS.items():
            apart = place.separation(SkyCoord(ra, dec, unit="deg")).arcsec
            if apart <= radius:
                cells = (apart, *row.values(), ra, dec, source, *more)
                lines.append((apart, "".join(f"<TD>{c}</TD>" for c in cells)))
    data = "".join(f"<TR>{text}</TR>" for _, text in sorted(lines, reverse=True))
    sent = (("al_row", "", "", "long"), ("al_ra", "", "", "double"))
    known = (
        ("angDist", "arcsec", "pos.angDistance", "double"), *sent,
        ("al_dec", "", "", "double"), *GAIA,
    )  # fmt: skip
    columns = "".join(
        f'<FIELD name="{name}" unit="{unit}" ucd="{ucd}" datatype="{kind}"/>'
        for name, unit, ucd, kind in known
    )
    columns = columns.replace(' unit=""', "").replace(' ucd=""', "")
    text = (
        '<VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
        f"<RESOURCE><TABLE>{columns}<DATA><TABLEDATA>{data}</TABLEDATA></DATA></TABLE>"
        "</RESOURCE></VOTABLE>"
    )
    return said(text.encode(), content_type="text/xml")


def form(request):
    """Fields of a form that was sent."""
    kind = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    parts = message_from_bytes(kind + request.body).get_payload()
    return {
        part.get_param("name", header="content-disposition"): part.get_payload()
        for part in parts
    }


@pytest.fixture
def cds(stub, say):
    stub.routes["/sync"] = lambda request: answer(request, say)
    with conf.set_temp("xmatch_url", f"{stub.url}/sync"):
        yield stub


@pytest.fixture
def results():
    """Latents of four stars: one unknown to Gaia, one without a position."""
    table = ResultTable({"obs_id": ["tau Cet", "nowhere", "Proxima", "lost"]})
    table["ra"] = [26.0171, 100.0, 217.3924, np.nan] * u.deg
    table["dec"] = [-15.9375, 80.0, -62.6761, np.nan] * u.deg
    table["teff"] = np.array([5300, 4000, 3000, np.nan], "f4") * u.K
    table["latent"] = np.arange(512, dtype="f4").reshape(4, 128)
    for name, ucd in {
        "obs_id": "meta.id;meta.main",
        "ra": "pos.eq.ra;meta.main",
        "dec": "pos.eq.dec;meta.main",
        "teff": "phys.temperature.effective",
        "latent": "stat.param",
    }.items():
        table[name].info.meta = {"ucd": ucd}
    return table


def test_what_is_sent(cds, results):
    crossmatch(results, "vizier:I/355/gaiadr3", radius=RADIUS)
    assert [(r.method, r.path) for r in cds.seen] == [("POST", "/sync")]
    fields = form(cds.seen[0])
    assert fields["request"] == "xmatch"
    assert fields["cat2"] == "vizier:I/355/gaiadr3"
    assert float(fields["distMaxArcsec"]) == 2.0
    assert (fields["colRA1"], fields["colDec1"]) == ("al_ra", "al_dec")
    assert fields["RESPONSEFORMAT"] == "votable"
    # Numbers and positions only: neither names nor latents leave the house.
    header, *rows = csv.reader(fields["cat1"].splitlines())
    assert header == ["al_row", "al_ra", "al_dec"]
    assert [row[0] for row in rows] == ["0", "1", "2"]
    sent = [[float(cell) for cell in row[1:]] for row in rows]
    known = [[26.0171, -15.9375], [100, 80], [217.3924, -62.6761]]
    np.testing.assert_allclose(sent, known, rtol=0, atol=1e-12)


def test_what_comes_back(cds, results):
    matched = crossmatch(results, "vizier:I/355/gaiadr3", radius=RADIUS)
    assert list(matched["obs_id"]) == ["tau Cet", "Proxima"]
    assert list(matched["Source"]) == [1, PROXIMA]
    assert list(matched["n_match"]) == [2, 1]
    expected = SkyCoord(results["ra"], results["dec"])[[0, 2]].separation(
        SkyCoord([26.0170, 217.3923], [-15.9375, -62.6761], unit="deg")
    )
    found = matched["separation"].to_value(u.arcsec)
    np.testing.assert_allclose(found, expected.arcsec, atol=1e-9)
    np.testing.assert_array_equal(matched["latent"], results["latent"][[0, 2]])
    assert np.isnan(matched["Plx"].value).tolist() == [True, False]
    assert matched["pmRA"].unit == u.mas / u.yr
    for name, unit, ucd, _ in GAIA:
        assert matched[name].unit == (u.Unit(unit) if unit else None)
        # There is one main identifier and one main position: ours.
        assert matched[name].info.meta["ucd"] == ucd.removesuffix(";meta.main")
    assert matched["teff"].unit == u.K
    assert matched["latent"].info.meta["ucd"] == "stat.param"
    assert check_table(matched) == []
    (record,) = matched.meta["crossmatch"]
    assert record["other"] == "vizier:I/355/gaiadr3"
    assert record["radius_arcsec"] == 2.0


def test_all_rows_and_all_pairs(cds, results, tmp_path):
    """And the result survives a file."""
    options = {"radius": RADIUS, "find": "all", "join": "left"}
    matched = crossmatch(results, "vizier:I/355/gaiadr3", **options)
    matched.write(tmp_path / "gaia.vot")
    matched = read_table(tmp_path / "gaia.vot")
    names = ["tau Cet", "tau Cet", "nowhere", "Proxima", "lost"]
    assert list(matched["obs_id"]) == names
    assert list(matched["n_match"]) == [2, 2, 0, 1, 0]
    missing = [False, False, True, False, True]
    assert matched["Source"].mask.tolist() == missing
    assert matched["Source"][3] == PROXIMA
    assert np.isnan(matched["separation"].value).tolist() == missing
