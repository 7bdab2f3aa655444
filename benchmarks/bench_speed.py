# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The table of speeds: our road beside what one writes with Astropy and PyTorch.

``python benchmarks/bench_speed.py --rounds 7`` prints every row of the table of
``docs/development/speed.rst``; ``--only S1 S6`` some of them. All is processor time of
one thread. Each round runs the cases of a row in turn, so that what else the machine
does weighs on both; a ratio is taken in each round. That the results agree is asserted
first. The peers are those of ``_peers.py``, which make none of our checks; OpenVINO and
astroNN take part where they can be imported.
"""

import argparse
import gzip
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import _peers
import numpy as np
import torch

import astro_latent as al
from astro_latent.models import SpectralModel
from astro_latent.preparation import PreparedSpectra, prepare_spectra
from astro_latent.preparation.chunks import run_recipe
from astro_latent.preparation.normalise import continuum
from astro_latent.preparation.prepared import Batch, Row
from astro_latent.preparation.resample import resample
from astro_latent.spectra import read_arrays, write_example
from astro_latent.tables import ResultTable

COPIES = 20  # of each of the seven bundled apStar files
COLD = """
import sys, time
import astro_latent as al
al.predict_parameters(sys.argv[1], progress=False)
print(time.process_time())
"""


def spread(values: Sequence[float], form: str) -> str:
    """Say least, median and largest."""
    return " ".join(format(f(values), form) for f in (np.min, np.median, np.max))


def compare(
    what: str,
    cases: Mapping[str, Callable[[], object]],
    count: int,
    rounds: int,
    *,
    number: int = 1,
) -> None:
    """Print the times of cases, of which the last is ours, and the ratios to it."""
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for case in cases.values():
        case()
    for _ in range(rounds):
        for name, case in cases.items():
            start = time.process_time()
            for _ in range(number):
                case()
            taken = time.process_time() - start
            seconds[name].append(1e3 * taken / (count * number))
    *others, ours = cases
    print(f"{what}\n    {ours}: {spread(seconds[ours], '.2f')} ms each")
    for name in others:
        ratio = np.array(seconds[name]) / np.array(seconds[ours])
        print(
            f"    {name}: {spread(seconds[name], '.2f')} ms, x {spread(ratio, '.2f')}"
        )


class Bench:
    """Spectra and models that several rows share."""

    def __init__(self, folder: Path, rounds: int) -> None:
        self.folder, self.rounds = folder, rounds
        table = al.get_survey("sample").table()
        self.apogee = self._unpack(table[table["survey"] == "apogee"]["path"])
        self.files = self.apogee * COPIES
        self.model = al.load_model("apogee_starnet_v1", device="cpu")
        self.out = folder / "out.vot"

    def _unpack(self, paths: Sequence[str]) -> list[str]:
        plain = []
        for path in map(Path, paths):
            plain.append(str(self.folder / path.stem))
            Path(plain[-1]).write_bytes(gzip.decompress(path.read_bytes()))
        return plain

    def predict(self, *, flux_errors: bool) -> ResultTable:
        """Go our way, from files to a VOTable."""
        table = al.predict_parameters(
            self.files, model=self.model, flux_errors=flux_errors, progress=False
        )
        table.write(self.out, overwrite=True)
        return table

    def files_to_table(self, *, flux_errors: bool) -> None:
        """S1 and S2."""
        ours = self.predict(flux_errors=flux_errors)

        def peer() -> tuple[np.ndarray, np.ndarray | None]:
            return _peers.label_files(
                self.model, self.files, self.out, jacobian=flux_errors
            )

        values, covariance = peer()
        # 2e-6 but for one star, of which a check of ours masks one pixel more
        for i, label in enumerate(output.name for output in self.model.outputs):
            sigma = np.array(ours[f"{label}_error"])
            away = np.max(np.abs(values[:, i] - np.array(ours[label])) / sigma)
            assert away < 2e-2, f"{label} differs by {away:.1e} of its error"
            if covariance is not None:
                flux = np.sqrt(covariance[:, i, i])
                found = np.array(ours[f"{label}_error_flux"])
                np.testing.assert_allclose(found, flux, rtol=5e-3)
        what = "with the errors of the flux" if flux_errors else "flux_errors=False"
        cases = {
            "Astropy, PyTorch": peer,
            "astro_latent": lambda: self.predict(flux_errors=flux_errors),
        }
        name = "S1" if flux_errors else "S2"
        title = f"{name} {len(self.files)} apStar files to VOTable, {what}"
        compare(title, cases, len(self.files), self.rounds)

    def s1(self) -> None:
        """All errors and flags."""
        self.files_to_table(flux_errors=True)

    def s2(self) -> None:
        """Labels only."""
        self.files_to_table(flux_errors=False)

    def s3(self) -> None:
        """Jacobian and covariance, of 5 and of 21 labels."""
        for name in ("apogee_starnet_v1", "apogee_starnet_abundances_v1"):
            model = al.load_model(name, device="cpu")
            prepared = prepare_spectra(self.apogee * 4, model.grid, model.recipe)
            variance = np.where(prepared.valid, prepared.variance, 0.0)[:, None]

            def covariance(
                *,
                model: SpectralModel = model,
                prepared: PreparedSpectra = prepared,
                variance: np.ndarray = variance,
            ) -> np.ndarray:
                jacobian = model.jacobian(prepared)
                return (jacobian * variance) @ jacobian.transpose(0, 2, 1)

            def backward(model: SpectralModel = model, f: Callable = covariance):
                model.runner.slopes = lambda *_: None  # type: ignore[method-assign]
                try:
                    return f()
                finally:
                    del model.runner.slopes

            one, other = covariance(), backward()
            sigma = np.sqrt(np.diagonal(other, axis1=1, axis2=2))
            scale = sigma[:, :, None] * sigma[:, None]
            assert np.max(np.abs(one - other) / scale) < 1e-5
            cases = {"backward passes": backward, "chain rule": covariance}
            n_labels = len(model.outputs)
            title = f"S3 Jacobian and covariance, {n_labels} labels"
            compare(title, cases, len(prepared), self.rounds)

    def s4(self) -> None:
        """Run the network by itself."""
        network, count = self.model.members[0], 1024
        prepared = prepare_spectra(self.apogee, self.model.grid, self.model.recipe)
        rows = np.arange(count) % len(prepared)
        flux, valid = prepared.flux[rows], prepared.valid[rows]

        def eager() -> np.ndarray:
            with torch.inference_mode():
                parts = zip(
                    *(torch.from_numpy(a).split(64) for a in (flux, valid)), strict=True
                )
                return torch.cat([network(*part)[0] for part in parts]).numpy()

        def ours() -> np.ndarray:
            parts = []
            for start in range(0, count, 64):
                part = slice(start, start + 64)
                tensors = map(self.model.runner.tensor, (flux[part], valid[part]))
                parts.append(self.model.runner.labels(network, *tensors)[0])
            return np.concatenate(parts)

        cases: dict[str, Callable[[], np.ndarray]] = {"eager PyTorch, by 64": eager}
        if compiled := compile_openvino(network):
            cases["OpenVINO, by 64"] = lambda: np.concatenate(
                [
                    compiled([flux[s : s + 64], valid[s : s + 64]])[0]
                    for s in range(0, count, 64)
                ]
            )
        for case in cases.values():
            np.testing.assert_allclose(case(), ours(), rtol=1e-3, atol=1e-4)
        title = f"S4 the network of StarNet, {count} spectra"
        compare(title, cases | {"astro_latent": ours}, count, self.rounds)

    def s5(self) -> None:
        """One spectrum."""
        path = self.apogee[0]
        case = {
            "astro_latent": lambda: al.predict_parameters(
                path, model=self.model, progress=False
            )
        }
        compare("S5 one apStar file, all errors", case, 1, self.rounds, number=20)

    def s6(self) -> None:
        """Read only."""
        for path in self.apogee:
            (ours,) = read_arrays(path)
            wavelength, (flux, sigma, good), _ = _peers.read_apstar(path)
            np.testing.assert_array_equal(ours.mask, ~good)
            np.testing.assert_allclose(ours.wavelength, wavelength, rtol=1e-12)
            np.testing.assert_array_equal(ours.flux[good], flux[good].astype("f4"))
            np.testing.assert_array_equal(ours.sigma[good], sigma[good].astype("f4"))
        cases = {
            "Astropy, pixels": lambda: [_peers.read_pixels(p) for p in self.files],
            "Astropy, all": lambda: [_peers.read_apstar(p) for p in self.files],
            "read_arrays": lambda: [read_arrays(p) for p in self.files],
        }
        compare("S6 reading of apStar", cases, len(self.files), self.rounds)

    def s7(self) -> None:
        """Division by the continuum of three chips."""
        spectra = [read_arrays(path)[0] for path in self.files]
        grid, recipe = self.model.grid, self.model.recipe
        rows = [Row.from_arrays(arrays) for arrays in spectra]
        ((_, settings),) = recipe.functions["resample"]
        batch = resample(rows, settings, grid, resamplers=[])
        (chosen,) = (s for s in recipe if s.name == "continuum")
        done = run_recipe(spectra[:7], grid, recipe, np.full(7, np.nan), [])
        kept = batch.flux.copy(), batch.variance.copy(), batch.valid.copy()

        def ours() -> Batch:
            batch.flux[:], batch.variance[:], batch.valid[:] = kept
            continuum(batch, chosen.settings)
            return batch

        good = done.valid
        np.testing.assert_allclose(ours().flux[:7][good], done.flux[good], rtol=1e-6)
        cases: dict[str, Callable[[], object]] = {"astro_latent": ours}
        if peer := import_continuum():
            sigma = np.sqrt(np.where(kept[2], kept[1], 1e20))
            mask = np.ones(grid.n_pixels, dtype=bool)
            wide = [np.pad(a, ((0, 0), (0, 300))) for a in (kept[0], sigma)]
            wide[1][:, -300:] = 1e10
            mask = np.pad(mask, (0, 300))
            cases = {"astroNN": lambda: peer(*wide, cont_mask=mask, dr=14)} | cases
        compare("S7 the continuum", cases, len(self.files), self.rounds)

    def s8(self) -> None:
        """Latents of HARPS."""
        model = al.load_model("harps_dae128_v1", device="cpu")
        table = al.get_survey("sample").table()
        paths = []
        for path in table[table["survey"] == "harps"]["path"]:
            (arrays,) = read_arrays(str(path))
            paths.append(str(self.folder / f"{Path(path).name}.adp.fits"))
            flux = np.where(arrays.mask, 0.0, arrays.flux)
            write_example("eso_phase3", paths[-1], arrays.wavelength, flux)
        for decode in (False, True):

            def ours(*, decode: bool = decode) -> ResultTable:
                return al.encode_spectra(
                    paths, model=model, reconstruct=decode, progress=False
                )

            def peer(*, decode: bool = decode) -> tuple[np.ndarray, np.ndarray]:
                return _peers.encode_harps(model, paths, decode=decode)

            found = ours()
            away = (peer()[0] - found["latent"]) / found["latent_error"]
            assert np.abs(away).max() < 0.05, np.abs(away).max()
            cases = {"Astropy, PyTorch": peer, "astro_latent": ours}
            what = "with" if decode else "without"
            title = f"S8 HARPS file to latents, {what} reconstruction"
            compare(title, cases, len(paths), self.rounds)

    def s9(self) -> None:
        """Labels of HARPS."""
        model = al.load_model("harps_parameters_v1", device="cpu")
        table = al.get_survey("sample").table()
        paths = [str(p) for p in table[table["survey"] == "harps"]["path"]]
        prepared = prepare_spectra(paths, model.grid, model.recipe)
        case = {"astro_latent": lambda: model.predict(prepared)}
        compare("S9 labels of HARPS, all errors", case, len(paths), self.rounds)

    def s10(self) -> None:
        """Start a new process until its first prediction, and what of that is torch."""
        script = self.folder / "cold.py"
        script.write_text(COLD)
        bare = "import time, torch; print(time.process_time())"
        commands = {"import torch": ["-c", bare], "first": [script, self.apogee[0]]}
        # as where the package is installed, its modules are compiled but once
        kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        options = {"capture_output": True, "check": True, "env": kept}
        subprocess.run([sys.executable, *commands["first"]], **options)
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(self.rounds):
            for name, command in commands.items():
                done = subprocess.run([sys.executable, *command], **options)
                times[name].append(float(done.stdout.split()[-1]))
        print("S10 processor time until the first prediction, s")
        for name, values in times.items():
            print(f"    {name}: {spread(values, '.2f')}")


def compile_openvino(network: torch.nn.Module) -> Callable | None:
    """Compile a network in single precision, where OpenVINO is installed."""
    try:
        import openvino
    except ImportError:
        print("(OpenVINO is not installed)")
        return None
    example = torch.ones(64, network.n_pixels), torch.ones(64, network.n_pixels) > 0
    core = openvino.Core()
    exact = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    model = openvino.convert_model(network, example_input=example)
    return core.compile_model(model, "CPU", exact)


def import_continuum() -> Callable | None:
    """Find astroNN's function, which needs a setuptools older than 80."""
    try:
        from astroNN.apogee import apogee_continuum
    except ImportError:
        print("(astroNN is not installed, or cannot be imported)")
        return None
    return apogee_continuum


def main() -> None:
    """Print the rows that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [f"S{i}" for i in range(1, 11)]
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="*", default=names, choices=names)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # Astropy's of "dex", OpenVINO's of its own names
    print("least, median and largest of the rounds; processor time, one thread")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.rounds)
        for name in options.only:
            getattr(bench, name.lower())()


if __name__ == "__main__":
    main()
