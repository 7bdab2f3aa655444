# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""One bad item never ends a call: names that no file has, addresses that are none."""

import io
import os
import sys
import zipfile

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from astro_latent.cli.main import main
from astro_latent.exceptions import SpectrumReadError
from astro_latent.pipeline import predict_parameters
from astro_latent.preparation import HARPS_RECIPE, prepare_spectra, wavelengths
from astro_latent.spectra import QualityFlag, iter_arrays, read_arrays, write_example
from astro_latent.spectra.observation import Observation, SpectrumArrays
from astro_latent.surveys import fetch
from astro_latent.surveys.gaia import datalink
from astro_latent.tables import ResultTable, read_table, write_table
from astro_latent.utils.guard import guarding

WAVELENGTH = np.linspace(5000.0, 5010.0, 1001)


@pytest.fixture
def star(tmp_path):
    """A good file, under a name that is no UTF-8."""
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.fits")
    try:
        return write_example("harps_s1d", name, WAVELENGTH, np.full(1001, 9.0))
    except OSError:
        pytest.skip("this file system takes no such names")


NAMES = [
    "nul\0.fits", "long" * 2000, "[long" * 2000, "*\0.fits", "~nobody-here/a.fits",
    "a" * 300, "", os.fsdecode(b"none\xff"), "/dev/null/a.fits",
]  # fmt: skip


def test_names_that_no_file_has_are_flagged_rows_that_name_them(star):
    found = list(iter_arrays([*NAMES, star]))
    assert len(found) == len(NAMES) + 1
    for name, arrays in zip(NAMES, found, strict=False):
        seen = arrays.observation
        assert seen.flags & QualityFlag.UNREADABLE, name
        assert seen.message.isprintable()
        start = name.replace("\0", "\\x00").replace("\udcff", "\\xff")[:60]
        assert start in seen.message
    assert len(found[-1].flux) == 1001
    assert found[-1].observation.obs_id == "caf\\xe9"


@pytest.mark.parametrize("name", NAMES)
def test_read_arrays_raises_one_kind_of_error(name):
    with pytest.raises(SpectrumReadError, match=r"."):
        read_arrays(name)


@pytest.mark.parametrize("ending", ["vot", "fits", "ecsv", "csv", "parquet"])
def test_tables_with_undecodable_names_can_be_read(star, tmp_path, ending):
    path = tmp_path / f"names.{ending}"
    table = Table({"path": [str(star), "bell\a.fits"], "number": [1, 2]})
    for kind in (Table, ResultTable):
        write_table(kind(table), path, overwrite=True)
        names = [str(name) for name in read_table(path)["path"]]
        assert [os.path.basename(name) for name in names] == [  # noqa: PTH119
            "caf\\xe9.fits", "bell\\x07.fits",
        ]  # fmt: skip


def test_results_of_undecodable_names_are_written(star, tmp_path):
    results = predict_parameters([star, "nul\0.fits"])
    for ending in ("vot", "ecsv"):
        results.write(tmp_path / f"r.{ending}")
        again = read_table(tmp_path / f"r.{ending}")
        assert again["obs_id"].tolist() == ["caf\\xe9", "nul\\x00"]


