# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tables that would hang, exhaust or lead astray are refused, each by its limit."""

import base64
import bz2
import gzip
import io
import os
import threading
import time

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import astro_latent
from astro_latent.exceptions import FileLimitError, TableReadError
from astro_latent.matching import crossmatch
from astro_latent.tables import read_table
from astro_latent.utils.absurd import find_fault, promised

FIELD = "<FIELD name='a' datatype='double'{}/>"
ONE = FIELD.format("")
DATA = "<DATA><TABLEDATA><TR><TD>1</TD></TR></TABLEDATA></DATA>"
UNIT = "10**99999999 m"
SMALL = Table({"ra": [10.0, 20.0], "dec": [0.0, 5.0], "name": ["a", "b"]})
ENDINGS = ("vot", "fits", "parquet", "ecsv", "csv", "tsv")


def votable(fields=ONE, data=DATA, attributes="", before=""):
    return (
        f"<?xml version='1.0'?>{before}<VOTABLE version='1.4'><RESOURCE>"
        f"<TABLE {attributes}>{fields}{data}</TABLE></RESOURCE></VOTABLE>"
    ).encode()


def header(*cards):
    return "".join(card.ljust(80) for card in (*cards, "END")).ljust(2880).encode()


def bomb(ending):
    """Content of 30 MB that packs to some 30 kB, and is whole or nearly so."""
    if ending == "fits":
        columns = [fits.Column("ra", "D", array=np.zeros(3_750_000))]
        stream = io.BytesIO()
        fits.BinTableHDU.from_columns(columns).writeto(stream)
        return stream.getvalue()
    if ending == "vot":
        return votable(data=DATA + " " * 30_000_000)
    if ending == "ecsv":
        return b"# %ECSV 1.0\n# ---\n# datatype: []\n" + b"# \n" * 10_000_000
    return (
        b"ra\tdec\n".replace(b"\t", b"," if ending == "csv" else b"\t")
        + b"1" * 30_000_000
    )


def write(path, table=SMALL):
    if path.suffix == ".tsv":
        table.write(path, format="ascii.tab")
    else:
        astro_latent.tables.write_table(table, path)
    return path


class TestOpening:
    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs on this system")
    @pytest.mark.parametrize("ending", [*ENDINGS, "hdf5", "txt"])
    def test_a_pipe_is_refused_at_once(self, tmp_path, ending):
        path = tmp_path / f"cat.{ending}"
        os.mkfifo(path)
        with pytest.raises(TableReadError, match=rf"cat.{ending}.*no regular file"):
            read_table(path)

    @pytest.mark.parametrize("name", ["/dev/zero", "/dev/null", "/dev/stdin"])
    def test_devices_are_not_opened(self, name):
        with pytest.raises(TableReadError, match=r"no regular file|is a folder"):
            read_table(name, format="votable")

    def test_a_folder_and_nothing(self, tmp_path):
        with pytest.raises(TableReadError, match="is a folder, not a file"):
            read_table(tmp_path)
        with pytest.raises(FileNotFoundError, match=r"none\.vot"):
            read_table(tmp_path / "none.vot")

    @pytest.mark.parametrize("form", [None, "votable", "ascii.csv"])
    def test_an_address_is_not_asked(self, stub, form):
        with pytest.raises(TableReadError, match="an address and not a file"):
            read_table(f"{stub.url}/cat.vot", format=form)
        assert stub.seen == []

    def test_cross_matches_go_through_the_same_door(self, tmp_path):
        path = tmp_path / "cat.vot.gz"
        path.write_bytes(gzip.compress(bomb("vot")))
        with pytest.raises(FileLimitError, match=r"cat\.vot\.gz.*200 times"):
            crossmatch(SMALL, path)

    def test_a_file_that_is_written_to_kills_nobody(self, tmp_path):
        path = write(tmp_path / "cat.fits")
        whole, stop = path.read_bytes(), threading.Event()

        def rewrite():
            while not stop.is_set():
                path.write_bytes(whole)

        writer = threading.Thread(target=rewrite)
        writer.start()
        found = []
        try:
            for _ in range(50):
                try:
                    found.append(len(read_table(path)))
                except TableReadError:
                    found.append(2)
        finally:
            stop.set()
            writer.join()
        assert found == [2] * 50


