# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Room 4: prepared arrays become latents and parameters; torch lives here."""
