# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How ``harps_dae_fast_v1`` was made."""
