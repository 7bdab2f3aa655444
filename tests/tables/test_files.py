"""What a table means survives every format, twice."""

import shutil
import subprocess
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits, votable
from astropy.table import MaskedColumn, QTable, Table
from astropy.time import Time
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from astro_latent.pipeline import encode_spectra, predict_parameters
from astro_latent.tables import ResultTable, read_table, write_table

SUFFIXES = [".vot", ".fits", ".parquet", ".ecsv"]
needs_stilts = pytest.mark.skipif(shutil.which("stilts") is None, reason="no stilts")


def assert_same(first, second):
    """Same columns, values to the bit, units, UCDs and metadata."""
    assert first.colnames == second.colnames
    for name in first.colnames:
        a, b = first[name], second[name]
        assert a.dtype == b.dtype, name
        assert a.shape == b.shape, name
        assert a.info.unit == b.info.unit, name
        assert (a.info.meta or {}) == (b.info.meta or {}), name
        assert (a.info.description or "") == (b.info.description or ""), name
        np.testing.assert_array_equal(
            np.ma.getmaskarray(a), np.ma.getmaskarray(b), err_msg=name
        )
        keep = ~np.ma.getmaskarray(a)
        values = [np.ma.getdata(getattr(c, "value", c))[keep] for c in (a, b)]
        np.testing.assert_array_equal(*values, err_msg=name)
    assert dict(first.meta) == dict(second.meta)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_round_trip_keeps_everything_twice(tmp_path, table, suffix):
    again = table
    for turn in range(3):
        again.write(tmp_path / f"{turn}{suffix}")
        again = ResultTable.read(tmp_path / f"{turn}{suffix}")
        assert type(again) is ResultTable
        assert_same(table, again)
    first, second = ((tmp_path / f"{i}{suffix}").read_bytes() for i in (0, 2))
    assert first == second


@pytest.mark.parametrize(
    "options",
    [
        {"serialization": "tabledata"},
        {"serialization": "binary"},
        {"version": "1.5"},
        {"version": "1.3"},
        {"serialization": "tabledata", "version": "1.5"},
    ],
    ids=str,
)
def test_votable_variants(tmp_path, table, options):
    if options.get("version") == "1.3":  # has no TIMESYS
        del table["obs_time"].info.meta["timesys"]
    if options.get("serialization") == "binary":  # has no null for integers
        del table["counts"]
    table.write(tmp_path / "a.vot", **options)
    again = read_table(tmp_path / "a.vot")
    assert_same(table, again)
    again.write(tmp_path / "b.vot", **options)
    assert (tmp_path / "a.vot").read_bytes() == (tmp_path / "b.vot").read_bytes()


@pytest.mark.filterwarnings("ignore")  # Astropy complains of dex and Angstrom
@pytest.mark.parametrize("suffix", [".vot", ".fits", ".parquet"])
def test_astropy_reads_the_same_values(tmp_path, table, suffix):
    table.write(tmp_path / f"a{suffix}")
    plain = Table.read(tmp_path / f"a{suffix}")
    for name in ("ra", "teff", "latent", "flags", "good"):
        np.testing.assert_array_equal(
            np.ma.filled(plain[name].astype(float), np.nan),
            np.asarray(getattr(table[name], "value", table[name])).astype(float),
        )
    assert list(np.char.strip(np.ma.filled(plain["obs_id"], "").astype(str))) == list(
        table["obs_id"]
    )


@pytest.mark.filterwarnings("ignore:.*dex")
def test_dex_stays_dex_through_three_files(tmp_path, table):
    table = table["obs_id", "logg"]
    for turn in range(3):
        table.write(tmp_path / f"{turn}.vot")
        assert 'unit="dex"' in (tmp_path / f"{turn}.vot").read_text()
        table = read_table(tmp_path / f"{turn}.vot")
        assert table["logg"].unit == u.dex


