# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Simulate observations, fit networks to them, judge the result.

Nothing outside this room imports it. One command makes a set of weights again::

    python -m recipes apogee_starnet_v1 --data FOLDER --work FOLDER
"""
