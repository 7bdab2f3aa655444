# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Files with catalogues, as services and people write them, find the same stars."""

import gzip
import io

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Column, MaskedColumn, QTable, Table
from astropy.utils.exceptions import AstropyUserWarning

from astro_latent.cli.main import main
from astro_latent.exceptions import TableReadError
from astro_latent.matching import crossmatch
from astro_latent.tables import read_table, write_table

RA, DEC = np.array([10.0, 20.0, 300.25]), np.array([-5.0, 0.5, 45.125])
PLACES = SkyCoord(RA, DEC, unit="deg")
HMS = PLACES.ra.to_string(u.hour, sep=" ", precision=3, pad=True)
DMS = PLACES.dec.to_string(u.deg, sep=" ", precision=2, pad=True, alwayssign=True)
LETTERS = PLACES.ra.to_string(u.hour, precision=3), PLACES.dec.to_string(u.deg)
COLONS = [
    PLACES.ra.to_string(u.hour, sep=":", precision=3),
    PLACES.dec.to_string(u.deg, sep=":", precision=2),
]
#: As VizieR begins: comments that describe columns, names, units, a rule.
VIZIER = """#
#   VizieR Astronomical Server vizier.cds.unistra.fr
#    Date: 2022-02-27T15:09:07 [V1.99+ (14-Oct-2013)]
#
#Coosys\tJ2000:\teq_FK5 J2000
#INFO\tvotable-version=1.99+ (14-Oct-2013)\t
#-out.max=unlimited

#RESOURCE=yCat_1239
#Name: I/239
#Title: The Hipparcos and Tycho Catalogues (ESA 1997)
#Table\tI_239_hip_main:
#Name: I/239/hip_main
#Title: The Hipparcos Main Catalogue
#Column\t_RAJ2000\t(A16)\tRight ascension (FK5, Equinox=J2000.0)\t[ucd=pos.eq.ra]
#Column\t_DEJ2000\t(A16)\tDeclination (FK5, Equinox=J2000.0)\t[ucd=pos.eq.dec]
#Column\tHIP\t(I6)\tIdentifier (HIP number) (H1)\t[ucd=meta.id;meta.main]
#Column\tVmag\t(F5.2)\t? Magnitude in Johnson V (H5)\t[ucd=phot.mag;em.opt.V]
"""


def lines(head, *columns, mark=","):
    rows = [mark.join(map(str, row)) for row in zip(*columns, strict=True)]
    return "\n".join([head, *rows]) + "\n"


def vizier(positions, units, mark):
    head = mark.join(["_RAJ2000", "_DEJ2000", "HIP", "Vmag"])
    below = [mark.join([*units, " ", "mag"]), mark.join(["-----"] * 4)]
    body = lines("\n".join([head, *below]), *positions, ["    1", "2", "3"],
                 [" 5.10", "     ", " 7.20"], mark=mark)  # fmt: skip
    return VIZIER + body + "\n"


def gaia(nulls):
    """As the bulk files of Gaia are: ECSV named CSV, with ``null``."""
    kinds = {"source_id": "int64", "ra": "float64", "dec": "float64"}
    kinds |= {"rv": "float32", "has_rvs": "bool", "note": "string"}
    names = "".join(
        f"# -\n#   name: {n}\n#   datatype: {k}\n" for n, k in kinds.items()
    )
    head = (
        f"# %ECSV 1.0\n# ---\n# delimiter: ','\n# datatype:\n{names}{','.join(kinds)}"
    )
    ids = [4611686018427387905, 2, 3]
    return lines(head, ids, RA, DEC, nulls, ["null", '"True"', '"False"'], ["null"] * 3)


TEXTS = {
    "vizier.tsv": vizier((RA, DEC), ("deg", "deg"), "\t"),
    "vizier_sexagesimal.tsv": vizier((HMS, DMS), ('"h:m:s"', '"d:m:s"'), "|"),
    "vizier_semicolons.csv": vizier((RA, DEC), ("deg", "deg"), ";"),
    "vizier_without_an_ending": vizier((RA, DEC), ("deg", "deg"), "\t"),
    "topcat.csv": lines("source_id,ra,dec,ok", [1, 2, 3], RA, DEC, ["true", "", ""]),
    "topcat.txt": lines("# source_id   ra   dec  ", [1, 2, 3], RA, DEC, mark="  "),
    "skyserver.csv": lines("#Table1\nplate,mjd,fiberid,ra,dec,snmedian", [266] * 3,
                           [51630] * 3, [1, 2, 3], RA, DEC, ["null", 2.5, 3]),
    "spall.csv": lines("specobjid,PLUG_RA,PLUG_DEC", [299489677444933632] * 3, RA, DEC),
    "targets.csv": lines("TARGETID,TARGET_RA,TARGET_DEC", [1, 2, 3], RA, DEC),
    "lamost.csv": lines("combined_obsid|combined_ra|combined_dec", [1, 2, 3], RA, DEC,
                        mark="|"),
    "letters.csv": lines("star,RA,Dec", "abc", *LETTERS),
    "blanks.csv": lines("Right Ascension (J2000),Declination (J2000)", HMS, DMS),
    "colons.dat": lines("star ra_hms dec_dms", "abc", *COLONS, mark=" "),
    "hours.csv": lines("RA (hours),Dec (deg)", RA / 15, DEC),
    "names_twice.tsv": lines("ra\tdec\tra\t", RA, DEC, [1] * 3, [2] * 3, mark="\t"),
    "windows.csv": "\ufeff" + lines("Name;RA;DEC", ["é", "b", "c"], RA, DEC, mark=";")
    .replace("\n", "\r\n"),
    "ipac.tbl": "|    ra    |   dec    |\n|  double  |  double  |\n"
    "|   deg    |   deg    |\n"
    + "".join(f" {a:10.5f} {b:10.5f} \n" for a, b in zip(RA, DEC, strict=True)),
    "GaiaSource.csv": gaia(["null", 12.5, -3]),
}  # fmt: skip