def test_document_holds_systems_groups_parameters(tmp_path, table):
    table.write(tmp_path / "a.vot", serialization="tabledata")
    root = ET.parse(tmp_path / "a.vot").getroot()
    space = "{http://www.ivoa.net/xml/VOTable/v1.3}"
    assert root.get("version") == "1.4"
    coosys = root.find(f".//{space}COOSYS")
    assert (coosys.get("system"), coosys.get("epoch")) == ("ICRS", "J2016.0")
    timesys = root.find(f".//{space}TIMESYS")
    assert timesys.get("timescale") == "UTC"
    fields = {f.get("name"): f for f in root.iter(f"{space}FIELD")}
    assert fields["ra"].get("ref") == coosys.get("ID") == fields["dec"].get("ref")
    assert fields["obs_time"].get("ref") == timesys.get("ID")
    groups = {g.get("name"): g for g in root.iter(f"{space}GROUP")}
    members = [
        r.get("ref") for r in groups["teff_with_errors"].iter(f"{space}FIELDref")
    ]
    assert members == [fields["teff"].get("ID"), fields["teff_error"].get("ID")]
    bits = {
        p.get("name"): p.get("value")
        for p in groups["flags_bits"].iter(f"{space}PARAM")
    }
    assert bits == {"UNREADABLE": "1", "LOW_SNR": "512"}
    params = {p.get("name"): p.get("value") for p in root.iter(f"{space}PARAM")}
    assert params["model"] == "mean_v1"
    infos = {i.get("name"): i.get("value") for i in root.iter(f"{space}INFO")}
    assert infos["QUERY_STATUS"] == "OK"
    assert infos["citation"] == "Ångström & Söhne <1868>"
    ids = [e.get("ID") for e in root.iter() if e.get("ID")]
    assert len(ids) == len(set(ids))


def test_fits_headers_speak_to_other_programs(tmp_path, table):
    table.write(tmp_path / "a.fits")
    with fits.open(tmp_path / "a.fits") as hdus:
        assert hdus[0].header["VOTMETA"] is True
        header = hdus[1].header
        index = table.colnames.index("teff") + 1
        assert header[f"TUCD{index}"] == "phys.temperature.effective"
        assert header[f"TUNIT{index}"] == "K"
        assert header[f"TCOMM{index}"].startswith("Effective temperature")


def test_parquet_latents_are_fixed_size_lists_and_carry_a_votable(tmp_path, table):
    parquet = pytest.importorskip("pyarrow.parquet")
    table.write(tmp_path / "a.parquet")
    schema = parquet.read_schema(tmp_path / "a.parquet")
    assert str(schema.field("latent").type).startswith("fixed_size_list<")
    assert schema.field("latent").type.list_size == 8
    assert schema.metadata[b"IVOA.VOTable-Parquet.version"] == b"1.0"
    assert (
        b"phys.temperature.effective"
        in schema.metadata[b"IVOA.VOTable-Parquet.content"]
    )


def test_existing_file_is_kept_unless_told_otherwise(tmp_path, table):
    for suffix in SUFFIXES:
        table.write(tmp_path / f"a{suffix}")
        with pytest.raises(OSError, match="exist"):
            table.write(tmp_path / f"a{suffix}")
        table[:2].write(tmp_path / f"a{suffix}", overwrite=True)
        assert len(read_table(tmp_path / f"a{suffix}")) == 2


def test_write_table_takes_plain_tables_and_mixins(tmp_path):
    plain = Table({"name": ["a", "b"]})
    plain["where"] = SkyCoord([10, 20], [-5, 5], unit="deg", frame="icrs")
    plain["when"] = Time([55000.5, 55001.5], format="mjd", scale="tdb")
    plain["n"] = MaskedColumn([1, 2], mask=[True, False])
    write_table(plain, tmp_path / "a.vot")
    again = read_table(tmp_path / "a.vot")
    assert again.colnames == ["name", "where_ra", "where_dec", "when", "n"]
    assert again["where_ra"].info.meta["coosys"] == {"system": "ICRS"}
    assert again["when"].info.meta["timesys"]["timescale"] == "TDB"
    np.testing.assert_allclose(again["where_dec"].value, [-5, 5], rtol=1e-15)
    assert again["n"].mask.tolist() == [True, False]


