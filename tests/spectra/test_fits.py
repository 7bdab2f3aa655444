"""The fast FITS path gives what astropy.io.fits gives, or says why not."""

import gc
import gzip
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from astro_latent.exceptions import SpectrumReadError
from astro_latent.spectra import EXAMPLE_FORMATS, FORMATS, read_arrays
from astro_latent.spectra.fits import FitsFile, NotFitsError
from astro_latent.spectra.header import Header

FITS_FORMATS = [name for name in EXAMPLE_FORMATS if FORMATS[name].container == "fits"]


def assert_same(path):
    file = FitsFile(path)
    with fits.open(path, memmap=False) as truth:
        assert len(file) == len(truth)
        for own, hdu in zip(file.hdus, truth, strict=True):
            wanted = {card.keyword: card.value for card in reversed(hdu.header.cards)}
            for key, value in own.header.items():
                undefined = isinstance(wanted[key], fits.card.Undefined)
                assert value is None if undefined else value == wanted[key], key
            if isinstance(hdu, fits.BinTableHDU):
                for name in hdu.columns.names:
                    compare_columns(own.column(name), hdu.data[name])
            elif hdu.data is not None:
                np.testing.assert_array_equal(own.array(), hdu.data)
                assert own.array().dtype.isnative


def compare_columns(own, truth):
    truth = np.asarray(truth)
    if own.dtype.kind == "S":
        own, truth = (
            np.char.decode(np.char.rstrip(own), "latin-1"),
            np.char.rstrip(truth),
        )
    np.testing.assert_array_equal(own.ravel(), truth.ravel())


@pytest.mark.parametrize("name", FITS_FORMATS)
def test_equal_to_astropy_on_examples(name, samples):
    assert_same(samples[name])


@pytest.mark.parametrize(
    "pattern",
    [
        "apogee/spectra/*.fits",
        "apogee/mdwarfs/*.fits",
        "lamost/*-02?.fits",
        "harps/*/*",
    ],
)
def test_equal_to_astropy_on_real_files(real_data, pattern):
    paths = [path for path in real_data.glob(pattern) if path.suffix == ".fits"]
    assert paths
    for path in sorted(paths)[::3]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", fits.verify.VerifyWarning)
            assert_same(path)


def test_odd_headers_and_tables(tmp_path):
    primary = fits.PrimaryHDU()
    primary.header["LONG"] = "a long string with 'quotes' " * 8
    primary.header["EMPTY"] = None
    primary.header["BIG"] = 1.5e300
    primary.header["HIERARCH ESO DRS CAL X"] = -3
    primary.header["YES"] = True
    primary.header["HISTORY"] = "done by hand"
    columns = [
        fits.Column("bits", "3X", array=np.array([[True, False, True]] * 4)),
        fits.Column("flag", "L", array=np.array([True, False, True, True])),
        fits.Column("unsigned", "J", bzero=2**31, array=np.arange(4, dtype=np.uint32)),
        fits.Column("text", "12A", array=np.array(["a", "bb", "", "dddd"])),
        fits.Column("vector", "5D", array=np.arange(20.0).reshape(4, 5)),
        fits.Column("one", "E", array=np.arange(4, dtype=np.float32)),
    ]
    scaled = fits.ImageHDU(np.arange(10, dtype=np.uint16))
    table = fits.BinTableHDU.from_columns(columns)
    path = tmp_path / "odd.fits"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        fits.HDUList([primary, table, scaled]).writeto(path)
    assert_same(path)
    assert FitsFile(path).primary.commentary() == "done by hand"


@pytest.mark.parametrize(("key", "value"), [("BSCALE", 2), ("BZERO", 7), ("BLANK", -1)])
def test_cards_that_change_pixels_are_seen(key, value, tmp_path):
    path = tmp_path / "a.fits"
    image = fits.ImageHDU(np.arange(-3, 3, dtype=np.int16))
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(path)
    with fits.open(path, "update", do_not_scale_image_data=True) as hdus:
        hdus[1].header[key] = value
    assert_same(path)
    assert FitsFile(path)[1].array()[0] != -3 or key == "BLANK"


def test_headers_of_plain_images_are_not_parsed(samples):
    file = FitsFile(samples["apstar"])
    for number in (1, 2, 3):
        file[number].array(row=0)
        assert file[number]._header is None


def test_mandatory_cards_in_free_format():
    cards = ["SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0", "END"]
    header = Header("".join(card.ljust(80) for card in cards).encode())
    assert dict(header) == {"SIMPLE": True, "BITPIX": 8, "NAXIS": 0}


def test_free_format_file_is_read(tmp_path):
    cards = ["SIMPLE  = T", "BITPIX  = -32", "NAXIS   = 1", "NAXIS1  = 3", "END"]
    head = "".join(card.ljust(80) for card in cards).ljust(2880).encode()
    path = tmp_path / "free.fits"
    path.write_bytes(head + np.array([1, 2, 3], ">f4").tobytes().ljust(2880, b"\0"))
    np.testing.assert_array_equal(FitsFile(path)[0].array(), [1, 2, 3])


def test_compressed_image_goes_to_astropy(tmp_path):
    path = tmp_path / "packed.fits"
    image = np.arange(400, dtype=np.int16).reshape(20, 20)
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(image)]).writeto(path)
    np.testing.assert_array_equal(FitsFile(path)[1].array(), image)


def test_variable_length_column_goes_to_astropy(tmp_path):
    path = tmp_path / "heap.fits"
    values = np.empty(1, dtype=object)
    values[0] = np.arange(7.0)
    fits.BinTableHDU.from_columns([fits.Column("W", "PD()", array=values)]).writeto(
        path
    )
    np.testing.assert_array_equal(FitsFile(path)[1].column("w")[0], np.arange(7.0))


