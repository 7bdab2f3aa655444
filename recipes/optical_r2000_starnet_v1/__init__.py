# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How ``optical_r2000_starnet_v1`` was made."""
