# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Whether two checkouts give the same tables, to the bit and to the word.

Both read and judge the bundled spectra, those of ``--spectra``, and the first
``--spoilt`` of them once more for each drawn corruption of ``_corruptions.py`` (107 a
spectrum), in processes of their own: by the model of each survey, with and without
errors of the flux, and one spectrum alone. Every difference is printed, and makes the
status 1. ``docs/development/speed.rst`` says what was compared.

git worktree add /tmp/before REVISION
python benchmarks/compare_tables.py /tmp/before --spectra apogee/*.fits --spoilt 3
"""

import argparse
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from _corruptions import draw_corruptions
from bench_corruptions import corrupt

import astro_latent as al
from astro_latent.spectra import iter_arrays

HERE = Path(__file__).resolve().parents[1]


def make_tables(paths: list[str], n_spoilt: int) -> dict[str, np.ndarray]:
    """Return every column of all tables, by the names of both."""
    rng, spoilt = np.random.default_rng(0), []
    for arrays in list(iter_arrays(paths))[:n_spoilt]:
        if arrays.sigma is not None:
            changes = enumerate(draw_corruptions(rng))
            spoilt += [corrupt(arrays, change, seed) for seed, change in changes]
    harps = [each for each in iter_arrays(paths) if each.observation.survey == "harps"]
    found = {}
    for name, spectra in (("whole", paths), ("alone", paths[:1]), ("spoilt", spoilt)):
        if spectra:
            found[name] = al.predict_parameters(spectra, progress=False)
            lean = al.predict_parameters(spectra, progress=False, flux_errors=False)
            found[f"{name}, flux_errors=False"] = lean
    if harps:
        found["latents"] = al.encode_spectra(harps, progress=False)
    return {
        f"{name}: {column}": np.asarray(getattr(table[column], "value", table[column]))
        for name, table in found.items()
        for column in table.colnames
    }


def run(checkout: Path, paths: list[str], n_spoilt: int) -> dict[str, np.ndarray]:
    """Make the tables by the code of a checkout."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "tables.npz")
        subprocess.run(
            [sys.executable, __file__, str(checkout), "--spoilt", str(n_spoilt),
             "--save", str(output), "--spectra", *paths],
            env={**os.environ, "PYTHONPATH": str(checkout)},
            check=True,
        )  # fmt: skip
        with np.load(output) as columns:
            return dict(columns)


def describe(one: np.ndarray, other: np.ndarray) -> str:
    """Say how two columns differ; "" if they do not."""
    if one.shape != other.shape or one.dtype.kind != other.dtype.kind:
        return f"{one.dtype} {one.shape}, {other.dtype} {other.shape}"
    if one.dtype.kind != "f":
        rows = np.flatnonzero(one != other)
        return (
            f"row {rows[0]}: {one[rows[0]]!r}, {other[rows[0]]!r}" if len(rows) else ""
        )
    if np.array_equal(one, other, equal_nan=True):
        return ""
    lost = np.count_nonzero(np.isnan(one) != np.isnan(other))
    scale = np.maximum(np.abs(one), np.finfo(one.dtype).tiny)
    largest = np.nanmax(np.abs(one - other) / scale, initial=0.0)
    return f"by {largest:.1e} of the value at most; {lost} are NaN in one of them"


def main() -> int:
    """Compare, or save what one checkout gives."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path, help="checkout to compare with")
    parser.add_argument("after", type=Path, nargs="?", default=HERE)
    parser.add_argument("--spectra", nargs="*", default=[], help="more files")
    parser.add_argument("--spoilt", type=int, default=1)
    parser.add_argument("--save", help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.save:
        assert Path(al.__file__).is_relative_to(options.before), al.__file__
        np.savez(options.save, **make_tables(options.spectra, options.spoilt))
        return 0
    sample = [str(path) for path in al.get_survey("sample").table()["path"]]
    paths = sample + options.spectra
    both = [
        run(each.resolve(), paths, options.spoilt)
        for each in (options.before, options.after)
    ]
    one, other = both
    texts = {name: describe(one[name], other[name]) for name in one.keys() & other}
    texts |= {name: "in one of them only" for name in one.keys() ^ other}
    differences = {name: text for name, text in sorted(texts.items()) if text}
    for name, text in differences.items():
        print(f"{name} differs: {text}")
    rows = {name.partition(":")[0]: len(column) for name, column in other.items()}
    print(f"{len(other)} columns, rows {rows}: {len(differences)} differ")
    return bool(differences)


if __name__ == "__main__":
    sys.exit(main())
