# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Fixtures of all tests: isolation from the user's files, real data on request."""

import os
import sys
import tempfile
from pathlib import Path

# Before anything imports astropy: neither read nor write the user's configuration.
_scratch = tempfile.mkdtemp(prefix="astro_latent_test_")
for _name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
    os.environ[_name] = str(Path(_scratch, _name.lower()))
    Path(os.environ[_name], "astropy").mkdir(parents=True)

# hats would compile for half a minute what takes a second on toys.
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")

# Recipes live beside the package, not in it.
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np  # noqa: E402
import pytest  # noqa: E402

#: Fixtures that the tests of several rooms share.
pytest_plugins = [
    "tests.fixtures.examples",
    "tests.fixtures.results",
    "tests.fixtures.servers",
]

REAL_DATA = "ASTRO_LATENT_TEST_DATA"


@pytest.fixture(scope="session")
def real_data():
    """Folder of real spectra; skips if it is not named, fails if it is missing."""
    name = os.environ.get(REAL_DATA)
    if not name:
        pytest.skip(f"{REAL_DATA} names no folder of real spectra")
    folder = Path(name)
    if not folder.is_dir():
        pytest.fail(f"{REAL_DATA}={name} is not a folder")
    return folder


@pytest.fixture
def rng():
    """Random numbers that are the same in each run."""
    return np.random.default_rng(20180302)