class TestUnpacking:
    @pytest.mark.parametrize("ending", ["vot", "fits", "ecsv", "csv", "tsv"])
    @pytest.mark.parametrize("packer", [gzip, bz2], ids=["gz", "bz2"])
    def test_bombs_are_refused_by_their_ratio(self, tmp_path, ending, packer):
        end = "gz" if packer is gzip else "bz2"
        path = tmp_path / f"cat.{ending}.{end}"
        path.write_bytes(packer.compress(bomb(ending)))
        start = time.process_time()
        with pytest.raises(FileLimitError, match=rf"cat\.{ending}.*max_unpack_ratio"):
            read_table(path)
        with pytest.raises(FileLimitError, match="max_unpack_ratio"):
            read_table(io.BytesIO(path.read_bytes()))
        assert time.process_time() - start < 20

    def test_parquet_of_one_cell_that_repeats(self, tmp_path):
        pytest.importorskip("pyarrow")
        path = tmp_path / "cat.parquet"
        write(path, Table({"a": np.full(3_000_000, "x" * 20)}))
        assert path.stat().st_size < 20_000
        with pytest.raises(FileLimitError, match=r"cat\.parquet.*max_unpack_ratio"):
            read_table(path)

    @pytest.mark.parametrize("ending", ENDINGS)
    @pytest.mark.parametrize(
        ("item", "value"),
        [("max_file_size", 1e-5), ("max_table_rows", 1), ("max_table_columns", 2)],
    )
    def test_limits_are_configured(self, tmp_path, ending, item, value):
        path = write(tmp_path / f"cat.{ending}")
        with (
            astro_latent.conf.set_temp(item, value),
            pytest.raises(TableReadError, match=rf"cat\.{ending}.*conf\.{item}"),
        ):
            read_table(path)
        assert len(read_table(path)) == 2

    @pytest.mark.parametrize("content", [b"PK\x03\x04", b"\xfd7zXZ\x00", b"\x1f\x9d"])
    def test_other_packers_and_packing_twice(self, tmp_path, content):
        path = tmp_path / "cat.vot"
        for packed in (content, gzip.compress(gzip.compress(votable()))):
            path.write_bytes(packed)
            with pytest.raises(TableReadError, match="unpack it first"):
                read_table(path)

    @pytest.mark.parametrize("ending", ["vot.gz", "fits", "parquet"])
    def test_time_is_bounded(self, tmp_path, ending):
        path = write(tmp_path / f"cat.{ending.removesuffix('.gz')}")
        if ending.endswith("gz"):
            path.write_bytes(gzip.compress(path.read_bytes()))
        with (
            astro_latent.conf.set_temp("max_read_time", -1.0),
            pytest.raises(TableReadError, match="max_read_time"),
        ):
            read_table(path)

    @pytest.mark.parametrize("ending", ["fits", "ecsv"])
    def test_large_headers_are_refused(self, tmp_path, ending):
        cards = [f"K{n:07d}= {n:>20}" for n in range(60_000)]
        content = header(
            "SIMPLE  =                    T", "BITPIX  =                    8",
            "NAXIS   =                    0", *cards,
        )  # fmt: skip
        if ending == "ecsv":
            lines = [f"# - {{name: c{n}, datatype: int64}}" for n in range(140_000)]
            content = "\n".join(
                ["# %ECSV 1.0", "# ---", "# datatype:", *lines]
            ).encode()
        path = tmp_path / f"cat.{ending}.gz"
        path.write_bytes(gzip.compress(content))
        start = time.process_time()
        with pytest.raises(FileLimitError, match=rf"cat\.{ending}.*max_header_size"):
            read_table(path)
        assert time.process_time() - start < 10


