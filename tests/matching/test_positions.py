"""Positions come from names on request only, once for each name."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from astro_latent.archives import query as _query
from astro_latent.exceptions import ArchiveError
from astro_latent.matching import resolve_positions
from astro_latent.pipeline import encode_spectra
from astro_latent.tables import ResultTable


@pytest.fixture
def asked(monkeypatch):
    names = []

    def resolve(name):
        names.append(name)
        if name != "HD 1":
            raise ArchiveError("unknown")
        return SkyCoord(1.5, -2.5, unit="deg")

    monkeypatch.setattr(_query, "resolve_name", resolve)
    return names


def test_only_missing_positions_are_asked_for(spectra, encoder, asked):
    table = encode_spectra([*spectra, *spectra[3:]], model=encoder)
    table["target_name"] = ["HD 1", "", "HD 2", "HD 1", "HD 3"]
    complete = resolve_positions(table)
    assert asked == ["HD 1", "HD 3"]
    assert isinstance(complete, ResultTable)
    np.testing.assert_array_equal(complete["ra"].value, [0, 10, 20, 1.5, np.nan])
    np.testing.assert_array_equal(complete["dec"].value, [-5, -5, -5, -2.5, np.nan])
    assert complete["message"][3].endswith("position of the name HD 1")
    assert complete["message"][4].endswith("no position for the name HD 3")
    assert complete["message"][0] == table["message"][0]
    assert complete["message"].info.meta["ucd"] == "meta.note"
    assert np.isnan(table["ra"][3])  # the table that was given is not changed


def test_no_names(table, asked):
    with pytest.raises(ValueError, match="no column 'star'"):
        resolve_positions(table, name="star")
    assert asked == []
