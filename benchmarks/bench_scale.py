# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Many files to one table: cost and memory for each row, from a thousand on.

Links to the given spectra stand for as many files as one likes; each run is a process
of its own that reads them, keeps its parts, and writes one Parquet file:

    python benchmarks/bench_scale.py SPECTRA... --model lamost_starnet_v1 \
        --files 1000 10000 --work FOLDER

prints for each number of files the rows (a file may have many), the seconds, the
processor's milliseconds a row (less those of a run of one file, and with them), and the
peak memory of the largest process.
``--workers N`` shares the work; ``--kills K`` ends the run K times by SIGKILL, at
random, and goes on; the table is then compared with that of a run in peace.
"""

import argparse
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


def link_files(spectra: list[Path], folder: Path, count: int) -> None:
    """Give the spectra as many names as are asked for."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    kept = [
        Path(shutil.copy(path, folder.parent / f".{path.name}")) for path in spectra
    ]
    for number in range(count):
        source = kept[number % len(kept)]
        ending = "".join(source.suffixes)
        os.link(source, folder / f"star{number:07d}{ending}")


def run(options: argparse.Namespace, folder: Path, output: Path) -> None:
    """Read, predict, write: what a process of its own does."""
    from astro_latent.pipeline import iter_results
    from astro_latent.tables import TableWriter

    pieces = iter_results(
        str(folder), task="predict", model=options.model, workers=options.workers,
        checkpoint=output.with_suffix(".parts"), progress=False,
        flux_errors=not options.no_flux_errors,
    )  # fmt: skip
    with TableWriter(output, overwrite=True) as writer:
        for piece in pieces:
            writer.write(piece)


def measure(
    folder: Path, output: Path, kills: list[float]
) -> tuple[float, float, float]:
    """Return seconds, seconds of processors, and MiB of a run in another process.

    It is killed after as many seconds each time as ``kills`` has, and then goes on.
    """
    for old in (output, output.with_suffix(".parts")):
        shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic()
    command = [sys.executable, __file__, *sys.argv[1:], "--run", folder, output]
    for patience in (*kills, None):
        child = subprocess.Popen(command, start_new_session=True)
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            done = len(list(output.with_suffix(".parts").glob("part-*")))
            print(f"killed after {patience:.0f} s, with {done} parts done", flush=True)
        if child.wait() not in (0, -signal.SIGKILL):
            msg = f"the run ended with {child.returncode}"
            raise SystemExit(msg)
        if child.returncode == 0:
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - begun, spent, after.ru_maxrss / 1024


def count_rows(table: Path) -> int:
    """Return the rows of a table without reading them."""
    from pyarrow.parquet import read_metadata

    return int(read_metadata(table).num_rows)


def flat(column: Any) -> np.ndarray:
    """Return the values of a column of Arrow, those of all rows in one array."""
    values = column.flatten() if hasattr(column, "flatten") else column
    return values.to_numpy(zero_copy_only=False)


def compare(one: Path, other: Path) -> None:
    """Assert that two tables hold the same, however long they are."""
    from pyarrow.parquet import ParquetFile

    first, second = ParquetFile(one), ParquetFile(other)
    assert first.schema_arrow.names == second.schema_arrow.names
    pieces = (table.iter_batches(1 << 14) for table in (first, second))
    for left, right in zip(*pieces, strict=True):
        for name in left.schema.names:
            np.testing.assert_array_equal(flat(left[name]), flat(right[name]))
    print(f"the same {count_rows(one)} rows, whether it was stopped or not")


def main() -> None:
    """Measure one number of files after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spectra", nargs="+", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--files", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--no-flux-errors", action="store_true")
    parser.add_argument("--run", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run(options, *options.run)
        return
    start = (0.0, 0.0, 0)
    for count in (1, *options.files):
        folder = options.work / "files"
        link_files(options.spectra, folder, count)
        output = options.work / f"rows{count}.parquet"
        wall, spent, memory = measure(folder, output, [])
        rows = count_rows(output)
        if count == 1:
            start = wall, spent, rows
            print(f"start and one file: {wall:.1f} s, {spent:.1f} s of processors")
            continue
        more = rows - start[2]
        rate, each = more / (wall - start[0]), (spent - start[1]) / more
        print(
            f"{count:8d} files, {rows} rows: {wall:7.1f} s ({rate:.0f} rows/s), "
            f"processors {1e3 * each:.2f} ms a row "
            f"({1e3 * spent / rows:.2f} with the start), peak {memory:.0f} MiB",
            flush=True,
        )
        if options.kills:
            stopped = options.work / f"stopped{count}.parquet"
            draw = np.random.default_rng(count).uniform
            kills = draw(start[0], start[0] + wall / options.kills, options.kills)
            measure(folder, stopped, kills.tolist())
            compare(output, stopped)


if __name__ == "__main__":
    main()