class TestPromises:
    @pytest.mark.parametrize("count", ["9" * 5000, "99999999999", "1" + "0" * 17])
    def test_rows_that_are_not_there(self, tmp_path, count):
        path = tmp_path / "cat.vot"
        path.write_bytes(votable(attributes=f"nrows='{count}'"))
        with pytest.raises(TableReadError, match=r"cat\.vot.*promises more"):
            read_table(path)

    @pytest.mark.parametrize("size", ["9" * 5000, "99999999999", "1000000x1000000"])
    def test_cells_that_are_not_there(self, tmp_path, size):
        path = tmp_path / "cat.vot"
        path.write_bytes(votable(FIELD.format(f" arraysize='{size}'")))
        with pytest.raises(TableReadError, match="promises more"):
            read_table(path)

    def test_rows_times_cells(self):
        fields = FIELD.format(" arraysize='10000'")
        assert find_fault(votable(fields)) is None
        assert "promises" in find_fault(votable(fields, attributes="nrows='10000'"))

    def test_what_services_promise_is_fine(self):
        """Text of 4,000 characters at most, in a small document, promises nothing."""
        text = "<FIELD name='a' datatype='char' arraysize='4000*'/>"
        wide = "<FIELD name='b' datatype='char' arraysize='100000'/>"
        empty = "<DATA><TABLEDATA/></DATA>"
        assert find_fault(votable(text + wide, empty, "nrows='0'")) is None
        assert find_fault(votable(attributes="nrows='1'")) is None
        assert promised("") == promised("*") == 1

    @pytest.mark.parametrize("where", ["votable", "fits", "ecsv", "parquet"])
    def test_units_that_never_end(self, tmp_path, where):
        path = tmp_path / "cat"
        if where == "votable":
            path.write_bytes(votable(FIELD.format(f" unit='{UNIT}'")))
        elif where == "ecsv":
            path.write_text(
                '# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, "unit": '
                '"\\x310**99999999 m", datatype: float64}\na\n1.0\n'
            )
        elif where == "fits":
            column = fits.Column("a", "D", unit="m", array=[1.0])
            fits.BinTableHDU.from_columns([column]).writeto(path)
            content = path.read_bytes()
            path.write_bytes(
                content.replace(b"'m       '     ", b"'10**99999999'".ljust(15))
            )
        else:
            pa = pytest.importorskip("pyarrow")
            from pyarrow import parquet

            content = votable(FIELD.format(f" unit='{UNIT}'"), "")
            key = b"IVOA.VOTable-Parquet.content"
            table = pa.table({"a": [1.0]}).replace_schema_metadata({key: content})
            parquet.write_table(table, path)
        start = time.process_time()
        if where == "fits":
            assert str(read_table(path)["a"].unit) == "10**99999999"
        else:
            with pytest.raises(TableReadError, match=r"cat: .*10\*\*99999999.*none"):
                read_table(path)
        assert time.process_time() - start < 5

    @pytest.mark.parametrize("length", [600_000_000, -9, 2**31 - 1])
    def test_text_that_is_not_there(self, tmp_path, length):
        path = write(tmp_path / "cat.vot", Table({"a": ["xx", "yy"]}))
        head, _, rest = path.read_bytes().partition(b'base64">')
        rows, _, tail = rest.partition(b"</STREAM>")
        packed = base64.b64decode(rows)
        packed = packed.replace(b"\0\0\0\2", length.to_bytes(4, "big", signed=True), 1)
        content = base64.b64encode(packed)
        path.write_bytes(head + b'base64">' + content + b"</STREAM>" + tail)
        with pytest.raises(TableReadError, match=r"cat\.vot.*row 1 says that it has"):
            read_table(path)

    @pytest.mark.parametrize("ending", ["vot", "parquet"])
    def test_one_long_text_among_many(self, tmp_path, ending):
        texts = np.array(["x" * 300_000, *["y"] * 2000], object)
        path = tmp_path / f"cat.{ending}"
        if ending == "parquet":
            pa = pytest.importorskip("pyarrow")
            from pyarrow import parquet

            parquet.write_table(pa.table({"a": texts}), path)
        else:
            rows = b"".join(
                b"\0" + len(t).to_bytes(4, "big") + t.encode() for t in texts
            )
            field = "<FIELD name='a' datatype='char' arraysize='*'/>"
            stream = base64.b64encode(rows).decode()
            data = f'<DATA><BINARY2><STREAM encoding="base64">{stream}</STREAM>'
            path.write_bytes(votable(field, data + "</BINARY2></DATA>"))
        with pytest.raises(FileLimitError, match=r"2001 cells of 300000 characters"):
            read_table(path)

    def test_a_fits_table_that_is_cut(self, tmp_path):
        path = write(tmp_path / "cat.fits", Table({"a": np.arange(5000.0)}))
        path.write_bytes(path.read_bytes()[:-20_000])
        with pytest.raises(
            TableReadError, match=r"cat\.fits.*bytes of data are missing"
        ):
            read_table(path)
        content = path.read_bytes()
        for count in (b"99999999999999999", b"-1"):
            path.write_bytes(
                content.replace(b"NAXIS2  = %20d" % 5000, b"NAXIS2  = %20s" % count)
            )
            with pytest.raises(TableReadError, match=r"cat\.fits"):
                read_table(path)


