# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Configuration of the documentation; tables are made from the package."""

import shutil
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import _abundances_card  # noqa: E402
import _harps_tables  # noqa: E402
import _starnet_card  # noqa: E402
import _starnet_tables  # noqa: E402
import _tables  # noqa: E402

project = "astro_latent"
author = "The astro_latent developers"
copyright = f"2026, {author}"
release = installed_version("astro_latent")
version = release.partition("+")[0]

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx_automodapi.automodapi",
    "numpydoc",
    "pytest_doctestplus.sphinx.doctestplus",
]
exclude_patterns = ["_build"]
default_role = "py:obj"
automodapi_toctreedirnm = "api"
automodsumm_inherited_members = False
numpydoc_xref_param_type = False
numpydoc_show_class_members = False
html_theme = "pydata_sphinx_theme"
html_title = f"{project} {version}"
html_theme_options = {"show_prev_next": False}
html_context = {"default_mode": "auto"}
linkcheck_timeout = 30  # seconds
linkcheck_retries = 2
linkcheck_workers = 4  # some archives turn away those who ask for much at once
linkcheck_ignore = [r"https?://(localhost|127\.0\.0\.1)(:\d+)?(/|$)"]


def setup(app):
    """Write the generated pages before Sphinx looks for sources."""
    shutil.rmtree(HERE / "api", ignore_errors=True)  # pages of names that are gone
    app.connect("builder-inited", lambda _: _tables.write_all(HERE / "generated"))
    app.connect(
        "builder-inited",
        lambda _: _harps_tables.write_harps_tables(HERE / "generated"),
    )
    app.connect(
        "builder-inited",
        lambda _: _starnet_card.write_card_tables(HERE / "generated"),
    )
    app.connect(
        "builder-inited",
        lambda _: _abundances_card.write_abundance_tables(HERE / "generated"),
    )
    app.connect(
        "builder-inited",
        lambda _: _starnet_tables.write_starnet_tables(HERE / "generated"),
    )
