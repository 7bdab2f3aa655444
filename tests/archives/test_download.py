# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Downloads: one test per fault, and in none is anything lost or left half-written."""

import gzip
import hashlib
import json
import threading
from email.utils import formatdate
from pathlib import Path

import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

import astro_latent
from astro_latent.archives import FileRequest, conf, download_files
from astro_latent.archives.files import safe_name, scratch_folder
from astro_latent.archives.retries import retry_after


def ask(stub, *paths, **facts):
    return [
        FileRequest(
            identifier=f"id{path.replace('/', '-')}", url=stub.url + path, **facts
        )
        for path in paths
    ]


def complete_files(folder):
    """Everything with a proper name; the hidden folder is for what is not complete."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


@pytest.fixture
def good(stub, say, make_fits):
    """A file that is fine, beside whichever is not."""
    body = make_fits()
    stub.routes["/good"] = say(body)
    return body


def fetch_with_good(stub, folder, path="/bad"):
    """Fetch a bad file and a good one: the good one always arrives, whole."""
    bad, fine = download_files(ask(stub, path, "/good"), folder)
    assert fine.status == "downloaded"
    fits.getdata(fine.path)
    for name in complete_files(folder):
        with fits.open(name) as hdus:
            assert len(hdus[1].data) == 4000
    return bad


class TestGood:
    def test_bytes_arrive_unchanged_and_in_order(self, stub, tmp_path, say, make_fits):
        bodies = {f"/{n}": make_fits(100 + n) for n in range(12)}
        stub.routes = {path: say(body) for path, body in bodies.items()}
        results = download_files(ask(stub, *bodies), tmp_path)
        assert [r.identifier for r in results] == [f"id-{n}" for n in range(12)]
        assert [r.path.read_bytes() for r in results] == list(bodies.values())
        assert not (tmp_path / ".partial").exists()

    def test_a_second_run_makes_no_request(self, stub, tmp_path, good):
        first = download_files(ask(stub, "/good"), tmp_path)
        second = download_files(ask(stub, "/good"), tmp_path)
        assert len(stub.seen) == 1
        assert [r.status for r in first + second] == ["downloaded", "cached"]
        assert second[0].path == first[0].path

    @pytest.mark.parametrize("difference", [-1, 1])
    def test_a_cached_file_of_another_size_is_fetched_again(
        self, stub, tmp_path, good, difference
    ):
        here = tmp_path / "id-good.fits"
        here.write_bytes((good + b" ")[: len(good) + difference])
        results = [
            download_files(ask(stub, "/good", size=size), tmp_path)[0].status
            for size in (None, len(good), len(good))
        ]
        assert results == ["cached", "downloaded", "cached"]
        assert len(stub.seen) == 1
        assert here.read_bytes() == good

    def test_one_identifier_is_fetched_once(self, stub, tmp_path, good):
        results = download_files(ask(stub, "/good", "/good"), tmp_path)
        assert len(stub.seen) == 1
        assert results[0] == results[1]

    def test_one_identifier_cannot_mean_two_files(self, stub, tmp_path, good):
        wanted = [
            FileRequest(identifier="x", url=f"{stub.url}/{name}")
            for name in ("good", "b")
        ]
        results = download_files(wanted, tmp_path)
        assert [r.status for r in results] == ["downloaded", "failed"]
        assert "two addresses for one identifier" in results[1].message

    def test_compressed_files_and_votables_keep_their_kind(
        self, stub, tmp_path, say, make_fits
    ):
        stub.routes["/gz"] = say(gzip.compress(make_fits()))
        stub.routes["/vot"] = say(b"<?xml version='1.0'?><VOTABLE></VOTABLE>\n")
        results = download_files(ask(stub, "/gz", "/vot"), tmp_path)
        assert [r.path.name for r in results] == ["id-gz.fits.gz", "id-vot.vot"]

    @pytest.mark.parametrize("kind", ["md5", "sha256"])
    def test_checksums(self, stub, tmp_path, good, kind):
        digest = hashlib.new(kind, good).hexdigest()
        right = ask(stub, "/good", checksum=f"{kind}:{digest}", size=len(good))
        assert download_files(right, tmp_path / "a")[0].status == "downloaded"
        wrong = ask(stub, "/good", checksum=f"{kind}:{digest[::-1]}")
        result = download_files(wrong, tmp_path / "b")[0]
        assert f"the {kind} checksum is {digest}" in result.message
        assert complete_files(tmp_path / "b") == []

    def test_progress_counts_files_and_bytes(self, stub, tmp_path, good, capsys):
        download_files(ask(stub, "/good"), tmp_path, progress=True)
        text = capsys.readouterr().err
        assert "1/1" in text
        assert "MB" in text


class TestFaults:
    def test_hang(self, stub, tmp_path, good, say):
        stub.routes["/bad"] = say(fault="hang")
        with astro_latent.conf.set_temp("timeout", 0.2):
            bad = fetch_with_good(stub, tmp_path)
        assert "does not answer in time" in bad.message
        assert "given up after 3 attempts" in bad.message
        assert len(stub.requests_for("/bad")) == 3

    @pytest.mark.parametrize("fault", ["drop", "cut"])
    def test_broken_connection_then_recovery(self, stub, tmp_path, good, say, fault):
        stub.routes["/bad"] = [say(good, fault=fault), say(good)]
        bad = fetch_with_good(stub, tmp_path)
        assert bad.path.read_bytes() == good

    @pytest.mark.parametrize("fault", ["cut", "stall"])
    def test_cut_body_goes_on_where_it_ended(self, stub, tmp_path, good, say, fault):
        facts = {"ranges": True, "etag": '"v1"'}
        stub.routes["/bad"] = [
            say(good, fault=fault, **facts),
            say(good, **facts),
        ]
        with astro_latent.conf.set_temp("timeout", 0.3):
            bad = fetch_with_good(stub, tmp_path)
        second = stub.requests_for("/bad")[1].headers
        assert second["Range"] == f"bytes={len(good) // 2}-"
        assert second["If-Range"] == '"v1"'
        assert bad.path.read_bytes() == good

    def test_a_file_that_changed_meanwhile_is_not_joined(
        self, stub, tmp_path, good, say, make_fits
    ):
        newer = make_fits(name="newer")
        stub.routes["/bad"] = [
            say(good, fault="cut", ranges=True, etag='"v1"'),
            say(newer, ranges=True, etag='"v2"'),
        ]
        assert fetch_with_good(stub, tmp_path).path.read_bytes() == newer

    def test_a_server_that_ignores_ranges(self, stub, tmp_path, good, say):
        stub.routes["/bad"] = [
            say(good, fault="cut", etag='"v1"'),
            say(good),
        ]
        assert fetch_with_good(stub, tmp_path).path.read_bytes() == good

    def test_an_interrupted_session_is_continued(self, stub, tmp_path, good, say):
        facts = {"ranges": True, "etag": '"v1"'}
        stub.routes["/bad"] = say(good, fault="cut", **facts)
        with conf.set_temp("max_attempts", 1):
            assert fetch_with_good(stub, tmp_path).status == "failed"
        assert [p.name for p in complete_files(tmp_path)] == ["id-good.fits"]
        stub.routes["/bad"] = say(good, **facts)
        assert download_files(ask(stub, "/bad"), tmp_path)[0].path.read_bytes() == good
        assert (
            stub.requests_for("/bad")[-1].headers["Range"] == f"bytes={len(good) // 2}-"
        )
        assert not (tmp_path / ".partial").exists()

    def test_a_damaged_note_about_a_part_is_ignored(self, stub, tmp_path, good):
        (tmp_path / ".partial").mkdir()
        (tmp_path / ".partial" / "id-good").write_bytes(b"rubbish")
        note = {"url": f"{stub.url}/good", "tag": 3}
        (tmp_path / ".partial" / "id-good.json").write_text(json.dumps(note))
        assert download_files(ask(stub, "/good"), tmp_path)[0].path.read_bytes() == good

    def test_a_wrong_part_of_the_right_size_does_not_survive(
        self, stub, tmp_path, good
    ):
        (tmp_path / ".partial").mkdir()
        (tmp_path / ".partial" / "id-good").write_bytes(bytes(len(good)))
        note = {"url": f"{stub.url}/good", "tag": "x", "total": len(good)}
        (tmp_path / ".partial" / "id-good.json").write_text(json.dumps(note))
        result = download_files(ask(stub, "/good"), tmp_path)[0]
        assert "neither FITS nor VOTable" in result.message
        assert download_files(ask(stub, "/good"), tmp_path)[0].path.read_bytes() == good

    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
    def test_busy_server_is_asked_again(self, stub, tmp_path, good, say, status):
        busy = say(status=status, headers={"Retry-After": "0"})
        stub.routes["/bad"] = [busy, say(good)]
        assert fetch_with_good(stub, tmp_path).path.read_bytes() == good

    def test_500_for_ever(self, stub, tmp_path, good, say):
        stub.routes["/bad"] = say(status=500)
        bad = fetch_with_good(stub, tmp_path)
        assert "answered 500 Internal Server Error; given up after 3" in bad.message
        assert f"{stub.url}/bad" in bad.message

    def test_a_long_retry_after_is_reported_instead_of_waited_for(
        self, stub, tmp_path, good, say
    ):
        stub.routes["/bad"] = say(status=503, headers={"Retry-After": "7200"})
        assert "asks to wait for 7200 s" in fetch_with_good(stub, tmp_path).message
        assert len(stub.requests_for("/bad")) == 1

    @pytest.mark.parametrize("status", [401, 403])
    def test_proprietary_data_are_said_to_be(self, stub, tmp_path, good, say, status):
        stub.routes["/bad"] = say(status=status)
        assert "proprietary or need a login" in fetch_with_good(stub, tmp_path).message
        assert len(stub.requests_for("/bad")) == 1

    def test_missing_file(self, stub, tmp_path, good):
        assert "answered 404" in fetch_with_good(stub, tmp_path, "/nowhere").message
        assert len(stub.requests_for("/nowhere")) == 1

    @pytest.mark.parametrize("fault", ["announce more", "announce less", "no length"])
    def test_lies_about_the_length(self, stub, tmp_path, good, say, fault):
        stub.routes["/bad"] = say(good, fault=fault)
        bad = fetch_with_good(stub, tmp_path)
        assert bad.status == "failed"
        assert [p.name for p in complete_files(tmp_path)] == ["id-good.fits"]
        assert len(stub.requests_for("/bad")) == 3

    def test_trickle(self, stub, tmp_path, good, say):
        stub.routes["/bad"] = say(good, fault="trickle")
        with conf.set_temp("file_timeout", 0.3):
            bad = fetch_with_good(stub, tmp_path)
        assert "did not arrive within" in bad.message

    def test_redirect_is_followed(self, stub, tmp_path, good, say):
        stub.routes["/bad"] = say(status=302, headers={"Location": "/elsewhere"})
        stub.routes["/elsewhere"] = say(good)
        assert fetch_with_good(stub, tmp_path).path.read_bytes() == good

    def test_endless_redirect(self, stub, tmp_path, good, say):
        stub.routes["/bad"] = say(status=302, headers={"Location": "/bad"})
        assert "without end" in fetch_with_good(stub, tmp_path).message

    @pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/x"])
    def test_redirect_out_of_http(self, stub, tmp_path, good, say, target):
        stub.routes["/bad"] = say(status=302, headers={"Location": target})
        assert "not fetched" in fetch_with_good(stub, tmp_path).message

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"<!DOCTYPE html><html>login</html>", "login page"),
            (b'{"error": "no such file"}', "neither FITS nor VOTable"),
            (b"", "the answer is empty"),
            (
                b"<VOTABLE><INFO name='QUERY_STATUS' value='ERROR'/></VOTABLE>",
                "error message",
            ),
            (b"<VOTABLE><RESOURCE>", "the VOTable has no end"),
        ],
    )
    def test_wrong_content(self, stub, tmp_path, good, say, body, message):
        stub.routes["/bad"] = say(body, content_type="application/fits")
        assert message in fetch_with_good(stub, tmp_path).message

    def test_damaged_gzip(self, stub, tmp_path, good, say):
        stub.routes["/bad"] = say(gzip.compress(good)[:-20])
        assert "damaged or cut" in fetch_with_good(stub, tmp_path).message

    @pytest.mark.parametrize(
        "url", ["file:///etc/hostname", "ftp://x/y", "", "http://"]
    )
    def test_only_http(self, tmp_path, url):
        result = download_files([FileRequest(identifier="x", url=url)], tmp_path)[0]
        assert result.status == "failed"
        assert "only http and https" in result.message

    def test_nobody_listens(self, tmp_path):
        request = FileRequest(identifier="x", url="http://127.0.0.1:9/x")
        assert "the connection broke" in download_files([request], tmp_path)[0].message

    def test_an_interrupt_leaves_only_complete_files(
        self, stub, tmp_path, good, say, monkeypatch
    ):
        def interrupt(*args):
            raise KeyboardInterrupt

        stub.routes["/slow"] = say(good, fault="trickle")
        monkeypatch.setattr("astro_latent.archives.download._Job.done", interrupt)
        with pytest.raises(KeyboardInterrupt):
            download_files(ask(stub, "/good", "/slow"), tmp_path)
        assert [p.name for p in complete_files(tmp_path)] == ["id-good.fits"]


class TestNames:
    def test_a_servers_file_name_is_not_asked(self, stub, tmp_path, say, make_fits):
        headers = {"Content-Disposition": 'attachment; filename="../../evil.fits"'}
        stub.routes["/a/../b"] = say(make_fits(), headers=headers)
        request = FileRequest(identifier="../up", url=f"{stub.url}/a")
        stub.routes["/a"] = stub.routes["/a/../b"]
        result = download_files([request], tmp_path / "in")[0]
        assert result.path.parent == tmp_path / "in"
        assert [path.name for path in tmp_path.iterdir()] == ["in"]

    @given(st.text(min_size=1).filter(str.strip))
    def test_every_name_stays_in_its_folder(self, identifier):
        name = safe_name(identifier)
        assert Path(name).name == name
        assert not name.startswith(".")
        assert len(name) <= 120
        assert name.isascii()

    @given(st.text(min_size=1).filter(str.strip), st.text(min_size=1).filter(str.strip))
    def test_different_identifiers_have_different_names(self, one, other):
        assert (safe_name(one) == safe_name(other)) == (one == other)

    def test_an_empty_identifier_is_a_flagged_row(self, stub, tmp_path):
        request = FileRequest(identifier=" ", url=stub.url)
        assert "needs an identifier" in download_files([request], tmp_path)[0].message


class TestPoliteness:
    def test_one_host_is_not_flooded(self, stub, tmp_path, say, make_fits):
        body, now, most = make_fits(10), [0], [0]
        lock, pause = threading.Lock(), threading.Event()

        def answer(request):
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            pause.wait(0.02)
            with lock:
                now[0] -= 1
            return say(body)

        paths = [f"/{n}" for n in range(20)]
        stub.routes = dict.fromkeys(paths, answer)
        download_files(ask(stub, *paths), tmp_path, n_workers=8, connections_per_host=2)
        assert most[0] == 2

    def test_a_host_that_is_down_is_left_alone(self, stub, tmp_path, say):
        paths = [f"/{n}" for n in range(30)]
        stub.routes = dict.fromkeys(paths, say(fault="drop"))
        with conf.set_temp("give_up_after", 3), conf.set_temp("max_attempts", 2):
            results = download_files(ask(stub, *paths), tmp_path, n_workers=1)
        assert len(stub.seen) == 6
        assert "the connection broke" in results[2].message
        assert {r.message[:9] for r in results[3:]} == {"not tried"}

    def test_missing_files_do_not_condemn_a_host(self, stub, tmp_path, say, make_fits):
        stub.routes["/last"] = say(make_fits())
        paths = [f"/{n}" for n in range(5)]
        with conf.set_temp("give_up_after", 3):
            results = download_files(ask(stub, *paths, "/last"), tmp_path, n_workers=1)
        assert results[-1].status == "downloaded"

    @pytest.mark.parametrize(
        ("text", "low", "high"),
        [
            ("17", 17, 17),
            (formatdate(0), 0, 0),
            (formatdate(4e9, usegmt=True), 1e9, 4e9),
        ],
    )
    def test_retry_after_holds_seconds_or_a_date(self, text, low, high):
        assert low <= retry_after({"Retry-After": text}) <= high

    @pytest.mark.parametrize("headers", [{}, {"Retry-After": "soon"}])
    def test_no_retry_after(self, headers):
        assert retry_after(headers) is None

    def test_two_processes_do_not_share_a_part(self, tmp_path):
        with scratch_folder(tmp_path) as first, scratch_folder(tmp_path) as second:
            assert first != second
        assert list(tmp_path.iterdir()) == []