@pytest.mark.parametrize("name", FITS_FORMATS)
@pytest.mark.parametrize("part", [0.99, 0.6, 0.2])
def test_truncated_names_file_and_bytes(name, part, samples, tmp_path):
    content = samples[name].read_bytes()
    with fits.open(samples[name]) as hdus:  # padding may be missing, data may not
        last = hdus[-1]
        needed = last.fileinfo()["datLoc"] + last.size
    path = tmp_path / "cut.fits"
    size = int(needed * part)
    path.write_bytes(content[:size])
    with pytest.raises(
        SpectrumReadError, match=r"cut\.fits: truncated.*found"
    ) as caught:
        read_arrays(path)
    assert "expected" in str(caught.value)
    assert str(size) in str(caught.value)


def test_missing_padding_is_no_damage(samples, tmp_path):
    content = samples["harps_s1d"].read_bytes()
    with fits.open(samples["harps_s1d"]) as hdus:
        needed = hdus[0].fileinfo()["datLoc"] + hdus[0].size
    path = tmp_path / "short.fits"
    path.write_bytes(content[:needed])
    assert len(read_arrays(path)[0].flux) == 6000


def test_truncated_gzip(samples, tmp_path):
    path = tmp_path / "cut.fits.gz"
    path.write_bytes(gzip.compress(samples["apstar"].read_bytes())[:5000])
    with pytest.raises(SpectrumReadError, match=r"cut\.fits\.gz: the gzip stream"):
        read_arrays(path)


def test_empty_file(tmp_path):
    path = tmp_path / "empty.fits"
    path.touch()
    with pytest.raises(SpectrumReadError, match=r"empty\.fits: the file is empty"):
        read_arrays(path)


def test_missing_file(tmp_path):
    with pytest.raises(SpectrumReadError, match="No such file"):
        read_arrays(tmp_path / "nothing.fits")


def test_not_fits(tmp_path):
    path = tmp_path / "x.fits"
    path.write_bytes(b"hello world, this is no FITS file")
    with pytest.raises(NotFitsError, match="it begins with b'hello world,'"):
        FitsFile(path)


def test_header_of_two_megabytes(example):
    path, _, flux = example("harps_s1d")
    content = path.read_bytes()
    end = content.index(b"END".ljust(80))
    data = content[-(-end // 2880) * 2880 :]
    more = "".join(f"HIERARCH ESO N{i} = {i}".ljust(80) for i in range(26_000))
    head = content[:end] + more.encode() + b"END".ljust(80)
    path.write_bytes(head + b" " * (-len(head) % 2880) + data)
    assert len(head) > 2_000_000
    (found,) = read_arrays(path)
    np.testing.assert_array_equal(found.flux, flux)
    assert found.meta["header"]["ESO N25999"] == 25_999


def test_header_without_end_is_bounded(tmp_path):
    path = tmp_path / "endless.fits"
    start = "SIMPLE  =                    T".ljust(80)
    with path.open("wb") as stream:
        stream.write((start + "COMMENT".ljust(80) * 35).encode())
        stream.truncate(40 * 1024**2)
    with pytest.raises(SpectrumReadError, match="header of HDU 0 exceeds 4 MB"):
        read_arrays(path)


def test_nonsense_structure(tmp_path):
    path = tmp_path / "bad.fits"
    cards = ["SIMPLE  = T", "BITPIX  = 'no'", "NAXIS   = 1", "NAXIS1  = 3", "END"]
    path.write_bytes("".join(card.ljust(80) for card in cards).ljust(2880).encode())
    with pytest.raises(SpectrumReadError, match="header of HDU 0 is unusable"):
        read_arrays(path)


def test_missing_parts_are_named(samples):
    file = FitsFile(samples["eso_phase3"])
    with pytest.raises(SpectrumReadError, match="has no column 'x'; it has WAVE, FLUX"):
        file[1].column("x")
    with pytest.raises(SpectrumReadError, match="has 2 HDUs, no HDU 7"):
        file[7]
    with pytest.raises(SpectrumReadError, match="HDU 0 holds no image"):
        file[0].array()
    star = FitsFile(samples["lamost_lrs"])
    with pytest.raises(SpectrumReadError, match="has 5 rows, no row 9"):
        star[0].array(row=9)


def test_files_do_not_stay_open(samples, tmp_path):
    table = Path("/proc/self/fd")
    if not table.is_dir():
        pytest.skip("needs /proc")
    gc.disable()
    try:
        before = len(list(table.iterdir()))
        found = [read_arrays(path) for path in samples.values() for _ in range(5)]
        after = len(list(table.iterdir()))
    finally:
        gc.enable()
    assert len(found) == 5 * len(samples)
    assert after <= before + 1


def test_unforeseen_damage_names_the_file(example):
    path, _, _ = example("lamost_lrs", COEFF1="text")
    with pytest.raises(SpectrumReadError, match=r"lamost_lrs\.fits: .*'text'"):
        read_arrays(path)


def test_much_faster_than_astropy(samples):
    def best(read):
        times = []
        for _ in range(40):
            start = time.process_time()
            read(samples["apstar"])
            times.append(time.process_time() - start)
        return min(times)

    def astropy_way(path):
        with fits.open(path) as hdus:
            return [np.array(hdus[i].data) for i in (1, 2, 3)]

    def own_way(path):
        file = FitsFile(path)
        return [file[i].array() for i in (1, 2, 3)]

    # ten times is the goal; the rest is room for a busy machine
    assert best(astropy_way) > 4 * best(own_way)
