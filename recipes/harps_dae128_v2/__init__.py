# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How ``harps_dae128_v2`` is made."""
