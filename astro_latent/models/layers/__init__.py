# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Layers and arithmetic that several architectures share."""
