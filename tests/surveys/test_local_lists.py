# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tables that list files of this machine are read within bounds, and lead nowhere."""

import gzip

import pytest
from astropy.table import Table

from astro_latent.exceptions import ArchiveFormatError, FileLimitError
from astro_latent.surveys import get_survey


def test_a_list_whose_rows_lie_elsewhere(tmp_path, stub, say):
    stub.routes["/rows"] = say(b"0" * 8)
    path = tmp_path / "list.vot"
    path.write_text(
        "<VOTABLE version='1.3'><RESOURCE><TABLE><FIELD name='path' datatype='char' "
        f"arraysize='8'/><DATA><BINARY><STREAM href='{stub.url}/rows'/></BINARY></DATA>"
        "</TABLE></RESOURCE></VOTABLE>"
    )
    with pytest.raises(ArchiveFormatError, match=r"list\.vot.*elsewhere"):
        get_survey("local", path=path).table()
    assert stub.seen == []


def test_a_list_that_is_a_bomb(tmp_path):
    path = tmp_path / "list.csv.gz"
    path.write_bytes(gzip.compress(b"path\n" + b"a" * 30_000_000))
    with pytest.raises(FileLimitError, match=r"list\.csv\.gz.*max_unpack_ratio"):
        get_survey("local", path=path).table()


def test_a_list(tmp_path):
    path = tmp_path / "list.csv"
    Table({"path": ["a.fits"]}).write(path)
    table = get_survey("local", path=path).table()
    assert table["path"].tolist() == [str(tmp_path / "a.fits")]