def test_other_formats_are_astropys(tmp_path, table):
    scalars = table["obs_id", "teff"]
    scalars.write(tmp_path / "a.csv")
    assert len(ResultTable.read(tmp_path / "a.csv")) == len(table)


def test_objects_are_refused_with_the_name_of_the_column(tmp_path):
    bad = Table({"stuff": np.array([{}, {}], dtype=object)})
    with pytest.raises(TypeError, match="'stuff' holds Python objects"):
        write_table(bad, tmp_path / "a.vot")


def test_unknown_serialization(tmp_path, table):
    with pytest.raises(ValueError, match="serialization must be"):
        table.write(tmp_path / "a.vot", serialization="xml")


@pytest.mark.parametrize("suffix", [".vot", ".fits", ".parquet"])
def test_empty_table(tmp_path, table, suffix):
    # Astropy cannot read back an empty ECSV with array columns.
    table[:0].write(tmp_path / f"a{suffix}")
    again = read_table(tmp_path / f"a{suffix}")
    assert len(again) == 0
    assert again.colnames == table.colnames
    assert again["latent"].shape == (0, 8)


def test_foreign_files_are_read_too(tmp_path):
    Table({"a": [1, 2], "b": ["x", "y"]}).write(tmp_path / "a.fits")
    assert list(read_table(tmp_path / "a.fits")["b"]) == ["x", "y"]
    pytest.importorskip("pyarrow")
    Table({"a": [1, 2], "b": ["x", "y"]}).write(tmp_path / "a.parquet")
    assert list(read_table(tmp_path / "a.parquet")["b"]) == ["x", "y"]
    source = Table({"a": [1, 2], "b": ["x", "y"]})
    source.write(tmp_path / "a.vot", format="votable")
    assert list(read_table(tmp_path / "a.vot")["b"]) == ["x", "y"]


TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12
).map(str.strip)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(
        st.tuples(
            TEXT,
            st.floats(width=32),
            st.integers(-(2**31), 2**31 - 1),
            st.booleans(),
        ),
        min_size=1,
        max_size=20,
    ),
    suffix=st.sampled_from([".vot", ".fits", ".parquet"]),
)
def test_any_values_survive(tmp_path, rows, suffix):
    text, real, whole, flag = zip(*rows, strict=True)
    table = ResultTable()
    table["text"] = np.array(text, dtype="U")
    table["real"] = np.array(real, dtype="f4") * u.dex
    table["whole"] = np.array(whole, dtype="i4")
    table["flag"] = np.array(flag)
    table.write(tmp_path / f"h{suffix}", overwrite=True)
    again = read_table(tmp_path / f"h{suffix}")
    for name in table.colnames:
        np.testing.assert_array_equal(np.array(table[name]), np.array(again[name]))


