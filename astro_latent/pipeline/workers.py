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
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from tqdm.auto import tqdm

from .. import _config
from ..exceptions import WorkerError
from .choose import ModelChooser
from .loop import Chooser, MemorySink, OneModel, Task, push_rows
from .rows import Rows

__all__ = ["Part", "run_parts"]

#: What is read, and velocities from `as_velocities`.
Part: TypeAlias = tuple[list[Any], np.ndarray]

#: In a process of its own: what runs the parts there, once it has started.
_here: dict[str, Any] = {}


def run_parts(
    parts: Iterable[Part],
    chooser: Chooser,
    task: Task,
    *,
    workers: int,
    bar: "tqdm[Any]",
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
    **options
        As for `push_rows`.

    Yields
    ------
    Rows
        Of each part, in order.

    Raises
    ------
    ValueError
        If there is less than one worker, or the model is in no folder that processes
        could load it from.
    WorkerError
        If a process ends before its work is done.
    """
    if workers < 1:
        msg = f"workers must be 1 or more, not {workers}"
        raise ValueError(msg)
    options |= {"progress": False}
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
    conf = {name: getattr(_config.conf, name) for name, _ in _config.conf.items()}
    pool = ProcessPoolExecutor(
        workers,
        mp_context=get_context("spawn"),  # threads do not survive a fork
        initializer=_start,
        initargs=(chooser.again(), task, options, conf, max(1, _cores() // workers)),
    )
    waiting: deque[tuple[int, Future[Rows]]] = deque()
    try:
        for items, velocity in parts:
            waiting.append((len(items), pool.submit(_run, items, velocity)))
            if len(waiting) > 2 * workers:
                yield _take(waiting, chooser, bar)
        while waiting:
            yield _take(waiting, chooser, bar)
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


def _take(
    waiting: deque[tuple[int, "Future[Rows]"]], chooser: Chooser, bar: "tqdm[Any]"
) -> Rows:
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


def _start(
    model: tuple[Path | None, str | None],
    task: Task,
    options: dict[str, Any],
    conf: dict[str, Any],
    threads: int,
) -> None:
    """Make ready to run parts, before torch is there to count the cores."""
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    for name, value in conf.items():
        setattr(_config.conf, name, value)
    folder, device = model
    chooser: Chooser = ModelChooser(task.name, device)
    if folder is not None:
        from ..models import load_model

        chooser = OneModel(load_model(folder, device=device))
    _here.update(chooser=chooser, task=task, options=options)


def _run(items: list[Any], velocity: np.ndarray) -> Rows:
    sink, options = MemorySink(), _here["options"]
    chooser, task = _here["chooser"], _here["task"]
    push_rows(items, chooser, task, sink, radial_velocity=velocity, **options)
    return sink.rows()
