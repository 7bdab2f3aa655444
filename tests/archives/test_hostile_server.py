# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Servers that never end, lie about what they send, or lead elsewhere."""

import os
import signal
import threading
import time

import pytest

import astro_latent
from astro_latent.archives import FileRequest, conf, download_files
from astro_latent.archives.config import conf as limits
from astro_latent.archives.http import make_session
from astro_latent.archives.tap import TapClient
from astro_latent.exceptions import ArchiveError, ArchiveTimeoutError
from tests.fixtures.servers import drip, drip_chunk, flood


def get(url, folder, **facts):
    (result,) = download_files([FileRequest(identifier="a", url=url, **facts)], folder)
    return result


class TestTime:
    def test_headers_that_drip(self, raw, tmp_path):
        raw.talk, start = drip, time.monotonic()
        with (
            astro_latent.conf.set_temp("timeout", 0.5),
            conf.set_temp("connect_timeout", 0.5),
        ):
            assert "took too long" in get(raw.url, tmp_path).message
            with pytest.raises(ArchiveTimeoutError, match="took too long"):
                TapClient(raw.url).run("SELECT 1")
        assert time.monotonic() - start < 5

    def test_chunks_that_drip(self, raw, tmp_path):
        raw.talk, start = drip_chunk, time.monotonic()
        with limits.set_temp("file_timeout", 0.5):
            assert "within" in get(raw.url, tmp_path).message
        assert time.monotonic() - start < 5

    def test_an_interrupt_is_answered_at_once(self, raw, tmp_path):
        raw.talk = drip
        timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
        start = time.monotonic()
        # a shell that starts tests in the background lets them ignore interrupts
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        timer.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                get(raw.url, tmp_path)
        finally:
            signal.signal(signal.SIGINT, before)
        assert time.monotonic() - start < 1.5


class TestSize:
    def test_bodies_without_end(self, raw, tmp_path):
        raw.talk = flood
        with (
            limits.set_temp("max_download_size", 1.0),
            limits.set_temp("max_answer_size", 1.0),
        ):
            assert "more than 1.0 MB" in get(raw.url, tmp_path).message
            with pytest.raises(ArchiveError, match="larger than 1 MB"):
                make_session().get(raw.url)

    def test_much_more_than_the_archive_expects(self, raw, tmp_path):
        raw.talk = flood
        assert "estimate is wrong" in get(raw.url, tmp_path, estimate=1000).message


class TestVersions:
    @pytest.mark.parametrize("tag", ['"two"', ""])
    def test_a_rest_of_another_version_is_not_joined(
        self, stub, tmp_path, say, make_fits, tag
    ):
        one, two = make_fits(name="one"), make_fits(name="two")
        half = len(one) // 2
        head = {"Content-Range": f"bytes {half}-{len(two) - 1}/{len(two)}"}
        rest = say(two[half:], status=206, headers=head, etag=tag)
        first = say(one, fault="cut", etag='"one"')
        stub.routes["/a"] = [first, rest, say(two, etag='"two"')]
        result = get(stub.url + "/a", tmp_path)
        assert result.path.read_bytes() == two

    @pytest.mark.parametrize("harm", ["cut", "changed"])
    def test_a_cached_file_that_is_not_as_it_came(
        self, stub, tmp_path, say, make_fits, harm
    ):
        body = make_fits()
        stub.routes["/a"] = say(body)
        path = get(stub.url + "/a", tmp_path).path
        path.write_bytes(body[:-2880] if harm == "cut" else body[:-1] + b"x")
        assert get(stub.url + "/a", tmp_path).status == "downloaded"
        assert path.read_bytes() == body
        assert get(stub.url + "/a", tmp_path).status == "cached"


class TestElsewhere:
    def test_a_private_address_behind_a_redirect(self, stub, tmp_path, say):
        stub.routes["/a"] = say(
            status=302, headers={"Location": "http://127.0.0.1:9/secret"}
        )
        with limits.set_temp("allow_private_addresses", False):
            assert "private network" in get(stub.url + "/a", tmp_path).message
            astro_latent.archives.hosts.trust(stub.url)
            assert ":9" in (said := get(stub.url + "/a", tmp_path).message)
            assert "private network" in said
        assert len(stub.seen) == 1

    @pytest.mark.parametrize("where", ["file:///etc/passwd", "http://example.org/x"])
    def test_rows_that_lie_elsewhere(self, stub, say, where):
        stub.routes["/tap/sync"] = say(
            (
                '<VOTABLE version="1.3"><RESOURCE type="results"><INFO '
                'name="QUERY_STATUS" value="OK"/><TABLE><FIELD name="a" '
                f'datatype="int"/><DATA><BINARY><STREAM href="{where}"/></BINARY>'
                "</DATA></TABLE></RESOURCE></VOTABLE>"
            ).encode(),
            content_type="application/x-votable+xml",
        )
        with pytest.raises(ArchiveError, match="elsewhere"):
            TapClient(stub.url + "/tap").run("SELECT 1")
