# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
from setuptools import setup

setup()  # all metadata lives in pyproject.toml
