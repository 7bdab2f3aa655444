# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Small helpers without a room of their own."""
