# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Configuration items sit where a reader of the file looks for them."""

import subprocess
import sys

from astropy.config import ConfigItem

from astro_latent import conf

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


def test_a_value_is_judged_once_and_a_new_one_is_seen(monkeypatch):
    judged = []
    judge = ConfigItem._validate_val

    def note(self, value):
        judged.append(value)
        return judge(self, value)

    before = conf.max_pixels
    monkeypatch.setattr(ConfigItem, "_validate_val", note)
    assert [conf.max_pixels for _ in range(5)] == [before] * 5
    assert judged == []
    with conf.set_temp("max_pixels", 17):
        assert [conf.max_pixels for _ in range(5)] == [17] * 5
    assert len(judged) <= 4  # set and asked for, set back
    assert conf.max_pixels == before