class TestElsewhere:
    @pytest.mark.parametrize("kind", ["BINARY", "BINARY2", "FITS"])
    @pytest.mark.parametrize("how", ["path", "stream", "gz", "utf-16", "prefix"])
    def test_rows_that_lie_elsewhere(self, tmp_path, stub, say, kind, how):
        """Neither a file of this machine nor an address is opened."""
        secret = tmp_path / "secret"
        secret.write_bytes(np.array([42.0], ">f8").tobytes())
        stub.routes["/rows"] = say(secret.read_bytes())
        for where in (secret.as_uri(), f"{stub.url}/rows"):
            stream = f"<DATA><{kind}><STREAM href='{where}'/></{kind}></DATA>"
            content = votable(data=stream)
            if how == "prefix":
                content = content.replace(b"<VOTABLE", b"<v:VOTABLE xmlns:v='x'")
                content = content.replace(b"</VOTABLE", b"</v:VOTABLE")
                content = content.replace(b"<STREAM", b"<v:STREAM")
            if how == "utf-16":
                content = content.decode().replace("'1.0'?", "'1.0' encoding='UTF-16'?")
                content = content.encode("utf-16")
            path = tmp_path / "cat.vot"
            path.write_bytes(gzip.compress(content) if how == "gz" else content)
            source = io.BytesIO(content) if how == "stream" else path
            with pytest.raises(TableReadError, match="has its data elsewhere"):
                read_table(source, format="votable")
        assert stub.seen == []

    def test_entities(self, tmp_path):
        path = tmp_path / "cat.vot"
        entity = "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"
        path.write_bytes(votable(before=entity))
        with pytest.raises(TableReadError, match="declares the XML entity 'a'"):
            read_table(path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_damage_is_one_kind_of_error_that_names_the_file(tmp_path, rng, ending):
    path = write(tmp_path / f"cat.{ending}")
    content, said = path.read_bytes(), []
    for _ in range(60):
        broken = bytearray(content)
        for place in rng.integers(0, len(broken), 3):
            broken[place] = rng.integers(256)
        path.write_bytes(broken[: rng.integers(len(broken) // 2, len(broken) + 1)])
        try:
            read_table(path)
        except TableReadError as error:
            said.append(str(error))
    assert said
    assert all(f"cat.{ending}" in text for text in said)
