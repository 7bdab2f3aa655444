# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Files that would hang, exhaust or kill the process are refused, each by its limit."""

import gzip
import os
import resource
import subprocess
import sys
import threading
import zipfile

import numpy as np
import pytest
from astropy.io import fits

import astro_latent
from astro_latent.exceptions import FileLimitError, SpectrumReadError
from astro_latent.spectra import iter_arrays, read_arrays
from astro_latent.utils.absurd import find_fault


@pytest.fixture
def star():
    """A spectrum as an image with a linear axis."""
    hdu = fits.PrimaryHDU(np.linspace(1, 2, 300, dtype="f4"))
    hdu.header.update(CRVAL1=5000.0, CDELT1=1.0, CTYPE1="WAVE", CUNIT1="Angstrom")
    return hdu


def pack(path, content, opener=gzip.open):
    with opener(path, "wb") as stream:
        stream.write(content)
    return path


def header(*cards):
    return "".join(card.ljust(80) for card in (*cards, "END")).ljust(2880).encode()


class TestOpening:
    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs on this system")
    def test_a_pipe_is_a_flagged_row_at_once(self, tmp_path):
        os.mkfifo(tmp_path / "a.fits")
        (row,) = iter_arrays(tmp_path)
        assert "no regular file" in row.observation.message

    @pytest.mark.parametrize("name", ["/dev/zero", "/dev/null"])
    def test_devices_are_not_opened(self, name):
        with pytest.raises(SpectrumReadError, match="no regular file"):
            read_arrays(name)

    def test_a_file_that_is_written_to_is_refused_and_kills_nobody(
        self, tmp_path, star
    ):
        path = tmp_path / "a.fits"
        star.writeto(path)
        whole, stop = path.read_bytes() * 40, threading.Event()

        def rewrite():
            while not stop.is_set():
                path.write_bytes(whole)

        writer = threading.Thread(target=rewrite)
        writer.start()
        try:
            seen = [next(iter(iter_arrays(path))) for _ in range(100)]
        finally:
            stop.set()
            writer.join()
        assert all(a.wavelength.size == 300 or a.observation.message for a in seen)


class TestUnpacking:
    @pytest.mark.parametrize("kind", ["gzip", "bz2"])
    def test_bombs_are_refused_by_their_ratio(self, tmp_path, kind):
        opener = __import__(kind).open
        start = header(
            "SIMPLE  =                    T", "BITPIX  =                  -32",
            "NAXIS   =                    1", "NAXIS1  =              5000000",
        )  # fmt: skip
        path = pack(tmp_path / "a.fits.gz", start + bytes(20_000_160), opener)
        with pytest.raises(FileLimitError, match=r"a.fits.gz.*200 times"):
            read_arrays(path)

    def test_size_and_pixels_are_configured(self, tmp_path, star):
        path = tmp_path / "a.fits"
        star.writeto(path)
        for item, value in (("max_file_size", 0.001), ("max_pixels", 299)):
            with (
                astro_latent.conf.set_temp(item, value),
                pytest.raises(FileLimitError, match=f"a.fits.*conf.{item}"),
            ):
                read_arrays(path)
        assert read_arrays(path)[0].wavelength.size == 300

    def test_time_is_bounded(self, tmp_path, star):
        path = tmp_path / "a.fits"
        star.writeto(path)
        with (
            astro_latent.conf.set_temp("max_read_time", -1.0),
            pytest.raises(FileLimitError, match="max_read_time"),
        ):
            read_arrays(path)

    def test_large_headers_are_refused(self, tmp_path):
        cards = [f"K{n:07d}= {n:>20}" for n in range(60_000)]
        path = pack(
            tmp_path / "a.fits.gz",
            header(
                "SIMPLE  =                    T", "BITPIX  =                    8",
                "NAXIS   =                    0", *cards,
            ),
        )  # fmt: skip
        with pytest.raises(FileLimitError, match="max_header_size"):
            read_arrays(path)

    def test_archives_of_arrays_are_bounded(self, tmp_path):
        path = tmp_path / "a.npz"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("flux.npy", bytes(20_000_000))
        with pytest.raises(FileLimitError, match="max_unpack_ratio"):
            read_arrays(path)

    def test_a_packed_file_needs_little_address_space(self, tmp_path, star):
        path = tmp_path / "a.fits.gz"
        star.writeto(path)
        code = (
            f"from astro_latent.spectra import read_arrays; read_arrays({str(path)!r})"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31)),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


class TestPromises:
    @pytest.mark.parametrize(
        "count", ["9" * 5000, "²", "00000000000000000000003x9999999"]
    )
    def test_counts_of_any_length(self, tmp_path, count):
        path = tmp_path / "a.vot"
        path.write_text(
            f"<VOTABLE><RESOURCE><TABLE nrows='{count}'></TABLE></RESOURCE></VOTABLE>"
        )
        with pytest.raises(SpectrumReadError, match=r"promises more|no spectrum"):
            read_arrays(path)

    def test_units_that_never_end(self, tmp_path):
        path = tmp_path / "a.vot"
        path.write_text(
            "<VOTABLE><RESOURCE><TABLE><FIELD name='wavelength' datatype='double' "
            "ucd='em.wl' unit='10**99999999 m'/><FIELD name='flux' datatype='double' "
            "ucd='phot.flux'/><DATA><TABLEDATA><TR><TD>1</TD><TD>1</TD></TR>"
            "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
        )
        with pytest.raises(SpectrumReadError, match="is no unit"):
            read_arrays(path)
        assert "is none" in find_fault(path.read_bytes())

    def test_columns_wider_than_their_rows(self, tmp_path):
        wave = np.arange(5000.0, 5300.0)
        table = fits.BinTableHDU.from_columns(
            [fits.Column("WAVE", "D", array=wave, unit="Angstrom"),
             fits.Column("FLUX", "D", array=wave)]
        )  # fmt: skip
        path = tmp_path / "a.fits"
        table.writeto(path)
        content = path.read_bytes().replace(b"'D       '", b"'4000000D'")
        path.write_bytes(content)
        with pytest.raises(SpectrumReadError, match=r"exceeds rows|max_pixels"):
            read_arrays(path)
