# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""``python -m astro_latent``: the command line of the Python that is named."""

from .cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
