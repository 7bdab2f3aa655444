"""A table sent by SAMP arrives, at the right program, with its meaning."""

import time

import numpy as np
import pytest

from astro_latent.exceptions import AstroLatentError
from astro_latent.tables import read_table, send_to_samp

samp = pytest.importorskip("pyvo.samp")
if not hasattr(samp, "SAMPHubServer"):  # before pyvo 1.9
    from astropy import samp


@pytest.fixture
def hub(monkeypatch, tmp_path):
    monkeypatch.setattr(samp.conf, "use_internet", False)
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:{(tmp_path / 'lock').as_uri()}")
    hub = samp.SAMPHubServer(
        web_profile=False, addr="127.0.0.1", lockfile=str(tmp_path / "lock")
    )
    hub.start()
    yield hub
    hub.stop()


@pytest.fixture
def listen(hub):
    """Start programs that take tables and keep what they are sent."""
    clients = []

    def start(name, status="samp.ok"):
        got = []
        client = samp.SAMPIntegratedClient(name=name)
        client.connect(hub=hub)

        def take(key, sender, identifier, mtype, params, extra):
            got.append(dict(params))
            if status is None:
                return
            reply = {"samp.status": status, "samp.result": {}}
            if status == "samp.error":
                reply["samp.error"] = {"samp.errortxt": "no"}
            client.reply(identifier, reply)

        client.bind_receive_call("table.load.votable", take)
        clients.append(client)
        return got

    yield start
    for client in clients:
        client.disconnect()


def test_all_programs_get_the_table(hub, listen, table):
    first, second, deaf = listen("topcat"), listen("aladin"), listen("x", "samp.error")
    assert sorted(send_to_samp(table, name="My stars", hub=hub)) == ["aladin", "topcat"]
    assert len(first) == len(second) == len(deaf) == 1
    assert first[0]["name"] == "My stars"
    again = read_table(first[0]["url"].removeprefix("file://"))
    np.testing.assert_array_equal(again["latent"], table["latent"])
    assert again["teff"].info.meta["ucd"] == "phys.temperature.effective"


def test_one_program_by_name_through_the_hub_of_this_machine(listen, table):
    first, second = listen("topcat"), listen("aladin")
    assert send_to_samp(table, recipient="TOPCAT") == ["topcat"]
    assert len(first) == 1
    assert second == []


def test_an_answer_counts_that_is_faster_than_the_hub(hub, listen, monkeypatch, table):
    """By ``call_and_wait`` it was lost, on a busy machine, until the time was over."""
    call = hub._call

    def call_slowly(*args):
        identifier = call(*args)
        time.sleep(0.5)  # what the hub notes after a call, it notes after the answer
        return identifier

    monkeypatch.setattr(hub, "_call", call_slowly)
    listen("topcat")
    assert send_to_samp(table, hub=hub) == ["topcat"]


def test_who_does_not_answer_has_not_taken_it(hub, listen, table):
    silent, other = listen("silent", status=None), listen("topcat")
    assert send_to_samp(table, hub=hub, timeout=1) == ["topcat"]
    assert len(silent) == len(other) == 1


def test_nobody_listens(hub, table):
    with pytest.raises(AstroLatentError, match="no program that takes tables"):
        send_to_samp(table, hub=hub)
    with pytest.raises(AstroLatentError, match="no program topcat is connected"):
        send_to_samp(table, recipient="topcat", hub=hub)


def test_no_hub(monkeypatch, tmp_path, table):
    monkeypatch.setattr(samp.conf, "use_internet", False)
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:{(tmp_path / 'none').as_uri()}")
    with pytest.raises(AstroLatentError, match="no SAMP hub is running"):
        send_to_samp(table)