def to_bytes(table, **options):
    stream = io.BytesIO()
    table.write(stream, **options)
    return stream.getvalue()


def cds():
    """A table of CDS with its description, logg in [cm/s2]."""
    table = Table({"Name": ["a", "b", "c"], "RAdeg": RA * u.deg, "DEdeg": DEC * u.deg})
    table["logg"] = Column([4.0, 2.0, 3.0], unit=u.Unit("dex(cm/s2)"), description="g")
    stream = io.StringIO()
    table.write(stream, format="ascii.mrt")
    return stream.getvalue().encode()


def stars(**more):
    return Table({"RAJ2000": RA * u.deg, "DEJ2000": DEC * u.deg, **more})


def vizier_votable():
    """Sexagesimal text in FK5, and a logarithm, as VizieR declares them."""
    table = Table({"RAJ2000": HMS, "DEJ2000": DMS, "logg": np.float32([4, 2, 3])})
    content = to_bytes(table, format="votable").decode()
    for name, unit in (("RAJ2000", "&quot;h:m:s&quot;"), ("logg", "[cm/s2]")):
        content = content.replace(f'name="{name}"', f'name="{name}" unit="{unit}"')
    return content.encode()


def ascii_fits():
    columns = [
        fits.Column("RAJ2000", "F10.5", array=RA, unit="deg"),
        fits.Column("DEJ2000", "F10.5", array=DEC, unit="deg"),
        fits.Column("Name", "A5", array=["a", "b", "c"]),
    ]
    return to_bytes_hdu(fits.TableHDU.from_columns(columns))


def odd_fits():
    ragged = np.empty(3, object)
    ragged[:] = [np.arange(2.0), np.arange(3.0), np.arange(0.0)]
    columns = [
        fits.Column("RA", "D", array=RA, unit="degrees"),
        fits.Column("DEC", "D", array=DEC, unit="degree"),
        fits.Column("MASK", "12X", array=np.ones((3, 12), bool)),
        fits.Column("ORDERS", "PD()", array=ragged),
        fits.Column("NAMES", "12A", dim="(4,3)", array=np.full((3, 3), "ab")),
    ]
    return to_bytes_hdu(fits.BinTableHDU.from_columns(columns))


def to_bytes_hdu(hdu):
    stream = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(stream)
    return stream.getvalue()


BINARY = {
    "cds.mrt": cds(),
    "sexagesimal.vot": vizier_votable(),
    **{
        f"{form}.vot.gz": gzip.compress(
            to_bytes(stars(), format="votable", tabledata_format=form)
        )
        for form in ("tabledata", "binary", "binary2")
    },
    "latin.csv": lines("Name,RA,DEC", ["é", "b", "c"], RA, DEC).encode("latin-1"),
    "topcat.fits.gz": gzip.compress(to_bytes(stars(), format="fits")),
    "vizier_text.fits": ascii_fits(),
    "spall.fits": to_bytes(Table({"PLUG_RA": RA, "PLUG_DEC": DEC}), format="fits"),
    "GaiaSource.csv.gz": gzip.compress(gaia(["1", "null", "null"]).encode()),
}


@pytest.fixture
def mine():
    return QTable({"ra": RA * u.deg, "dec": DEC * u.deg, "teff": [5e3, 6e3, 7e3] * u.K})


@pytest.mark.parametrize("name", [*TEXTS, *BINARY])
def test_every_shape_finds_its_stars(mine, tmp_path, name, capsys):
    path = tmp_path / name
    path.write_bytes(BINARY[name] if name in BINARY else TEXTS[name].encode())
    found = crossmatch(mine, path, radius=0.1 * u.arcsec)
    assert len(found) == 3
    np.testing.assert_array_equal(found["teff"].value, mine["teff"].value)
    write_table(mine, tmp_path / "mine.vot")
    out = str(tmp_path / "out.vot")
    assert main(["crossmatch", str(tmp_path / "mine.vot"), str(path), "-o", out]) == 0
    assert "3 rows, 3 matches" in capsys.readouterr().err
    assert len(read_table(out)) == 3


