# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Damaged files, by the hundred thousand, read and prepared in processes of their own.

Mutant number N of a seed is the same file on any machine. Each is read and prepared;
results of many are written to a VOTable and to ECSV and read back. A process that dies,
computes for longer than ``--patience`` seconds or is silent for ten times as long is
replaced, and what it was at is noted. (Time of the processor, since a busy machine is
no fault of a reader.) What was done is kept in ``--state``: run the same command again
to go on. ::

    python benchmarks/fuzz_readers.py --count 100000 --minutes 30 --state fuzz.json \
        --data FOLDER_OF_REAL_FILES

Prints how many mutants of each format there were, crashes, hangs, lost rows and
messages without the name of the file; exit code 1 if there were any of these.
"""

import argparse
import gc
import json
import multiprocessing
import resource
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import _paths  # noqa: F401 - makes tests.fixtures importable
from astropy import log
from astropy.table import Table

from astro_latent.tables import read_table, write_table
from tests.fixtures.mutants import find_faults, make_mutant, read_seeds, write_seeds

ROWS = 200  # results that are written together
MEMORY = 6 << 30  # bytes that a process may ask for
COPIED = ("obs_id", "target_name", "ra", "dec", "source", "flags", "message")


def gather(folder, data):
    """Own examples, and the small files of other folders."""
    seeds = write_seeds(folder)
    for number, name in enumerate(data):
        found = read_seeds(name)
        seeds |= {f"{number}-{key.replace('/', '-')}": found[key] for key in found}
    return seeds


def check_writing(folder, rows):
    """Write what was learnt of many mutants, and read it back."""
    table = Table({name: [getattr(seen, name) for seen in rows] for name in COPIED})
    for ending in ("vot", "ecsv"):
        path = folder / f"rows.{ending}"
        write_table(table, path, overwrite=True)
        again = read_table(path)
        if again["obs_id"].tolist() != [seen.obs_id for seen in rows]:
            yield f"lost: rows of {ending}"


def work(seeds, options, first, report, folder):
    """Read mutants one after the other and report each."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    log.setLevel("ERROR")
    gc.freeze()  # what is there stays: to look through it again and again takes time
    folder, rows = Path(folder), []
    for number in range(first, options.count):
        name, content = make_mutant(seeds, options.seed, number)
        path = folder / f"mutant-{number}-{name}"
        path.write_bytes(content)
        report.put((number, name, None))
        # Ends the process, wherever it is, after so much time of the processor.
        signal.setitimer(signal.ITIMER_PROF, options.patience)
        try:
            faults, found = find_faults(path)
            rows += [arrays.observation for arrays in found[:20]]
            if len(rows) >= ROWS:
                faults += check_writing(folder, rows)
                rows = []
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            faults = [f"crash: {type(error).__name__} {str(error)[:200]} at {where}"]
        path.unlink()
        report.put((number, name, faults))


def watch(seeds, options, state, folder):
    """Start a process, follow what it reports; return when it ends, dies or hangs."""
    report = multiprocessing.Queue()
    process = multiprocessing.Process(
        target=work, args=(seeds, options, state["next"], report, folder)
    )
    process.start()
    at, since = (state["next"], ""), time.monotonic()
    while state["next"] < options.count and time.monotonic() < options.end:
        try:
            number, name, faults = report.get(timeout=1)
        except Exception:  # nothing came
            silent = time.monotonic() - since > 10 * options.patience
            if silent or not process.is_alive():
                hung = silent or process.exitcode == -signal.SIGPROF
                kind = "hang" if hung else f"died with {process.exitcode}"
                note(state, *at, [f"{kind}: {options.patience} s"])
                break
            continue
        at, since = (number, name), time.monotonic()
        if faults is not None:
            note(state, number, name, faults)
            if number % 500 == 0:
                options.state.write_text(json.dumps(state, indent=1))
    process.kill()
    process.join()


def note(state, number, name, faults):
    """Count a mutant, and keep what was wrong."""
    state["next"] = number + 1
    state["of"][name] = state["of"].get(name, 0) + 1
    for fault in faults:
        state["faults"].append([number, name, fault])


def main():
    """Go on from where the state says; print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--patience", type=float, default=60.0)
    parser.add_argument("--state", type=Path, default=Path("fuzz.json"))
    parser.add_argument("--data", nargs="*", default=[], type=Path)
    options = parser.parse_args()
    options.end = time.monotonic() + 60 * options.minutes
    state = {"seed": options.seed, "next": 0, "of": {}, "faults": []}
    if options.state.exists():
        state = json.loads(options.state.read_text())
    if state["seed"] != options.seed:
        sys.exit(f"{options.state} is of seed {state['seed']}")
    with TemporaryDirectory() as folder:
        Path(folder, "seeds").mkdir()
        seeds = gather(Path(folder, "seeds"), options.data)
        while state["next"] < options.count and time.monotonic() < options.end:
            watch(seeds, options, state, folder)
            options.state.write_text(json.dumps(state, indent=1))
    kinds = Counter(fault.partition(":")[0] for *_, fault in state["faults"])
    print(
        f"{state['next']} mutants of {len(seeds)} files: {dict(kinds) or 'no faults'}"
    )
    for name, count in sorted(state["of"].items()):
        print(f"  {count} of {name}")
    for number, name, fault in state["faults"][-20:]:
        print(f"  {number} {name}: {fault}")
    return 1 if state["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
