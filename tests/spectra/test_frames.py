# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Spectra in the cells of frames are those that were put there."""

import numpy as np
import pandas as pd
import pytest
from astropy import units as u

from astro_latent.spectra import decode_flags, iter_frame


def make_frame(n=3, **more):
    lists = {
        "wavelength": [np.linspace(5000.0, 5000.0 + i, 5 + i) for i in range(1, n + 1)],
        "flux": [np.full(5 + i, float(i)) for i in range(1, n + 1)],
        "flux_error": [np.full(5 + i, 0.1) for i in range(1, n + 1)],
    }
    return pd.DataFrame({"obs_id": [f"s{i}" for i in range(n)], **lists, **more})


def check(found, frame):
    assert len(found) == len(frame)
    for spectrum, (_, row) in zip(found, frame.iterrows(), strict=True):
        np.testing.assert_array_equal(spectrum.wavelength, row["wavelength"])
        np.testing.assert_array_equal(spectrum.flux, row["flux"])
        np.testing.assert_allclose(spectrum.sigma, row["flux_error"])
        assert spectrum.observation.obs_id == row["obs_id"]


def test_lists_and_what_the_row_says_of_them():
    frame = make_frame(
        ra=[1.0, None, 3.0], medium=["air", None, "vacuum"], flux_unit=["Jy"] * 3,
        radial_velocity=pd.array([7.0, pd.NA, 1.0], dtype="Float64"),
    )  # fmt: skip
    found = list(iter_frame(frame))
    check(found, frame)
    assert [s.observation.medium for s in found] == ["air", "unknown", "vacuum"]
    assert np.isnan(found[1].observation.ra)
    assert [s.observation.radial_velocity for s in found[::2]] == [7.0, 1.0]
    assert {s.flux_unit for s in found} == {u.Jy}
    assert not list(iter_frame(frame[:0]))


def test_lists_of_arrow_and_nested_columns():
    frame = make_frame()
    names = ["wavelength", "flux", "flux_error"]
    pa = pytest.importorskip("pyarrow")
    arrow = frame.astype(dict.fromkeys(names, pd.ArrowDtype(pa.list_(pa.float64()))))
    check(list(iter_frame(arrow)), frame)
    nested_pandas = pytest.importorskip("nested_pandas")
    nested = nested_pandas.NestedFrame(arrow).nest_lists(columns=names, name="one")
    check(list(iter_frame(nested)), frame)
    nested["two"] = nested["one"]
    with pytest.raises(ValueError, match="say spectrum= as one of one, two"):
        list(iter_frame(nested))
    check(list(iter_frame(nested, spectrum="two")), frame)
    with pytest.raises(ValueError, match=r"no nested column is called 'x'"):
        list(iter_frame(nested, spectrum="x"))


def test_units_and_names_of_others():
    frame = make_frame().rename(columns={"wavelength": "x", "flux": "y"})
    with pytest.raises(ValueError, match="of obs_id, x, y, flux_error: a nested"):
        list(iter_frame(frame))
    found = iter_frame(frame, column_mapping=("x", "y"), wavelength_unit="nm")
    expected = 10 * np.asarray(frame["x"][0])
    np.testing.assert_allclose(next(found).wavelength, expected)


def test_a_cell_without_a_spectrum_is_flagged():
    frame = make_frame()
    for name in ("wavelength", "flux", "flux_error"):
        frame.at[1, name] = None
    frame.at[2, "flux"] = frame.at[2, "flux"][:3]
    found = list(iter_frame(frame))
    assert [len(s.flux) for s in found] == [6, 0, 0]
    flags = [decode_flags(s.observation.flags) for s in found[1:]]
    assert flags == [["UNREADABLE"]] * 2
    assert [s.observation.obs_id for s in found] == ["s0", "s1", "s2"]
    assert found[2].observation.message.startswith("s2: ")
