# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Configuration of the documentation; tables are made from the package."""

import logging
import shutil
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import _abundances_card  # noqa: E402
import _demo  # noqa: E402
import _experiment_tables  # noqa: E402
import _gallery  # noqa: E402
import _harps_tables  # noqa: E402
import _head_tables  # noqa: E402
import _how_good_tables  # noqa: E402
import _latent_tables  # noqa: E402
import _real_tables  # noqa: E402
import _starnet_card  # noqa: E402
import _starnet_tables  # noqa: E402
import _tables  # noqa: E402
import _transcript  # noqa: E402

project = "astro_latent"
author = "The astro_latent developers"
copyright = f"2026, {author}"
release = installed_version("astro_latent")
version = release.partition("+")[0]

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "myst_nb",
    "numpydoc",
    "pytest_doctestplus.sphinx.doctestplus",
]
intersphinx_mapping = {
    "python": ("https://docs.python.org/3/", None),
    "numpy": ("https://numpy.org/doc/stable/", None),
    "astropy": ("https://docs.astropy.org/en/stable/", None),
    "specutils": ("https://specutils.readthedocs.io/en/stable/", None),
    "pyvo": ("https://pyvo.readthedocs.io/en/latest/", None),
    "astroquery": ("https://astroquery.readthedocs.io/en/latest/", None),
    "torch": ("https://docs.pytorch.org/docs/stable/", None),
    "matplotlib": ("https://matplotlib.org/stable/", None),
}
intersphinx_timeout = 10  # seconds
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["custom.css"]
exclude_patterns = ["_build"]
default_role = "py:obj"
autosummary_ignore_module_all = False
autodoc_typehints = "none"  # types are in the docstrings, in words
numpydoc_xref_param_type = False
numpydoc_show_class_members = False
nb_execution_mode = "force"
nb_execution_excludepatterns = ["**/train_xp.ipynb"]  # long: holds what a test runs
nb_execution_raise_on_error = True
nb_execution_timeout = 120  # seconds
nb_ipywidgets_js = {}  # pages ask no other server for scripts
html_theme = "pydata_sphinx_theme"
html_title = f"{project} {version}"
html_theme_options = {"show_prev_next": False, "header_links_before_dropdown": 3}
html_context = {"default_mode": "auto"}
linkcheck_timeout = 30  # seconds
linkcheck_retries = 2
linkcheck_workers = 4  # some archives turn away those who ask for much at once
linkcheck_ignore = [r"https?://(localhost|127\.0\.0\.1)(:\d+)?(/|$)"]


class _Notice(logging.Filter):
    """Say that an inventory could not be had, without failing a build under ``-W``."""

    def filter(self, record):
        if "failed to reach any of the inventories" in str(record.msg):
            record.levelno, record.levelname = logging.INFO, "INFO"
            record.msg = f"without links to another package: {record.msg}"
        return True


def _write_generated(app):
    folder = HERE / "generated"
    for write in (
        _tables.write_all,
        _harps_tables.write_harps_tables,
        _how_good_tables.write_how_good_tables,
        _latent_tables.write_latent_tables,
        _real_tables.write_real_tables,
        _starnet_card.write_card_tables,
        _abundances_card.write_abundance_tables,
        _experiment_tables.write_experiment_tables,
        _head_tables.write_head_tables,
        _starnet_tables.write_starnet_tables,
        _demo.write_demo,
        _gallery.write_gallery,
        _transcript.write_transcript,
    ):
        write(folder)


def setup(app):
    """Write the generated pages before Sphinx looks for sources."""
    shutil.rmtree(HERE / "api", ignore_errors=True)  # pages of names that are gone
    logging.getLogger("sphinx.sphinx.ext.intersphinx").addFilter(_Notice())
    app.connect("builder-inited", _write_generated, priority=100)  # before autosummary
