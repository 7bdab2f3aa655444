# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tables of text: ends of lines, long cells, hostile lines, words of the caller."""

import time
from contextlib import suppress

import numpy as np
import pytest
from astropy.table import Table

import astro_latent
from astro_latent.exceptions import FileLimitError, TableReadError
from astro_latent.tables import read_table
from astro_latent.utils.guard import printable

ECSV = (
    "# %ECSV 1.0\n# ---\n# {}datatype:\n# - {{name: a, datatype: string}}\n"
    "# - {{name: b, datatype: int64}}\n# schema: astropy-2.0\n"
)


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


class TestEndsOfLines:
    @pytest.mark.parametrize("mark", ["\x85", "\x0b", "\x0c", "\x1c", "\u2028"])
    @pytest.mark.parametrize(
        ("ending", "delimiter", "head", "form"),
        [
            ("csv", ",", "", None),
            ("csv", ",", "", "ascii.csv"),
            ("tsv", "\t", "", None),
            ("txt", " ", "", None),
            ("ecsv", " ", ECSV.format(""), None),
        ],
    )
    def test_only_ends_of_lines_end_lines(
        self, tmp_path, mark, ending, delimiter, head, form
    ):
        text = "a,b\nx{}y,1\nz,2\n".replace(",", delimiter).format(mark)
        table = read_table(write(tmp_path / f"s.{ending}", head + text), format=form)
        assert [printable(cell) for cell in table["a"]] == [printable(f"x{mark}y"), "z"]
        assert list(table["b"]) == [1, 2]

    def test_dots_of_windows(self, tmp_path):
        path = write(tmp_path / "s.csv", "name,n\na…b,1\n".encode("cp1252"))
        table = read_table(path)
        assert list(table["name"]) == ["a\x85b"]
        assert list(table["n"]) == [1]

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("delimiter", [",", "\t"])
    def test_quoted_cells_of_two_lines(self, tmp_path, end, delimiter):
        text = 'a,b\n"x\ny",1\nz,2\n'.replace("\n", end).replace(",", delimiter)
        table = read_table(write(tmp_path / "s.csv", text))
        assert list(table["a"]) == ["x\ny", "z"]
        assert list(table["b"]) == [1, 2]


def _long(delimiter, cell="x" * 10_000, rows=1000):
    return f"a{delimiter}b\n{cell}{delimiter}1\n" + f"y{delimiter}2\n" * rows


class TestLongCells:
    """A column takes its longest cell times its rows, which is what is bounded."""

    @pytest.mark.parametrize(
        ("ending", "content", "form"),
        [
            ("csv", _long(","), None),
            ("csv", _long(","), "ascii.csv"),
            ("csv", _long(",", '"' + "x," * 5000 + '"'), None),
            ("csv", _long(",", '"' + '""' * 2 + 'x"",' * 2500 + '"'), None),
            ("csv", _long(",", '"' + "x\n" * 5000 + '"', 6000), None),
            ("csv", _long(",", "1,#" + "x" * 10_000).replace("b", "b,c", 1), None),
            ("csv", _long(",", "#" + "x" * 10_000), "ascii.csv"),
            ("tsv", _long("\t"), None),
            ("tsv", _long("\t"), "ascii.tab"),
            ("txt", _long(" "), None),
            ("txt", _long(" "), "ascii.basic"),
            ("txt", _long(" ", "'" + "x " * 5000 + "'"), None),
            ("txt", "a b\n" + "1 " * 5000 + "\n" + "1 2\n" * 1000, None),
            ("ecsv", ECSV.format("") + _long(" "), None),
            ("ecsv", ECSV.format("delimiter: ','\n# ") + _long(",", "x " * 5000), None),
        ],
    )
    def test_one_long_cell_is_refused(self, tmp_path, ending, content, form):
        path = write(tmp_path / f"s.{ending}", content)
        with (
            astro_latent.conf.set_temp("max_file_size", 1),
            pytest.raises(FileLimitError, match=rf"s\.{ending}.*max_file_size"),
        ):
            read_table(path, format=form)

    @pytest.mark.parametrize(("ending", "mark"), [("csv", ","), ("txt", " ")])
    def test_wide_tables_and_lone_quotes_are_not(self, tmp_path, ending, mark):
        """Lines of 8 kB in 500 rows are 16 MB as cells of one line, and no cell is."""
        rng = np.random.default_rng(3)
        names = mark.join(f"c{n}" for n in range(400))
        rows = rng.normal(size=(500, 400))
        rows[::2] = 0
        lines = [mark.join(f"{value:.17g}" for value in row) for row in rows]
        path = write(tmp_path / f"s.{ending}", "\n".join(['# 5" of #', names, *lines]))
        with astro_latent.conf.set_temp("max_file_size", 4.5):
            table = read_table(path)
        np.testing.assert_allclose(table["c7"], rows[:, 7])

    def test_arrays_in_ecsv_are_not(self, tmp_path):
        """They are long in each row, and Astropy does not make text of them."""
        values = np.random.default_rng(4).normal(size=(500, 64))
        path = tmp_path / "s.ecsv"
        Table({"z": values, "n": ["x y"] * 500}).write(path)
        with astro_latent.conf.set_temp("max_file_size", 1):
            np.testing.assert_array_equal(read_table(path)["z"], values)

    def test_one_long_text_of_many_lines_in_few_rows_is_not(self, tmp_path):
        cell = '"' + "x\n" * 5000 + '"'
        path = write(tmp_path / "s.csv", f"a,b\n{cell},1\ny,2\n")
        with astro_latent.conf.set_temp("max_file_size", 1):
            assert len(read_table(path)["a"][0]) == 10_000


