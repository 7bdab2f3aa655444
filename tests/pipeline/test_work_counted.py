# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What a spectrum costs on its way from file to table, counted without a clock."""

import difflib
import sys
from pathlib import Path

import numpy as np
import pytest

import astro_latent
from astro_latent import get_survey, load_model, predict_parameters
from astro_latent.models import domain
from astro_latent.preparation import consistency, prepare_spectra, wavelengths
from astro_latent.utils import files

PACKAGE = str(Path(astro_latent.__file__).parent)


@pytest.fixture(scope="module")
def model():
    return load_model("apogee_starnet_v1", device="cpu")


@pytest.fixture(scope="module")
def paths():
    table = get_survey("sample").table()
    return [str(row["path"]) for row in table if row["survey"] == "apogee"]


def count_calls(function):
    """Count what a call makes the package's functions call, theirs or others'.

    What others call in turn depends on their versions, and does not count.
    """
    count = 0

    def note(frame, event, argument):
        nonlocal count
        caller = frame if event == "c_call" else frame.f_back
        if event in ("call", "c_call") and caller is not None:
            count += caller.f_code.co_filename.startswith(PACKAGE)

    function()  # what is loaded and kept does not count
    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def test_calls_for_two_files_and_for_one_more(model, paths):
    def run(number):
        return count_calls(
            lambda: predict_parameters(paths[:number], model=model, progress=False)
        )

    two, five = run(2), run(5)
    more = (five - two) / 3
    sys.stdout.write(f"calls: {two} for two files, {more} for one more\n")
    assert two < 5_500  # 4,601 on 27 Nov 2026, upper limits, not what is expected
    assert more < 1_600  # 1,322


@pytest.mark.parametrize(
    ("limit", "forward", "back"), [(np.inf, 4, 2), (-np.inf, 8, 4)]
)
def test_transforms_of_a_search_for_second_stars(
    limit, forward, back, model, monkeypatch
):
    rows = {"rfft": 0, "irfft": 0}

    def counted(name):
        function = getattr(domain, name)

        def transform(values, n):
            rows[name] += values.size // values.shape[-1]
            return function(values, n)

        return transform

    for name in rows:
        monkeypatch.setattr(domain, name, counted(name))
    flux = np.ones((1, 7214)) + 0.01 * np.sin(np.arange(7214.0))
    inputs = flux, flux > 0, np.full(flux.shape, 1e-4)
    found = model.flux_basis.search(*inputs, emission_limit=limit)
    assert np.isfinite(found).all()
    assert rows == {"rfft": forward, "irfft": back}


def test_parts_of_many_spectra_are_compared_together(model, paths, monkeypatch):
    together = []
    measure, detrend = consistency._measure, wavelengths._detrend
    monkeypatch.setattr(
        consistency, "_measure", lambda *a: together.append(len(a[0])) or measure(*a)
    )
    monkeypatch.setattr(
        wavelengths, "_detrend", lambda *a: together.append(len(a[0])) or detrend(*a)
    )
    prepare_spectra(paths[:7] * 3, model.grid, model.recipe, progress=False)
    assert together == [9, 9, 3, 16, 5]


def test_a_file_is_opened_once(model, paths, monkeypatch):
    opened = []
    function = files.opened

    def note(path, *args, **options):
        opened.append(str(path))
        return function(path, *args, **options)

    monkeypatch.setattr(files, "opened", note)
    predict_parameters(paths[:1], model=model, progress=False)
    assert opened == paths[:1]


def test_no_unit_of_a_votable_is_looked_up_among_all(
    model, paths, tmp_path, monkeypatch
):
    table = predict_parameters(paths[:1], model=model, progress=False)
    assert any(column.unit == "dex" for column in table.itercols())
    asked = []
    monkeypatch.setattr(
        difflib, "get_close_matches", lambda *args, **_: asked.append(args) or []
    )
    table.write(tmp_path / "table.vot")
    assert asked == []


def test_many_spectra_are_transformed_together(model, monkeypatch):
    together = []
    transform = domain.rfft

    def note(values, n):
        together.append(len(values))
        return transform(values, n)

    monkeypatch.setattr(domain, "rfft", note)
    flux = np.ones((11, 7214)) + 0.01 * np.sin(np.arange(7214.0))
    found = model.flux_basis.search(flux, flux > 0, np.full(flux.shape, 1e-4))
    assert together == [8, 8, 8, 8, 3, 3, 3, 3]
    alone = model.flux_basis.search(flux[:1], flux[:1] > 0, np.full((1, 7214), 1e-4))
    np.testing.assert_array_equal(np.array(found)[:, 0], np.array(alone)[:, 0])
