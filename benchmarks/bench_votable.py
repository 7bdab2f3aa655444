# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Writing a VOTable: our packed BINARY2 against Astropy's.

``python benchmarks/bench_votable.py --rows N --rounds N`` prints seconds of processor
time, medians of interleaved rounds, and checks that both files hold the same values.
``python benchmarks/bench_votable.py --stream --rows N`` writes rows with 128 latents in
pieces and prints the peak memory.
"""

import argparse
import resource
import tempfile
import time
import warnings
from pathlib import Path
from statistics import median

import numpy as np
from astropy import units as u
from astropy.io.votable import parse
from astropy.table import QTable, Table

from astro_latent.tables import ResultTable, TableWriter


def results_table(n_rows, rng):
    """Make a table of 20 columns, as parameters of stars are."""
    table = ResultTable({"source_id": rng.integers(0, 2**60, n_rows)})
    table["obs_id"] = [f"ADP.2014-09-23T11:00:41.{i:012d}" for i in range(n_rows)]
    for i in range(16):
        table[f"label{i}"] = rng.normal(size=n_rows).astype("f4") * u.K
    table["ra"] = rng.uniform(0, 360, n_rows) * u.deg
    table["flags"] = rng.integers(0, 2**20, n_rows).astype("i4")
    return table


def seconds(function):
    """Return the processor time that a call takes."""
    start = time.process_time()
    function()
    return time.process_time() - start


def compare(n_rows, n_rounds):
    """Print how much faster our writer is."""
    table = results_table(n_rows, np.random.default_rng(1))
    plain = Table(table)
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder, "ours.vot"), Path(folder, "theirs.vot")
        times = {"ours": [], "astropy": []}
        for _ in range(n_rounds):
            times["ours"].append(seconds(lambda: table.write(ours, overwrite=True)))
            times["astropy"].append(
                seconds(
                    lambda: plain.write(
                        theirs,
                        format="votable",
                        tabledata_format="binary2",
                        overwrite=True,
                    )
                )
            )
        first, second = (parse(p).get_first_table().to_table() for p in (ours, theirs))
        for name in table.colnames:
            np.testing.assert_array_equal(
                np.ma.filled(first[name]).astype(second[name].dtype), second[name]
            )
    ours, theirs = median(times["ours"]), median(times["astropy"])
    print(
        f"{n_rows} rows x {len(table.colnames)} columns: ours {ours:.3f} s, "
        f"astropy {theirs:.2f} s, ratio {theirs / ours:.0f}"
    )


def stream(n_rows, chunk=10_000):
    """Print time and memory of writing latents in pieces."""
    rng = np.random.default_rng(1)
    latent = rng.normal(size=(chunk, 128)).astype("f4")
    names = np.array([f"spectrum-{i:07d}" for i in range(chunk)])
    rows = QTable({"obs_id": names, "latent": latent})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "long.vot")
        with TableWriter(path) as writer:
            for _ in range(n_rows // chunk):
                writer.write(rows)
        size = path.stat().st_size
    extra = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(
        f"{writer.n_rows} rows x 128 latents: {time.perf_counter() - start:.1f} s, "
        f"{size / 1e6:.0f} MB, {extra / 1024:.0f} MiB of memory above the chunk"
    )


def main():
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stream", action="store_true", help="latents, in pieces")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.stream:
        stream(options.rows)
    else:
        compare(options.rows, options.rounds)


if __name__ == "__main__":
    main()
