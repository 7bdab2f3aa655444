# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How ``harps_parameters_v2`` was made."""
