# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How ``lamost_starnet_v1`` was made."""
