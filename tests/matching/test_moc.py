# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Footprints on the sky, checked by hand against the numbering of HEALPix."""

import sys

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import QTable

from astro_latent.matching import footprint_moc


def stars(*places):
    ra, dec = np.array(places, dtype=float).T
    return QTable({"ra": ra * u.deg, "dec": dec * u.deg})


@pytest.mark.parametrize(
    ("places", "order", "cells"),
    [
        # Cells of order 0 have their centres at (45, 41.8), (0, 0), (45, -41.8) ...
        ([(45, 41.8), (0, 0.1), (45, -41.8)], 0, "0/0 4 8"),
        # Cell 4 falls into 16 in the south, 17 east, 18 west, 19 north ...
        ([(0, -20)], 1, "1/16"),
        ([(10, 0), (350, 0)], 1, "1/17-18"),
        # ... and is whole if all four are there.
        ([(0, -20), (10, 0), (350, 0), (0, 20)], 1, "0/4\n1/"),
        ([(0, 90), (90, -90)], 0, "0/0 9"),
    ],
)
def test_cells(places, order, cells):
    mocpy = pytest.importorskip("mocpy")
    moc = footprint_moc(stars(*places), max_order=order)
    assert moc == mocpy.MOC.from_string(cells)


def test_rows_without_a_position_are_left_out():
    pytest.importorskip("mocpy")
    table = stars((10, 0), (np.nan, 0), (200, np.nan), (350, 0))
    assert footprint_moc(table) == footprint_moc(table[[0, 3]])
    assert footprint_moc(table).sky_fraction == pytest.approx(2 / (12 * 4**9))


def test_other_frames_are_converted():
    pytest.importorskip("mocpy")
    galactic = stars((0, 0))  # the centre of the Galaxy
    galactic["ra"].info.meta = {"coosys": {"system": "galactic"}}
    icrs = stars((266.40499, -28.93617))
    assert footprint_moc(galactic) == footprint_moc(icrs)


def test_the_file_is_a_moc(tmp_path):
    pytest.importorskip("mocpy")
    footprint_moc(stars((10, 0))).save(tmp_path / "moc.fits", format="fits")
    header = fits.getheader(tmp_path / "moc.fits", 1)
    assert (header["COORDSYS"], header["MOCORD_S"]) == ("C", 9)


def test_nothing_to_show():
    with pytest.raises(ValueError, match="no row of the table has a position"):
        footprint_moc(stars((np.nan, 0)))


@pytest.mark.parametrize("order", [-1, 30])
def test_orders_that_do_not_exist(order):
    with pytest.raises(ValueError, match="between 0 and 29"):
        footprint_moc(stars((10, 0)), max_order=order)


def test_missing_mocpy_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "mocpy", None)
    with pytest.raises(ImportError, match=r"pip install 'astro_latent\[moc\]'"):
        footprint_moc(stars((10, 0)))
