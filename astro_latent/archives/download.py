# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Downloads that survive the real world: many files, at once, again and again.

A file has its name only when it is complete and checked. What is incomplete lies in
a hidden folder beside it, from where the next attempt or the next session goes on.
"""

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import requests
from tqdm.auto import tqdm

from .._config import conf as package_conf
from ..exceptions import ArchiveError
from ..utils.guard import explain
from .config import conf
from .dal import follow_datalink
from .files import FileRequest, FileResult, safe_name, scratch_folder
from .http import PatientSession, check_scheme, make_session
from .ledger import Ledger
from .retries import TransientError, with_retries
from .transfer import Part, transfer
from .verify import SUFFIXES, IncompleteFileError, verify_file

__all__ = ["download_files"]


def download_files(
    wanted: Sequence[FileRequest],
    directory: str | Path,
    *,
    n_workers: int | None = None,
    connections_per_host: int | None = None,
    progress: bool | None = None,
    session: requests.Session | None = None,
) -> list[FileResult]:
    """Fetch files into a folder; what is there already is not asked for again.

    Parameters
    ----------
    wanted : sequence of FileRequest
        What to fetch.
    directory : path-like
        Where to; it is made if need be. Nothing is written outside it.
    n_workers : int, optional
        Files at the same time; by default ``conf.n_workers``.
    connections_per_host : int, optional
        Files at the same time from one host; by default ``conf.connections_per_host``.
    progress : bool, optional
        Show a progress bar; by default ``conf.show_progress``.
    session : `requests.Session`, optional
        For proprietary data: a session that astroquery has logged in.

    Returns
    -------
    list of FileResult
        One per request, in the same order. A file that fails is a result that says
        why, never an exception.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    workers = max(1, conf.n_workers if n_workers is None else n_workers)
    limit = connections_per_host or conf.connections_per_host
    show = package_conf.show_progress if progress is None else progress
    unique = _drop_repeats(wanted)
    with (
        ExitStack() as stack,
        scratch_folder(folder) as scratch,
        tqdm(total=len(unique), unit="file", disable=not show) as bar,
    ):
        job = _Job(
            folder=folder,
            scratch=scratch,
            files=stack.enter_context(
                make_session(n_connections=workers, files=True, like=session)
            ),
            answers=stack.enter_context(
                make_session(n_connections=workers, like=session)
            ),
            hosts=_list_hosts(unique.values(), limit),
            bar=bar,
        )
        results = _run(job, unique, workers)
    return [_match_request(request, unique, results) for request in wanted]


class _Job:
    """What the workers of one call share."""

    def __init__(
        self,
        *,
        folder: Path,
        scratch: Path,
        files: PatientSession,
        answers: PatientSession,
        hosts: "dict[str, _Host]",
        bar: tqdm,
    ) -> None:
        self.folder, self.scratch, self.ledger = folder, scratch, Ledger(folder)
        self.files, self.answers = files, answers
        self.hosts, self.bar = hosts, bar
        self.stop = threading.Event()
        self._lock = threading.Lock()
        self._bytes = 0

    def give_up(self) -> None:
        """End whatever is under way, at once."""
        self.stop.set()
        for session in (self.files, self.answers):
            session.watch.stop()

    def count(self, n_bytes: int) -> None:
        """Add to the bytes that have arrived."""
        with self._lock:
            self._bytes += n_bytes

    def done(self) -> None:
        """Move the progress bar on by one file."""
        with self._lock:
            self.bar.set_postfix_str(f"{self._bytes / 1e6:.1f} MB", refresh=False)
            self.bar.update()


def _drop_repeats(wanted: Sequence[FileRequest]) -> dict[str, FileRequest]:
    """Ask for each identifier once, however many rows it has."""
    unique: dict[str, FileRequest] = {}
    for request in wanted:
        unique.setdefault(request.identifier, request)
    return unique


def _match_request(
    request: FileRequest,
    unique: dict[str, FileRequest],
    results: dict[str, FileResult],
) -> FileResult:
    asked = unique[request.identifier]
    if asked.url == request.url:
        return results[request.identifier]
    message = f"two addresses for one identifier: {asked.url} and {request.url}"
    return FileResult(identifier=request.identifier, status="failed", message=message)


