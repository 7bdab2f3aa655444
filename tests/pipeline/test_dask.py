# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Workers of Dask give what one process gives, and lost ones are made up for."""

import os
import signal

import pytest

from astro_latent import get_survey, predict_parameters
from astro_latent.pipeline import checkpoint, iter_results
from tests.fixtures.results import assert_same_rows

MODEL = "apogee_starnet_v1"


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def paths(monkeypatch):
    monkeypatch.setattr(checkpoint, "PART", 2)
    found = [str(path) for path in get_survey("sample").table()["path"][:5]]
    return [*found, "nowhere.fits"] * 2


def test_a_worker_that_is_killed_costs_nothing_but_time(client, paths, tmp_path):
    expected = predict_parameters(paths, model=MODEL, checkpoint=tmp_path / "parts")
    pieces = iter_results(paths, task="predict", model=MODEL, client=client)
    found = [next(pieces)]  # the others are done, under way or waiting
    killed = max(client.run(os.getpid).values())
    os.kill(killed, signal.SIGKILL)
    found += pieces
    assert len(found) == 6
    assert killed not in client.run(os.getpid).values()
    rows = 0
    for piece in found:
        assert_same_rows(piece, expected[rows : rows + len(piece)])
        rows += len(piece)
    assert rows == len(expected)


def test_workers_and_a_client_exclude_each_other(client, paths):
    with pytest.raises(ValueError, match="give one"):
        predict_parameters(paths, model=MODEL, workers=2, client=client)
