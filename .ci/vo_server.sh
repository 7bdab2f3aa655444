#!/bin/sh
# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
# Install what the tests marked vo_server need. Run as root on Debian 12 or Ubuntu with
# DaCHS. Afterwards: ASTRO_LATENT_REQUIRE_VO_SERVER=1 pytest -m vo_server tests/vo_server
set -eu

if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "vo_server.sh: needs apt-get and root; the tests will be skipped" >&2
    exit 1
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# Not gavodachs2-server: it only adds a system service, which fails without systemd.
apt-get install -q -y --no-install-recommends \
    python3-gavo postgresql-15 postgresql-15-pgsphere postgresql-15-q3c stilts
