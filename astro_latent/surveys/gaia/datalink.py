# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Gaia's DataLink: one request for many sources, one file for each of them.

astroquery builds and checks the request; the bytes travel through our own session,
because astroquery's waits for ever and unpacks into the current folder.
"""

import contextlib
import io
import re
import socket
import threading
import time
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import requests
from tqdm.auto import tqdm

from ..._config import conf as package_conf
from ...archives.config import conf as archive_conf
from ...archives.files import FileRequest, FileResult, safe_name, scratch_folder
from ...archives.hosts import trust
from ...archives.http import describe_answer, make_session
from ...archives.ledger import Ledger
from ...archives.retries import RETRY_STATUS, TransientError, retry_after, with_retries
from ...archives.verify import verify_file
from ...exceptions import ArchiveError, ArchiveFormatError
from ...utils.guard import explain
from ...utils.service_error import service_error
from ...utils.writing import commit
from .config import conf

__all__ = ["fetch_sources"]

_PER_REQUEST = 500  # the service takes 5000; smaller answers fail more cheaply
_LARGEST = 1 << 28  # bytes of one unpacked spectrum: a zip bomb is no spectrum
_IMPORT = threading.Lock()
#: "XP_SAMPLED-Gaia DR3 5937083312263887616.xml"
_MEMBER = re.compile(r"^(?:(?P<product>[A-Z_]+)-)?.*?(?P<source>\d{5,})\D*$")
_AGAIN = "fetch it again"


def fetch_sources(
    wanted: Sequence[FileRequest],
    folder: Path,
    *,
    release: str,
    retrieval_type: str,
    data_structure: str,
    progress: bool | None = None,
    session: requests.Session | None = None,
) -> list[FileResult]:
    """Fetch the spectra of many sources; those here already are not asked for.

    Parameters
    ----------
    wanted : sequence of FileRequest
        One per source; the identifier ends in the source_id.
    folder : `~pathlib.Path`
        Where to.
    release, retrieval_type, data_structure : str
        Words of the service.
    progress : bool, optional
        Show a progress bar; by default ``conf.show_progress``.
    session : `requests.Session`, optional
        A session of your own.

    Returns
    -------
    list of FileResult
        One per request, in the same order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    words = {
        "data_release": release,
        "retrieval_type": retrieval_type,
        "data_structure": data_structure,
    }
    ledger = Ledger(folder)
    results: dict[str, FileResult] = {}
    for request in wanted:
        here = _find_cached(folder, ledger, request)
        if here is not None:
            results[request.identifier] = here
    unique = dict.fromkeys(request.identifier for request in wanted)
    missing = [name for name in unique if name not in results]
    show = package_conf.show_progress if progress is None else progress
    with (
        ExitStack() as stack,
        scratch_folder(folder) as scratch,
        tqdm(total=len(wanted), unit="spectrum", disable=not show) as bar,
    ):
        trust(conf.server_url)
        session = stack.enter_context(make_session(files=True, like=session))
        bar.update(len(wanted) - len(missing))
        for start in range(0, len(missing), _PER_REQUEST):
            names = missing[start : start + _PER_REQUEST]
            new = _fetch_some(names, folder, scratch, session, words)
            for result in new.values():
                if result.path is not None:
                    ledger.note(result.path)
            results.update(new)
            bar.update(len(names))
    return [results[request.identifier] for request in wanted]


def _find_cached(
    folder: Path, ledger: Ledger, request: FileRequest
) -> FileResult | None:
    path = folder / f"{safe_name(request.identifier)}.vot"
    if not ledger.holds(path):
        return None
    return FileResult(identifier=request.identifier, path=path, status="cached")


def _fetch_some(
    names: list[str],
    folder: Path,
    scratch: Path,
    session: requests.Session,
    words: dict[str, str],
) -> dict[str, FileResult]:
    """Fetch one batch; whatever goes wrong becomes the message of its rows."""
    packed = scratch / "datalink.zip"
    sources = {name.rpartition("-")[2]: name for name in names}
    try:
        _ask(list(sources), packed, session, words)
        found = _unpack(packed, folder, scratch, sources, words["retrieval_type"])
    except Exception as error:  # one answer never costs the others
        text = explain("the answer", error, problem="cannot be used", remedy=_AGAIN)
        return {n: _make_failure(n, f"{n}: {text}") for n in names}
    finally:
        packed.unlink(missing_ok=True)
    nothing = f"the archive has no {words['retrieval_type']} spectrum of this source"
    return {name: found.get(name) or _make_failure(name, nothing) for name in names}


def _make_failure(name: str, message: str) -> FileResult:
    return FileResult(identifier=name, status="failed", message=message)


