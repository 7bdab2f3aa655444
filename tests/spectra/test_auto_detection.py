# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""``Spectrum.read`` knows our formats after ``import astro_latent``, in any order."""

import subprocess
import sys

import pytest

READ = """
import sys, warnings
warnings.simplefilter("error", UserWarning)
{imports}
spectrum = Spectrum.read(sys.argv[1])
print(spectrum.meta["observation"].medium, len(SpectrumList.read(sys.argv[1])))
"""
FAIL = """
import sys, warnings
import astro_latent.spectra.loaders as loaders
assert "specutils" not in sys.modules
def fail():
    raise RuntimeError("no room for readers")
loaders.register_loaders = fail
with warnings.catch_warnings(record=True) as found:
    warnings.simplefilter("always")
    from specutils import Spectrum
print([str(w.message) for w in found if "no room for readers" in str(w.message)])
"""
THREADS = """
import sys, threading, warnings
warnings.simplefilter("error", UserWarning)
# What both need, since packages of others do not like to be imported by two threads.
import astropy.nddata, astropy.table, astro_latent.spectra.convert
import astro_latent.spectra.formats, astro_latent.spectra.reading
assert "specutils" not in sys.modules
def work(statement):
    start.wait()
    exec(statement)
    done.append(statement)
statements = ["import astro_latent.spectra.loaders", "import specutils",
              "from specutils import Spectrum",
              "from astro_latent.spectra.loaders import register_loaders"] * 2
start, done = threading.Barrier(len(statements)), []
threads = [threading.Thread(target=work, args=(s,)) for s in statements]
for thread in threads: thread.start()
for thread in threads: thread.join(timeout=60)
assert sorted(done) == sorted(statements), done
from specutils import Spectrum
print(Spectrum.read(sys.argv[1]).meta["observation"].medium)
"""


def run(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "imports",
    [
        "import astro_latent\nfrom specutils import Spectrum, SpectrumList",
        "from specutils import Spectrum, SpectrumList\nimport astro_latent",
        "import astro_latent\nimport specutils.io.registers\n"
        "from specutils import Spectrum, SpectrumList",
    ],
    ids=["first", "last", "by a submodule"],
)
def test_order_of_imports(imports, samples):
    # specutils cannot read this one by itself.
    out = run(READ.format(imports=imports), samples["eso_phase3"])
    assert out == "air 1"


def test_a_failure_is_told_and_specutils_works(samples):
    out = run(FAIL)
    assert "_register_loaders failed after the import of specutils" in out


def test_threads_do_not_wait_in_a_circle(samples):
    assert run(THREADS, samples["eso_phase3"]) == "air"
