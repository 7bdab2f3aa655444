# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What arrived is checked within bounds: no file costs more than it may."""

import gzip
import os
import time

import pytest

import astro_latent
from astro_latent.archives import FileRequest, download_files
from astro_latent.archives.verify import IncompleteFileError, verify_file
from astro_latent.exceptions import ArchiveFormatError

VOTABLE = b"<?xml version='1.0'?><VOTABLE><RESOURCE/></VOTABLE>"


def header(*cards):
    return "".join(card.ljust(80) for card in (*cards, "END")).ljust(2880).encode()


IMAGE = header(
    "SIMPLE  =                    T", "BITPIX  =                    8",
    "NAXIS   =                    1", "NAXIS1  =             30000000",
)  # fmt: skip


@pytest.mark.parametrize(
    ("content", "item"),
    [
        (IMAGE + bytes(30_000_960), "max_unpack_ratio"),
        (
            header(
                "SIMPLE  =                    T", "BITPIX  =                    8",
                "NAXIS   =                    0",
                *(f"K{n:07d}= {n:>20}" for n in range(60_000)),
            ),
            "max_header_size",
        ),
    ],
)  # fmt: skip
def test_packed_bombs(tmp_path, stub, say, content, item):
    packed = gzip.compress(content)
    (tmp_path / "a").write_bytes(packed)
    start = time.monotonic()
    with pytest.raises(ArchiveFormatError, match=item):
        verify_file(tmp_path / "a")
    stub.routes["/a"] = say(packed)
    request = FileRequest(identifier="a", url=f"{stub.url}/a")
    (result,) = download_files([request], tmp_path / "files")
    assert item in result.message
    assert list((tmp_path / "files").rglob("a*")) == []  # nothing of it is kept
    assert len(stub.seen) == 1  # nor asked for again
    assert time.monotonic() - start < 20


@pytest.mark.parametrize(
    ("item", "value"),
    [("max_text_size", 1e-5), ("max_file_size", 1e-5), ("max_read_time", -1.0)],
)
def test_limits_are_configured(tmp_path, make_fits, item, value):
    content = VOTABLE if item == "max_text_size" else make_fits()
    path = tmp_path / "a"
    path.write_bytes(content)
    assert verify_file(path) in (".vot", ".fits")
    with (
        astro_latent.conf.set_temp(item, value),
        pytest.raises(ArchiveFormatError, match=rf"conf\.{item} higher"),
    ):
        verify_file(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs on this system")
def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "a")
    with pytest.raises(ArchiveFormatError, match="no regular file"):
        verify_file(tmp_path / "a")


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(IMAGE + bytes(30_000_960))[:-9],
        IMAGE.replace(
            b"NAXIS1  =             30000000", b"NAXIS1  =            -30000000"
        ),
        IMAGE.replace(b"BITPIX  =", b"BITFIX  ="),
        IMAGE,
    ],
)
def test_damage_may_be_mended_by_fetching_again(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    with (
        astro_latent.conf.set_temp("max_unpack_ratio", 1e6),
        pytest.raises(IncompleteFileError, match="damaged or cut"),
    ):
        verify_file(tmp_path / "a")
