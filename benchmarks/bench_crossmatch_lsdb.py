# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Matching with a HATS catalogue by LSDB: time, memory, and the same pairs as here.

Needs the extra ``scale``. A catalogue of so many rows with latents is written, and as
many positions beside them, or far from all of them, are matched with it:

    python benchmarks/bench_crossmatch_lsdb.py --rows 100000 --latents 16
"""

import argparse
import resource
import tempfile
import time
import warnings
from pathlib import Path

import dask
import numpy as np
from astropy import units as u

from astro_latent.matching import crossmatch, write_hats
from astro_latent.tables import ResultTable, to_wide

RADIUS = 2 * u.arcsec


def catalogue(n_rows, n_latent, rng):
    """Make results for stars all over the sky."""
    table = ResultTable({"obs_id": [f"star-{i:07d}" for i in range(n_rows)]})
    table["ra"] = rng.uniform(0, 360, n_rows) * u.deg
    table["dec"] = np.degrees(np.arcsin(rng.uniform(-1, 1, n_rows))) * u.deg
    table["latent"] = rng.normal(size=(n_rows, n_latent)).astype("f4")
    table["logg"] = rng.normal(size=n_rows).astype("f4") * u.dex
    for name, ucd in {
        "obs_id": "meta.id;meta.main",
        "ra": "pos.eq.ra;meta.main",
        "dec": "pos.eq.dec;meta.main",
        "logg": "phys.gravity",
    }.items():
        table[name].info.meta = {"ucd": ucd}
    return table


def observed(table, rng):
    """Positions up to three arcseconds away: some match, some do not."""
    stars = ResultTable({"number": np.arange(len(table))})
    shift = rng.uniform(-3, 3, len(table)) * u.arcsec
    stars["ra"] = table["ra"]
    stars["dec"] = np.clip(table["dec"] + shift, -90 * u.deg, 90 * u.deg)
    return stars


def timed(name, action):
    """Run, print how long it took and the peak memory so far, return the result."""
    start = time.perf_counter()
    result = action()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:24s} {time.perf_counter() - start:7.1f} s, peak {memory:.0f} MiB")
    return result


def main():
    """Write, match by LSDB and in memory, and compare row by row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--latents", type=int, default=16)
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    table = catalogue(options.rows, options.latents, rng)
    stars = observed(table, rng)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "catalogue")
        timed("write_hats", lambda: write_hats(table, path))
        there = timed(
            "crossmatch, LSDB", lambda: crossmatch(stars, f"hats:{path}", radius=RADIUS)
        )
    here = timed(
        "crossmatch, in memory",
        lambda: crossmatch(stars, to_wide(table), radius=RADIUS),
    )
    for name in ("number", "obs_id", "n_match", "logg", "z000"):
        np.testing.assert_array_equal(np.asarray(there[name]), np.asarray(here[name]))
    separations = [t["separation"].to_value(u.arcsec) for t in (there, here)]
    np.testing.assert_allclose(*separations, rtol=0, atol=1e-6)
    assert there["logg"].unit == u.dex
    assert there["logg"].info.meta["ucd"] == "phys.gravity"
    print(f"{len(there)} of {len(stars)} rows match; both ways give the same")


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # of LSDB and what it is built on
    with dask.config.set(scheduler="synchronous"):
        main()
