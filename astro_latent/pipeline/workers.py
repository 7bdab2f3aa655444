# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Parts of a run one after the other, or side by side in processes of their own.

Each process runs the whole loop on whole parts, with networks of its own, so that no
core waits for another; the rows come back in the order of the spectra. What a part
gives does not depend on who computes it. A process knows ``astro_latent.conf`` as it is
here, but formats, surveys and architectures that the session has registered only if an
entry point registers them.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .. import _config
from ..exceptions import WorkerError
from .choose import ModelChooser
from .loop import Chooser, MemorySink, OneModel, Task, push_rows
from .rows import Rows

if TYPE_CHECKING:
    from distributed import Client
    from tqdm.auto import tqdm

__all__ = ["Part", "run_parts"]

#: What is read, and velocities from `as_velocities`.
Part: TypeAlias = tuple[list[Any], np.ndarray]

#: In a process of its own: what ran the last part there. Setup and chooser are one
#: entry, since threads of a Dask worker may run parts of different runs.
_here: dict[str, tuple["_Setup", Chooser]] = {}


def run_parts(
    parts: Iterable[Part],
    chooser: Chooser,
    task: Task,
    *,
    workers: int,
    bar: "tqdm[Any]",
    client: "Client | None" = None,
    **options: Any,
) -> Iterator[Rows]:
    """Send parts of a run through the loop.

    Parameters
    ----------
    parts : iterable of Part
        What is to be done.
    chooser : Chooser
        What finds the model of each spectrum; processes make their own like it.
    task : Task
        What is asked of it.
    workers : int
        Processes; with 1 all is done in this one.
    bar : tqdm
        Counts what was read.
    client : distributed.Client, optional
        Of Dask, whose workers do it instead.
    **options
        As for `push_rows`.

    Yields
    ------
    Rows
        Of each part, in order.

    Raises
    ------
    ValueError
        If there is less than one worker, workers and a client, or the model is in no
        folder that processes could load it from.
    WorkerError
        If a process ends before its work is done.
    """
    if not isinstance(workers, int | np.integer) or workers < 1:
        msg = f"workers must be 1 or more, not {workers!r}"
        raise ValueError(msg)
    if workers > 1 and client is not None:
        msg = "workers= starts processes here, client= names those of Dask: give one"
        raise ValueError(msg)
    options |= {"progress": False}
    if client is not None:
        yield from _by_dask(parts, chooser, task, client, bar, options)
        return
    if workers > 1:
        yield from _side_by_side(parts, chooser, task, workers, bar, options)
        return
    for items, velocity in parts:
        sink = MemorySink()
        counted = _count(items, bar)
        push_rows(counted, chooser, task, sink, radial_velocity=velocity, **options)
        yield sink.rows()


def _count(items: list[Any], bar: "tqdm[Any]") -> Iterator[Any]:
    """Hand out files, and count each when the next is asked for."""
    for item in items:
        yield item
        bar.update()


def _side_by_side(
    parts: Iterable[Part],
    chooser: Chooser,
    task: Task,
    workers: int,
    bar: "tqdm[Any]",
    options: dict[str, Any],
) -> Iterator[Rows]:
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    setup = _Setup(chooser.again(), task, options, _settings())
    pool = ProcessPoolExecutor(
        workers,
        mp_context=get_context("spawn"),  # threads do not survive a fork
        initializer=_share_cores,
        initargs=(max(1, _cores() // workers),),
    )
    try:
        yield from _in_order(pool.submit, parts, setup, 2 * workers, chooser, bar)
    except BrokenProcessPool as error:
        msg = (
            f"one of {workers} processes ended before its work was done, perhaps for "
            "want of memory: take fewer workers, or one to see which spectrum it is; a "
            "script that starts processes needs if __name__ == '__main__':. What a run "
            "with --resume or checkpoint= has finished is kept"
        )
        raise WorkerError(msg) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _by_dask(
    parts: Iterable[Part],
    chooser: Chooser,
    task: Task,
    client: "Client",
    bar: "tqdm[Any]",
    options: dict[str, Any],
) -> Iterator[Rows]:
    """Let the workers of Dask run the parts; what a lost one was at, another does."""
    from distributed import KilledWorker

    setup = _Setup(chooser.again(), task, options, _settings())

    def submit(*given: Any) -> Any:
        return client.submit(*given, pure=False)

    ahead = 2 * max(1, sum(client.nthreads().values()))
    try:
        yield from _in_order(submit, parts, setup, ahead, chooser, bar)
    except KilledWorker as error:
        msg = (
            f"workers of Dask were lost again and again at the same files ({error}), "
            "perhaps for want of memory: give them more. What a run with --resume or "
            "checkpoint= has finished is kept"
        )
        raise WorkerError(msg) from error


def _settings() -> dict[str, Any]:
    return {name: getattr(_config.conf, name) for name, _ in _config.conf.items()}


def _in_order(
    submit: Callable[..., Any],
    parts: Iterable[Part],
    setup: "_Setup",
    ahead: int,
    chooser: Chooser,
    bar: "tqdm[Any]",
) -> Iterator[Rows]:
    """Hand out parts, some ahead of those that are done, and take them back in order.

    Whoever stops asking for rows ends what waits: futures that nobody holds are
    released by Dask, and cancelled by the pool as it is shut down.
    """
    waiting: deque[tuple[int, Any]] = deque()
    for items, velocity in parts:
        waiting.append((len(items), submit(_run, setup, items, velocity)))
        if len(waiting) > ahead:
            yield _take(waiting, chooser, bar)
    while waiting:
        yield _take(waiting, chooser, bar)


def _take(waiting: deque[tuple[int, Any]], chooser: Chooser, bar: "tqdm[Any]") -> Rows:
    """Wait for the rows of the oldest part; their models are known here, too."""
    count, future = waiting.popleft()
    rows = future.result()
    for name in dict.fromkeys(rows.columns["model"].tolist()):
        chooser.load(str(name))
    bar.update(count)
    return rows


def _cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _share_cores(threads: int) -> None:
    """Tell a process how many cores it has, before torch is there to count them."""
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))


@dataclass
class _Setup:
    """What a process must know to run parts like this one."""

    model: tuple[Path | None, str | None]
    task: Task
    options: dict[str, Any]
    conf: dict[str, Any]


def _run(setup: _Setup, items: list[Any], velocity: np.ndarray) -> Rows:
    """Run a part in a process of its own, whose networks stay for the next one."""
    last = _here.get("last")
    if last is None or last[0] != setup:
        last = _here["last"] = setup, _make_ready(setup)
    sink = MemorySink()
    push_rows(
        items, last[1], setup.task, sink, radial_velocity=velocity, **setup.options
    )
    return sink.rows()


def _make_ready(setup: _Setup) -> Chooser:
    for name, value in setup.conf.items():
        setattr(_config.conf, name, value)
    folder, device = setup.model
    if folder is None:
        return ModelChooser(setup.task.name, device)
    from ..models import load_model

    return OneModel(load_model(folder, device=device))