class _Host:
    """How many connections a host bears, and whether it is there at all."""

    def __init__(self, limit: int) -> None:
        self.free = threading.Semaphore(limit)
        self._failures = 0

    @property
    def is_down(self) -> bool:
        """Whether so many files have failed in a row that asking on is no use."""
        return self._failures >= conf.give_up_after

    def note(self, error: Exception | None) -> None:
        """Count failures that are the host's and not those of one file."""
        trouble = getattr(error, "__cause__", None)
        if error is None:
            self._failures = 0
        elif isinstance(trouble, TransientError) and not isinstance(
            trouble.cause, IncompleteFileError
        ):
            self._failures += 1


def _host_of(request: FileRequest) -> str:
    """Return the host of an address, "" if there is none to be seen."""
    try:
        return urlsplit(request.url).netloc
    except ValueError:  # such as http://[::1
        return ""


def _list_hosts(wanted: Iterable[FileRequest], limit: int) -> dict[str, _Host]:
    names = {_host_of(request) for request in wanted}
    return {name: _Host(limit) for name in names}


def _run(
    job: _Job, unique: dict[str, FileRequest], workers: int
) -> dict[str, FileResult]:
    """Fetch what is missing in threads; an interrupt leaves only complete files."""
    results, missing = {}, []
    for request in unique.values():
        found = _find_cached(job, request)
        if found is None:
            missing.append(request)
        else:
            results[request.identifier] = found
            job.done()
    pool = ThreadPoolExecutor(max_workers=min(workers, max(1, len(missing))))
    try:
        futures = [pool.submit(_fetch_one, job, request) for request in missing]
        for future in as_completed(futures):
            result = future.result()
            results[result.identifier] = result
            job.done()
    except BaseException:
        job.give_up()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
    return results


def _find_cached(job: _Job, request: FileRequest) -> FileResult | None:
    """Look whether the file is here; it has its name only if it is complete."""
    identifier = request.identifier
    try:
        stem = safe_name(identifier)
    except ValueError as error:
        return FileResult(identifier=identifier, status="failed", message=str(error))
    for suffix in SUFFIXES:
        path = job.folder / (stem + suffix)
        right = job.ledger.holds(path)
        if right and request.size in (None, path.stat().st_size):
            return FileResult(identifier=identifier, path=path, status="cached")
    return None


def _fetch_one(job: _Job, request: FileRequest) -> FileResult:
    """Fetch one file; whatever goes wrong becomes its message."""
    name, host = request.identifier, job.hosts[_host_of(request)]
    with host.free:
        if host.is_down:
            text = "not tried: its host failed for many files before; run again later"
            return FileResult(identifier=name, status="failed", message=text)
        try:
            path = with_retries(partial(_attempt, job, request), stop=job.stop)
        except Exception as error:  # one file never costs the others
            host.note(error)
            text = explain(
                request.url or name, error,
                problem="cannot be fetched", remedy="is that the address of a file?",
            )  # fmt: skip
            return FileResult(identifier=name, status="failed", message=text)
        host.note(None)
    return FileResult(identifier=name, path=path, status="downloaded")


def _attempt(job: _Job, request: FileRequest) -> Path:
    """Try once: find the address, bring the bytes, check them, name them."""
    check_scheme(request.url)
    stem = safe_name(request.identifier)
    part = Part(job.scratch / stem).load()
    url = request.url
    if request.datalink:
        url = follow_datalink(url, job.answers)
    fetch = partial(
        transfer, job.files, part=part, stop=job.stop, count=job.count,
        estimate=request.estimate,
    )  # fmt: skip
    content_type = fetch(url)
    if "content=datalink" in content_type.replace(" ", "").lower():
        part.discard()  # a list of files came instead of the file
        url = follow_datalink(url, job.answers)
        fetch(url)
    try:
        suffix = verify_file(part.path, size=request.size, checksum=request.checksum)
    except IncompleteFileError as error:
        part.discard()
        raise TransientError(str(error), url=url, cause=error) from error
    except ArchiveError as error:
        part.discard()
        raise type(error)(str(error), url=url) from error
    target = job.folder / (stem + suffix)
    if job.stop.is_set():  # the call has ended, its folder is no longer ours
        msg = "stopped"
        raise ArchiveError(msg, url=url)
    part.finish(target)
    job.ledger.note(target)
    return target