@needs_stilts
def test_votlint_finds_nothing(tmp_path, table, spectra, encoder, predictor):
    for i, result in enumerate(
        (
            table,
            encode_spectra(spectra, model=encoder),
            predict_parameters(spectra, model=predictor),
        )
    ):
        path = tmp_path / f"{i}.vot"
        result.write(path)
        # It exits with 0 even when it finds errors, so that its words count.
        done = subprocess.run(
            ["stilts", "votlint", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.strip() + done.stderr.strip() == ""


@needs_stilts
@pytest.mark.parametrize("suffix", [".vot", ".fits"])
def test_stilts_reads_values_and_ucds(tmp_path, table, suffix):
    source, target = tmp_path / f"a{suffix}", tmp_path / "b.vot"
    if suffix == ".fits":  # knows ASCII only; others take our UTF-8 for something else
        del table["target_name"]
    table.write(source)
    subprocess.run(
        ["stilts", "tcopy", f"in={source}", f"out={target}", "ofmt=votable-binary2"],
        check=True,
        capture_output=True,
    )
    again = read_table(target)
    for name in ("obs_id", "ra", "teff", "latent", "flags"):
        np.testing.assert_array_equal(np.array(table[name]), np.array(again[name]))
    assert again["teff"].info.meta["ucd"] == "phys.temperature.effective"
    assert again["logg"].unit == u.dex


@pytest.mark.parametrize("serialization", ["binary2", "tabledata"])
def test_unpacked_rows_equal_what_astropy_parses(tmp_path, table, serialization):
    many = table[np.arange(40_000) % 5]  # more than one chunk
    if serialization == "tabledata":
        many = many[:50]
    many.write(tmp_path / "a.vot", serialization=serialization)
    with (tmp_path / "a.vot").open("rb") as stream:  # a stream is left to Astropy
        theirs = ResultTable.read(stream, format="votable")
    assert_same(read_table(tmp_path / "a.vot"), theirs)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", ["binary2", "binary", "tabledata"])
def test_astropys_files_are_read_with_fixed_text_and_nulls(tmp_path, form):
    source = Table({"text": ["abc", "ü", ""], "flag": [True, False, True]})
    source["real"] = np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0])
    source["array"] = np.arange(6, dtype="i2").reshape(3, 2)
    if form == "binary2":
        source["whole"] = np.ma.array([1, 2, 3], mask=[0, 0, 1])
    source.write(tmp_path / "a.vot", format="votable", tabledata_format=form)
    again = read_table(tmp_path / "a.vot")
    assert list(again["text"]) == ["abc", "ü", ""]
    assert again["flag"].tolist() == [True, False, True]
    np.testing.assert_array_equal(again["real"], [1, np.nan, 3])
    np.testing.assert_array_equal(again["array"], source["array"])
    if form == "binary2":
        assert again["whole"].mask.tolist() == [False, False, True]


@pytest.mark.filterwarnings("ignore:.*Angstrom")
def test_own_reader_agrees_with_astropys_parser(tmp_path, table):
    table.write(tmp_path / "a.vot")
    element = votable.parse(tmp_path / "a.vot", verify="ignore").get_first_table()
    assert [f.ucd for f in element.fields] == [
        (c.info.meta or {}).get("ucd") for c in table.itercols()
    ]
    assert isinstance(read_table(tmp_path / "a.vot"), QTable)


def test_dex_from_a_service_is_mended(tmp_path):
    text = (
        '<VOTABLE version="1.4"><RESOURCE><TABLE><FIELD name="fe_h" datatype="float" '
        'unit="dex"/><DATA><TABLEDATA><TR><TD>0.5</TD></TR></TABLEDATA></DATA></TABLE>'
        "</RESOURCE></VOTABLE>"
    )
    (tmp_path / "s.vot").write_text(text)
    served = votable.parse(tmp_path / "s.vot").get_first_table().to_table()
    assert served["fe_h"].unit != u.dex  # Astropy reads a tenth of an "ex"
    write_table(served, tmp_path / "b.vot")
    assert 'unit="dex"' in (tmp_path / "b.vot").read_text()
    assert read_table(tmp_path / "b.vot")["fe_h"][0] == 0.5 * u.dex


def test_the_error_of_a_service_is_told(tmp_path):
    text = (
        '<VOTABLE version="1.4"><RESOURCE type="results">'
        '<INFO name="QUERY_STATUS" value="ERROR">No such column</INFO>'
        "</RESOURCE></VOTABLE>"
    )
    (tmp_path / "error.vot").write_text(text)
    with pytest.raises(ValueError, match=r"no table.*QUERY_STATUS ERROR: No such col"):
        read_table(tmp_path / "error.vot")


@pytest.mark.parametrize("suffix", [".vot", ".fits", ".parquet"])
def test_metadata_may_be_called_like_a_column(tmp_path, suffix):
    table = ResultTable({"survey": ["harps", "apogee"]}, meta={"survey": "both"})
    table.write(tmp_path / f"a{suffix}")
    again = read_table(tmp_path / f"a{suffix}")
    assert again.meta["survey"] == "both"
    assert list(again["survey"]) == ["harps", "apogee"]
