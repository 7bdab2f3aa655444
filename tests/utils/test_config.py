# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Configuration items sit where a reader of the file looks for them."""

import subprocess
import sys

SCRIPT = """
import astro_latent as al
from astro_latent.archives.config import conf as archives
print(al.conf.row_limit, al.conf.device, archives.n_workers)
"""


def test_the_file_of_a_user_is_read(tmp_path):
    folder = tmp_path / ".astropy" / "config"  # of that HOME, before Astropy 8
    folder.mkdir(parents=True)
    text = "row_limit = 77\ndevice = cpu\n[archives]\nn_workers = 3\n"
    (folder / "astro_latent.cfg").write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={"ASTROPY_CONFIG_DIR": str(folder), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["77", "cpu", "3"]