def test_what_vizier_says_of_its_columns(tmp_path):
    path = tmp_path / "hip.tsv"
    path.write_text(TEXTS["vizier.tsv"].replace("\tmag\n", "\t[cm/s2]\n"))
    table = read_table(path)
    assert table["HIP"].tolist() == [1, 2, 3]
    assert np.isnan(table["Vmag"][1])
    assert table["Vmag"].unit == u.Unit("dex(cm/s2)")
    assert table["_RAJ2000"].unit == u.deg
    assert table["HIP"].info.meta["ucd"] == "meta.id;meta.main"
    assert table["Vmag"].info.description == "? Magnitude in Johnson V (H5)"


def test_the_first_of_several_tables(tmp_path):
    path = tmp_path / "two.tsv"
    path.write_text(TEXTS["vizier.tsv"] + "\n" + TEXTS["vizier_sexagesimal.tsv"])
    with pytest.warns(AstropyUserWarning, match=r"two\.tsv: holds more than one table"):
        assert len(read_table(path)) == 3


def test_empty_cells_do_not_move_their_neighbours(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("a\tb\tc\n\t 2\tx y\n1\t   \tz\n9223372036854775808\t4\t\n")
    table = read_table(path)
    assert table["a"].tolist() == ["", "1", "9223372036854775808"]  # no digit is lost
    assert table["b"].tolist() == [2, None, 4]
    assert table["c"].tolist() == ["x y", "z", ""]


def test_rows_that_are_too_short(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("a\tb\tc\n1\t2\t3\n1\t2\n")
    with pytest.raises(TableReadError, match=r"a\.tsv: row 2 has 2 cells, .* 3"):
        read_table(path)


def test_nulls_of_gaia_are_nulls_in_numbers_only(tmp_path):
    path = tmp_path / "GaiaSource.csv"
    path.write_text(TEXTS["GaiaSource.csv"])
    table = read_table(path)
    np.testing.assert_array_equal(table["rv"], np.float32([np.nan, 12.5, -3]))
    assert table["has_rvs"].tolist() == [None, True, False]
    assert table["note"].tolist() == ["null"] * 3
    assert table["source_id"][0] == 4611686018427387905


def test_parquet_of_other_programs(mine, tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    text = pa.array(["x", None, "z"], pa.large_string())
    table = pa.table(
        {
            "source_id": pa.array([4611686018427387905, None, 3], pa.int64()),
            "ra": RA, "dec": DEC, "name": text,
            "kind": pa.array(["a", None, "a"]).dictionary_encode(),
            "when": pa.array([0, 1, None], pa.timestamp("s")),
            "price": pa.array([1, 2, 3], pa.decimal128(10, 2)),
            "nothing": pa.nulls(3),
            "ragged": pa.array([[1.0], [2.0, 3.0], None]),
        }
    )  # fmt: skip
    parquet.write_table(table, tmp_path / "cat.parquet")
    with pytest.warns(AstropyUserWarning, match="left out: column 'ragged' holds list"):
        found = crossmatch(mine, tmp_path / "cat.parquet")
    assert found["source_id"].tolist() == [4611686018427387905, None, 3]
    assert found["name"].tolist() == ["x", "", "z"]
    assert found["kind"].tolist() == ["a", "", "a"]
    assert found["when"][0].startswith("1970-01-01")
    assert found["price"].tolist() == [1.0, 2.0, 3.0]
    assert found["nothing"].tolist() == ["", "", ""]


def test_a_column_of_coordinates(mine, tmp_path):
    table = QTable({"place": PLACES, "n": MaskedColumn([1, 2, 3], mask=[0, 1, 0])})
    table.write(tmp_path / "cat.ecsv")
    found = crossmatch(mine, tmp_path / "cat.ecsv")
    assert found["n"].tolist() == [1, None, 3]


def test_odd_columns_of_fits_are_left_out_with_a_word(mine, tmp_path):
    path = tmp_path / "odd.fits"
    path.write_bytes(odd_fits())
    with pytest.warns(AstropyUserWarning, match="left out") as said:
        found = crossmatch(mine, path)
    told = " ".join(str(warning.message) for warning in said)
    assert "'ORDERS' holds Python objects" in told
    assert "'NAMES' holds arrays of strings" in told
    assert len(found) == 3
    assert found["MASK"].shape == (3, 12)
    assert "NAMES" not in found.colnames
    assert read_table(path)["NAMES"].tolist() == [["ab"] * 3] * 3
    for ending in ("vot", "fits", "parquet"):
        write_table(found, tmp_path / f"out.{ending}")
        with pytest.raises(TypeError, match="'NAMES' holds arrays of strings; join"):
            write_table(read_table(path)["RA", "NAMES"], tmp_path / f"no.{ending}")


@pytest.mark.parametrize("head", ["RA (B1950),Dec (B1950)", "RA [h],Dec [deg]"])
def test_positions_of_another_kind_are_not_taken(mine, tmp_path, head):
    path = tmp_path / "cat.csv"
    path.write_text(lines(head, RA, DEC))
    with pytest.raises(ValueError, match="no position columns"):
        crossmatch(mine, path)