class TestTimes:
    """Each of these took minutes; now the time is linear in the length."""

    @pytest.mark.parametrize(
        "content",
        [
            "#Column\ta\t(I)\t" + "\t " * 200_000 + "x\na\tb\n1\t2\n",
            "#Column\ta\t(I)\tx" + " " * 400_000 + "x\na\tb\n1\t2\n",
            "a\tb\nx\ty\n" + "-" * 400_000 + "x\n",
            "\t".join(["a"] * 4000) + "\n" + "\t".join(["1"] * 4000) + "\n",
            "\t".join(["a"] * 400_000) + "\n",
            "a,b\n" + '"' * 200_001 + ",1\n",
        ],
        ids=["tabs", "blanks", "dashes", "names", "columns", "quotes"],
    )
    def test_hostile_lines_take_no_time(self, tmp_path, content):
        path, start = write(tmp_path / "s.tsv", content), time.process_time()
        with suppress(TableReadError):
            read_table(path)
        assert time.process_time() - start < 10

    @pytest.mark.parametrize("form", [None, "ascii", "ascii.tab", "ascii.csv"])
    @pytest.mark.parametrize("mark", [" ", "\t", ",", '"', "'", '"\n', '" ', "#\n"])
    def test_looking_for_long_cells_takes_no_time(self, tmp_path, form, mark):
        content = "a b\n1" + mark * 100_000 + '2\n"x" 2\n'
        path, start = write(tmp_path / "s.txt", content), time.process_time()
        with (
            astro_latent.conf.set_temp("max_file_size", 0.35),
            suppress(TableReadError),
        ):
            read_table(path, format=form)
        assert time.process_time() - start < 10

    def test_equal_names_are_told_apart(self, tmp_path):
        text = "a\ta_1\ta\t\ta\ta_1\n1\t2\t3\t4\t5\t6\n"
        table = read_table(write(tmp_path / "s.tsv", text))
        assert table.colnames == ["a", "a_1", "a_2", "col3", "a_3", "a_1_1"]

    def test_meanings_are_those_of_vizier(self, tmp_path):
        text = (
            "#Column\tRA\t(F9.5)\tRight  ascension\t[ucd=pos.eq.ra]  \n"
            "#Column\tB\t(I4)\t\t[ucd=]\n#Column\tC\t(I4)\ta [b]\n#Column\tD\n"
            "RA\tB\tC\tD\n1.5\t2\t3\t4\n"
        )
        table = read_table(write(tmp_path / "s.tsv", text))
        assert [c.info.description for c in table.itercols()] == [
            "Right  ascension", None, "a [b]", None,
        ]  # fmt: skip
        assert table["RA"].info.meta["ucd"] == "pos.eq.ra"


class TestWhatTheCallerSays:
    def test_options_reach_the_reader(self, tmp_path):
        path = write(tmp_path / "s.csv", "1;2\n3;4\n")
        table = read_table(path, names=["x", "y"], data_start=0, delimiter=";")
        assert table.colnames == ["x", "y"]
        assert list(table["y"]) == [2, 4]

    def test_an_unknown_format_is_named_with_the_known(self, tmp_path):
        path = write(tmp_path / "s.csv", "a,b\n1,2\n")
        with pytest.raises(TableReadError, match=r"s\.csv.*'cvs'.*ascii\.csv") as found:
            read_table(path, format="cvs")
        assert "whole" not in str(found.value)
        assert isinstance(found.value, ValueError)

    def test_known_formats_are_read(self, tmp_path):
        path = tmp_path / "s.dat"
        for form in ("ascii", "ascii.fixed_width", "ascii.ipac", "ascii.html", "latex"):
            Table({"a": [1, 2]}).write(path, format=form, overwrite=True)
            assert list(read_table(path, format=form)["a"]) == [1, 2]
