"""Catalogues of other people: how they call and write positions, and odd columns."""

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import ascii as text_tables
from astropy.table import Column, MaskedColumn, QTable, Table
from astropy.utils.exceptions import AstropyUserWarning

from astro_latent.cli.main import main
from astro_latent.matching import crossmatch
from astro_latent.matching.positions import get_positions
from astro_latent.tables import read_table, write_table
from astro_latent.utils.angles import find_position_columns, parse_angles

RA, DEC = np.array([10.0, 20.0, 30.0]), np.array([-5.0, 0.0, 5.0])


@pytest.fixture
def mine():
    return QTable({"ra": RA * u.deg, "dec": DEC * u.deg, "teff": [5e3, 6e3, 7e3] * u.K})


def matched(mine, other, **options):
    return crossmatch(mine, other, radius=2 * u.arcsec, **options)


def data_of(package, *parts):
    path = Path(find_spec(package).origin).parent.joinpath(*parts)
    if not path.is_file():
        pytest.skip(f"this {package} came without its tests")
    return path


@pytest.mark.parametrize(
    "names",
    [
        ("TARGET_RA", "TARGET_DEC"), ("PLUG_RA", "PLUG_DEC"), ("RAdeg", "DEdeg"),
        ("Ra", "Dec"), ("RA_ICRS", "DE_ICRS"), ("_RAJ2000", "_DEJ2000"),
        ("fiber_ra", "fiber_dec"), ("raMean", "decMean"), ("TIC_RA", "TIC_DEC"),
        ("Right Ascension", "Declination"), ("gaia_ra_2", "gaia_dec_2"),
        ("RA (deg)", "Dec (deg)"), ("ra_epoch2000", "dec_epoch2000"),
        ("ALPHA_J2000", "DELTA_J2000"),
    ],
)  # fmt: skip
def test_names_of_positions(mine, names):
    other = Table({"pmRA": RA, "pmDE": RA, "e_RAdeg": RA, "e_DEdeg": RA})
    other[names[0]], other[names[1]] = RA, DEC
    assert find_position_columns(other.colnames) == names
    assert len(matched(mine, other)) == 3


@pytest.mark.parametrize(
    "names",
    [
        ("pmra", "pmdec"), ("ra_error", "dec_error"), ("e_RAdeg", "e_DEdeg"),
        ("raMeanErr", "decMeanErr"), ("radius", "decay"), ("tel_ra", "tel_dec"),
        ("ra", "other"), ("sigra", "sigdec"), ("ra_off", "dec_off"), ("rate", "dece"),
    ],
)  # fmt: skip
def test_what_is_no_position(mine, names):
    assert find_position_columns(names) is None
    with pytest.raises(ValueError, match="no position columns among"):
        matched(mine, Table({names[0]: RA, names[1]: DEC}))


def test_the_plainest_pair_counts():
    names = ["FIBER_RA", "FIBER_DEC", "TARGET_RA", "TARGET_DEC"]
    assert find_position_columns(names) == ("TARGET_RA", "TARGET_DEC")
    assert find_position_columns([*names, "RA", "DEC", "ra", "dec"]) == ("ra", "dec")


def test_sexagesimal_of_vizier_agrees_with_its_degrees():
    path = data_of("astroquery", "vizier", "tests", "data", "afgl2591_iram.xml")
    for table in (Table.read(path, format="votable"), read_table(path)):
        text = get_positions(table, ("RAJ2000", "DEJ2000"))
        degrees = get_positions(table, ("_RAJ2000", "_DEJ2000"))
        # the degrees are printed to 5 digits
        np.testing.assert_allclose(text.ra, degrees.ra, rtol=0, atol=1e-6)
        np.testing.assert_allclose(text.dec, degrees.dec, rtol=0, atol=1e-6)


def test_hours_and_minutes_in_columns_of_their_own():
    path = data_of("astropy", "io", "ascii", "tests", "data", "cds.dat")
    table = text_tables.read(path, format="cds")
    found = get_positions(table)
    expected = (3 + 28 / 60 + 39.09 / 3600) * 15
    assert np.rad2deg(found.ra[0]) == pytest.approx(expected, abs=1e-9)
    assert np.rad2deg(found.dec[0]) == pytest.approx(31 + 6 / 60 + 1.9 / 3600, abs=1e-9)
    table["DE-"] = ["-"] * len(table)
    assert get_positions(table).dec[0] == -found.dec[0]