def test_the_command_takes_undecodable_names_from_standard_input(
    star, monkeypatch, capsys
):
    names = io.BytesIO(os.fsencode(star) + b"\n" + b"long" * 2000 + b"\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(names, "utf-8"))
    assert main(["info", "-"]) == 1
    said = capsys.readouterr()
    assert "caf\\xe9" in said.out
    assert "longlong" in said.err


def test_a_cell_that_is_no_number_costs_one_row(star):
    table = Table({"path": [str(star)] * 2, "ra": ["12 h", "10.5"]})
    bad, good = iter_arrays(table)
    assert bad.observation.flags & QualityFlag.UNREADABLE
    assert "ra is '12 h'" in bad.observation.message
    assert good.observation.ra == 10.5


def test_bad_addresses_and_paths_cost_their_own_rows(star, tmp_path):
    urls = ["http://[::1", "http://a\0b/", "ftp://a/b", "http://" + "a" * 300, ""]
    table = Table({"obs_id": list("abcde"), "access_url": urls})
    found = fetch(table, tmp_path / "files")
    assert found["fetch_status"].tolist() == ["failed"] * 5
    assert all(found["message"])
    here = Table({"path": ["nul\0", "long" * 2000, str(star)], "obs_id": list("abc")})
    found = fetch(here, tmp_path / "files")
    assert found["fetch_status"].tolist() == ["failed", "failed", "copied"]


def test_a_spectrum_that_cannot_be_prepared_costs_one_row(monkeypatch):
    convert = wavelengths.convert_medium

    def fail(row, step, grid):
        if row.observation.obs_id == "bad":
            raise ZeroDivisionError("of some step")
        convert(row, step, grid)

    monkeypatch.setattr(wavelengths, "convert_medium", fail)
    spectra = [
        SpectrumArrays(
            wavelength=np.linspace(3780, 6920, 9000),
            flux=np.ones(9000),
            mask=np.zeros(9000, bool),
            observation=Observation(obs_id=name, medium="air", frame="barycentric"),
        )
        for name in ("a", "bad", "c")
    ]
    anew = HARPS_RECIPE.to_dict()  # the recipe itself may know its functions already
    found = prepare_spectra(spectra, "harps_327680", anew)
    assert [seen.obs_id for seen in found.observations] == ["a", "bad", "c"]
    assert found.usable.tolist() == [True, False, True]
    assert "bad: cannot be prepared (ZeroDivisionError: of some step)" in (
        found.observations[1].message
    )


def test_one_damaged_member_of_an_answer_costs_one_row(tmp_path):
    packed = tmp_path / "answer.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("RVS-Gaia DR3 123456.xml", b"x" * 1000)
        archive.writestr("RVS-Gaia DR3 123457.xml", b"\x1f\x8b garbage")
    content = bytearray(packed.read_bytes())
    content[60:70] = b"\xff" * 10  # the packed bytes of the first member
    packed.write_bytes(content)
    sources = {"123456": "a", "123457": "b"}
    found = datalink._unpack(packed, tmp_path, tmp_path, sources, "RVS")
    assert [found[name].status for name in "ab"] == ["failed", "failed"]
    assert "123456.xml" in found["a"].message


def test_a_guard_lets_interrupts_pass_and_tells_the_traceback(caplog):
    with pytest.raises(KeyboardInterrupt), guarding("a", SpectrumReadError):
        raise KeyboardInterrupt
    with caplog.at_level("DEBUG"), pytest.raises(SpectrumReadError, match="a: cannot"):
        run_out_of_memory()


def run_out_of_memory():
    with guarding("a", SpectrumReadError):
        raise MemoryError


def test_things_that_are_no_spectra_are_flagged_rows_in_a_list(star, tmp_path):
    bad = [42, None, Table({"a": [1]}), np.ones(500), [3.5, object()], b""]
    items = [star, *bad, star]
    table = predict_parameters(items, progress=False)
    assert len(table) == 9  # [3.5, object()] is two
    unread = (np.asarray(table["flags"]) & QualityFlag.UNREADABLE) != 0
    assert unread.tolist() == [False, *[True] * 7, False]
    for row, start in zip(
        (1, 2, 3, 4, 5, 6),
        (
            "item [1]: cannot read spectra from int 42; give paths",
            "item [2]: cannot read spectra from NoneType None; give paths",
            "item [3]: the table needs a column path",
            "item [4]: cannot read spectra from ndarray",
            "item [0]: cannot read spectra from float 3.5",
            "item [1]: cannot read spectra from object",
        ),
        strict=True,
    ):
        assert start in str(table["message"][row])
    assert table["obs_id"][1] == "item [1]"
    kept = predict_parameters(items, checkpoint=tmp_path / "kept", progress=False)
    assert kept["message"].tolist() == table["message"].tolist()


@pytest.mark.parametrize("whole", [42, None, np.ones(500), [1.0, 2.0], 1.5 * u.AA])
def test_a_whole_argument_that_is_no_spectra_is_an_error(whole):
    with pytest.raises(TypeError, match="cannot read spectra from"):
        predict_parameters(whole, progress=False)
