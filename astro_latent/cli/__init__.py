# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""The command line: ``astro-latent VERB``, one file per verb."""
