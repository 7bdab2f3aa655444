# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How ``apogee_starnet_abundances_v1`` was made."""