@pytest.mark.parametrize(
    ("ra", "dec"),
    [
        ("00 40 00.0", "-05 00 00"), ("00:40:00", "-5:00:00.0"),
        ("0h40m0s", "-05d00m00s"), ("10d00m00s", "-5d0m"), ("10.0", "-5"),
        (b"00 40 00", "\u221205 00 00"), ("0h40m", "-5°0'0\""),
    ],
)  # fmt: skip
def test_spellings_of_angles(ra, dec):
    assert parse_angles(np.array([ra], object), hours=True)[0] == pytest.approx(10)
    assert parse_angles(np.array([dec], object), hours=False)[0] == pytest.approx(-5)


def test_negative_zero_and_nothing():
    texts = np.ma.array(["-00 30 00", "", "--", "x"], mask=[0, 0, 0, 1])
    np.testing.assert_array_equal(
        parse_angles(texts, hours=False), [-0.5, np.nan, np.nan, np.nan]
    )


def test_units_of_angles(mine):
    hours = Table({"RA": Column(RA / 15, unit="hourangle"), "DEC": DEC * u.deg})
    text = Table({"RA": Column(["10 00 00", "20 0 0", "30 0 0"], unit="deg")})
    text["DEC"] = DEC
    for other in (hours, text):
        assert len(matched(mine, other)) == 3
    words = Table({"RA": ["somewhere", "", ""], "DEC": DEC})
    with pytest.raises(
        ValueError, match=r"column 'RA', row 0: 'somewhere' is no angle"
    ):
        matched(mine, words)


def test_surface_gravity_keeps_its_unit(mine, tmp_path):
    path = data_of("astropy", "io", "ascii", "tests", "data", "cdsFunctional.dat")
    public = text_tables.read(path, format="cds")
    unit = public["logg"].unit
    assert unit == u.Unit("dex(cm/s2)")
    other = Table({"ra": RA, "dec": DEC, "logg": Column([4.0, 4.5, 2.0], unit=unit)})
    found = matched(mine, other)
    assert found["logg"].unit == unit
    np.testing.assert_array_equal(np.asarray(found["logg"]), [4.0, 4.5, 2.0])
    for ending in ("vot", "fits", "ecsv", "parquet"):
        target = tmp_path / f"matched.{ending}"
        write_table(found, target)
        assert read_table(target)["logg"].unit == unit, ending


def test_columns_of_objects(mine):
    other = Table({"ra": RA, "dec": DEC})
    other["text"] = Column(["a", None, b"c"], dtype=object)
    other["whole"] = Column([1, None, 3], dtype=object)
    other["real"] = Column([1, None, 2.5], dtype=object)
    other["truth"] = MaskedColumn([True, None, False], dtype=object)
    other["nothing"] = Column([None, None, None], dtype=object)
    other["lists"] = Column([[1], [2, 3], None], dtype=object)
    with pytest.warns(
        AstropyUserWarning, match="left out: column 'lists' holds Python"
    ):
        found = matched(mine, other)
    assert found["text"].tolist() == ["a", "", "c"]
    assert found["whole"].tolist() == [1, None, 3]
    np.testing.assert_array_equal(found["real"], [1, np.nan, 2.5])
    assert found["truth"].tolist() == [True, None, False]
    assert found["nothing"].tolist() == ["", "", ""]
    assert "lists" not in found.colnames
    with pytest.raises(TypeError, match="column 'lists' holds Python objects"):
        write_table(other, "never.vot")


@pytest.mark.parametrize("name", ["cat.vot.gz", "cat.xml.gz", "cat"])
def test_packed_catalogues(mine, tmp_path, name):
    plain = tmp_path / "plain.vot"
    Table({"ra": RA * u.deg, "dec": DEC * u.deg}).write(plain, format="votable")
    content = plain.read_bytes()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert len(matched(mine, path)) == 3
    assert len(read_table(path)) == 3


def test_columns_named_on_the_command_line(mine, tmp_path, capsys):
    files = tmp_path / "mine.vot", tmp_path / "other.fits"
    write_table(mine, files[0])
    # without the options these columns would be the ones
    Table({"east": RA, "north": DEC, "RA": RA + 1, "DEC": DEC}).write(files[1])
    command = ["crossmatch", *map(str, files), "--ra", "east", "--dec", "north"]
    assert main(command) == 0
    assert "3 rows, 3 matches" in capsys.readouterr().err
    assert main(command[:-2]) != 0
    assert "give both" in capsys.readouterr().err
    assert main([*command[:-1], "nort"]) != 0
    assert "no column 'nort'" in capsys.readouterr().err
