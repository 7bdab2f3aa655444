# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""From a name to a matched table, in one call and by one verb."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning

from astro_latent import predict_object, predict_parameters, read_table
from astro_latent.exceptions import ArchiveError, NoResultsWarning
from astro_latent.matching import star
from astro_latent.surveys import get_survey, query_object


@pytest.fixture
def catalogue():
    table = Table({"gaia_id": [7], "ra": [0.0001], "dec": [0.0]})
    table["ra"].unit = table["dec"].unit = "deg"
    return table


def test_it_is_the_steps_one_by_one(catalogue):
    table = predict_object("Sample giant A", survey="sample", match=catalogue)
    alone = predict_parameters(query_object("Sample giant A", survey="sample"))
    assert table["teff"][0] == alone["teff"][0]
    assert table["gaia_id"][0] == 7


def test_rows_without_a_match_stay(catalogue):
    with pytest.warns(NoResultsWarning, match="different parts of the sky"):
        table = predict_object(
            "Sample giant B",
            survey="sample",
            match=catalogue,
            match_radius=1 * u.arcsec,
        )
    assert len(table) == 1
    assert table["n_match"][0] == 0


def test_many_names_and_one_that_is_unknown(catalogue):
    names = ["Sample giant A", "Sample nobody", "Sample dwarf E"]
    with pytest.warns(AstropyUserWarning) as told:
        table = predict_object(names, survey="sample", match=catalogue)
    assert table["target_name"].tolist() == [names[0], names[2]]
    assert table["n_match"].tolist() == [1, 0]
    assert "Sample nobody: sample has no spectrum of it" in str(told[-1].message)


def test_a_name_that_an_archive_refuses_does_not_end_the_others(monkeypatch):
    def ask(name, **options):
        if name == "x":
            raise ArchiveError("no such object")
        return query_object(name, **options)

    monkeypatch.setattr(star, "query_object", ask)
    with pytest.warns(AstropyUserWarning, match="x: .*no such object"):
        table = predict_object(["x", "Sample giant A"], survey="sample")
    assert len(table) == 1
    with pytest.raises(ArchiveError, match="no such object"):
        predict_object("x", survey="sample")


def test_latents(catalogue):
    table = predict_object("Sample star H", survey="sample", task="encode")
    assert np.isfinite(table["latent"]).all()


def test_more_than_the_limit_is_refused_before_anything_is_fetched(monkeypatch):
    found = get_survey("sample").table()[:2]
    found["access_estsize"] = [2e6, 1e6] * u.kbyte
    monkeypatch.setattr(star, "query_object", lambda name, **_: found)
    monkeypatch.setattr(star, "fetch", lambda *_, **__: pytest.fail("fetched"))
    with pytest.raises(ArchiveError, match=r"2 spectra of x are 3.0 GB; limit them"):
        predict_object("x", survey="sample")


def test_the_verb(capsys, tmp_path, catalogue):
    from astro_latent.cli.main import main

    catalogue.write(tmp_path / "gaia.ecsv")
    path = tmp_path / "out.vot"
    arguments = ["star", "Sample giant A", "--survey", "sample", "-o", str(path)]
    code = main([*arguments, "--match", str(tmp_path / "gaia.ecsv"), "--no-progress"])
    assert code == 0
    assert "1 of 1 spectra can be used" in capsys.readouterr().err
    table = read_table(path)
    assert table["gaia_id"][0] == 7
    assert table["teff"].unit == u.K
