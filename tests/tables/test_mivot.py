# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Annotated files say which columns are the position, and still hold the table."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.utils import minversion

from astro_latent.pipeline import predict_parameters
from astro_latent.tables import read_table
from astro_latent.tables.votable import mivot

needs_writer = pytest.mark.skipif(not minversion("pyvo", "1.8"), reason="old pyvo")


@pytest.fixture
def annotated(tmp_path, spectra, predictor):
    table = predict_parameters(spectra, model=predictor)
    table["ra"].info.meta["coosys"] = {"system": "ICRS", "epoch": "J2016.0"}
    table["dec"].info.meta["coosys"] = {"system": "ICRS", "epoch": "J2016.0"}
    path = tmp_path / "annotated.vot"
    if minversion("pyvo", "1.8"):
        table.write(path, mivot=True)
    return table, path


@needs_writer
def test_pyvo_finds_the_positions(annotated):
    from pyvo.mivot.viewer.mivot_viewer import MivotViewer
    from pyvo.utils import activate_features

    activate_features("MIVOT")
    table, path = annotated
    with MivotViewer(str(path), resolve_ref=True) as viewer:
        for row in table[:3]:
            viewer.next_row_view()
            position = viewer.dm_instance.propertyDock[0]
            assert viewer.dm_instance.identifier.value == row["obs_id"]
            assert position.longitude.value == row["ra"].to_value(u.deg)
            assert position.latitude.value == row["dec"].to_value(u.deg)
            frame = position.spaceSys.frame
            assert frame.spaceRefFrame.value == "ICRS"


@needs_writer
@pytest.mark.parametrize("form", ["binary2", "tabledata"])
def test_the_table_is_the_same(annotated, tmp_path, form):
    table, _ = annotated
    path = tmp_path / f"{form}.vot"
    table.write(path, mivot=True, serialization=form)
    assert 'dmrole="mango:EpochPosition.longitude"' in path.read_text()
    again = read_table(path)
    assert again.colnames == table.colnames
    np.testing.assert_array_equal(again["label_covariance"], table["label_covariance"])
    assert again["ra"].info.meta == table["ra"].info.meta
    places = SkyCoord(again["ra"][:3], again["dec"][:3])
    assert np.all(places.separation(SkyCoord(table["ra"][:3], table["dec"][:3])) == 0)


def test_nothing_is_annotated_unless_asked_for(tmp_path, annotated):
    annotated[0].write(tmp_path / "plain.vot")
    assert "VODML" not in (tmp_path / "plain.vot").read_text()


@needs_writer
def test_a_table_without_main_position_is_refused(tmp_path, annotated):
    table, _ = annotated
    table["ra"].info.meta["ucd"] = "pos.eq.ra"
    with pytest.raises(ValueError, match="one column with UCD pos"):
        table.write(tmp_path / "no.vot", mivot=True)
    assert not (tmp_path / "no.vot").exists()


@needs_writer
def test_an_old_version_of_votable_is_refused(tmp_path, annotated):
    del annotated[0]["obs_time"]  # 1.3 does not know its time system
    with pytest.raises(ValueError, match=r"not 1\.3"):
        annotated[0].write(tmp_path / "no.vot", mivot=True, version="1.3")


def test_an_old_pyvo_is_said(tmp_path, annotated, monkeypatch):
    monkeypatch.setattr(mivot, "minversion", lambda name, version: False)
    with pytest.raises(ImportError, match=r"need pyvo 1\.8"):
        annotated[0].write(tmp_path / "no.vot", mivot=True)