def _ask(
    ids: list[str], packed: Path, session: requests.Session, words: dict[str, str]
) -> None:
    """Let astroquery make the request and our session carry it."""
    handler = _Carrier(session, packed)
    client = _load_gaia()(
        gaia_tap_server=conf.server_url,
        gaia_data_server=conf.server_url,
        datalink_handler=handler,
        show_server_messages=False,
    )
    client.load_data(ids, format="votable", **words)


class _Carrier:
    """Stands where astroquery expects its connection to the DataLink service."""

    def __init__(self, session: requests.Session, packed: Path) -> None:
        self.session, self.packed = session, packed
        self.url = conf.server_url.rstrip("/") + "/data-server/data"

    def load_data(
        self, *, params_dict: dict[str, str], output_file: str, verbose: bool = False
    ) -> None:
        """Post the request; astroquery gets an empty archive, we keep the real one."""
        with_retries(lambda: self._post(params_dict))
        with zipfile.ZipFile(output_file, "w"):
            pass

    def _post(self, parameters: dict[str, str]) -> None:
        deadline = time.monotonic() + archive_conf.file_timeout
        try:
            with self.session.post(self.url, data=parameters, stream=True) as response:
                status = response.status_code
                if status in RETRY_STATUS:
                    wait = retry_after(response.headers)
                    msg = f"the server answered {status} {response.reason}"
                    raise TransientError(msg, url=self.url, wait=wait)
                if status != 200:
                    msg = f"the server answered {describe_answer(response)}"
                    raise ArchiveError(msg, url=self.url)
                self._save(response, deadline)
        except requests.RequestException as error:
            late = isinstance(error, requests.Timeout)
            cause = TimeoutError(str(error)) if late else error
            msg = f"the Gaia archive does not answer: {error}"
            raise TransientError(msg, url=self.url, cause=cause) from error

    def _save(self, response: requests.Response, deadline: float) -> None:
        with self.packed.open("wb") as stream:
            size = 0
            for block in response.iter_content(1 << 16):
                stream.write(block)
                size += len(block)
                if size > archive_conf.max_download_size * 1e6:
                    msg = f"more than {archive_conf.max_download_size:g} MB"
                    raise ArchiveError(msg, url=self.url)
                if time.monotonic() > deadline:
                    msg = f"no whole answer within {archive_conf.file_timeout:.0f} s"
                    raise ArchiveError(msg, url=self.url)
        if not zipfile.is_zipfile(self.packed):
            start = self.packed.read_bytes()[:4096]
            said = service_error(start)
            msg = f"the answer is no zip archive; it starts with {start[:80]!r}"
            if said is not None:
                msg = f"the service answered with an error: {said}"
            raise ArchiveFormatError(msg, url=self.url)


def _unpack(
    packed: Path, folder: Path, scratch: Path, sources: dict[str, str], product: str
) -> dict[str, FileResult]:
    """Write each member under our own name; the server's says product and source."""
    found: dict[str, FileResult] = {}
    others: dict[str, list[str]] = {}
    with zipfile.ZipFile(packed) as archive:
        for member in archive.infolist():
            named = _MEMBER.search(Path(member.filename).name)
            name = sources.get(named["source"]) if named else None
            if named is None or name is None:
                continue
            if named["product"] not in (None, product):
                others.setdefault(name, []).append(named["product"])
                continue
            if name in found:
                text = (
                    f"the archive sent several files of it, such as {member.filename!r}"
                )
                found[name] = _make_failure(name, text)
                continue
            try:
                found[name] = _keep(archive, member, folder, scratch, name)
            except Exception as error:
                text = explain(repr(member.filename), error, remedy=_AGAIN)
                found[name] = _make_failure(name, text)
    for name, kinds in others.items():
        text = f"the archive sent {', '.join(kinds)} of this source, no {product}"
        found.setdefault(name, _make_failure(name, text))
    return found


def _keep(
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    folder: Path,
    scratch: Path,
    name: str,
) -> FileResult:
    if member.file_size > _LARGEST:
        msg = f"{member.file_size} bytes are no spectrum"
        raise ArchiveFormatError(msg)
    part = scratch / f"{safe_name(name)}.vot"
    part.write_bytes(archive.read(member))
    suffix = verify_file(part)
    if suffix != ".vot":
        msg = f"a VOTable was asked for, a {suffix} file came"
        raise ArchiveFormatError(msg)
    path = folder / part.name
    commit(part, path)
    return FileResult(identifier=name, path=path, status="downloaded")


def _load_gaia() -> Any:
    """Import astroquery.gaia, which asks ESA for messages and prints what it hears."""
    with _IMPORT:
        waiting = socket.getdefaulttimeout()
        socket.setdefaulttimeout(archive_conf.connect_timeout)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                from astroquery.gaia import GaiaClass
        finally:
            socket.setdefaulttimeout(waiting)
    return GaiaClass
