# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""How each bundled set of weights was made: one folder each."""
