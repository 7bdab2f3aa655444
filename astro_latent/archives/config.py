# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Addresses and patience of the archives, kept in Astropy's configuration system.

Every address can be changed, so that a mirror or a test server needs no code.
"""

from functools import partial

from astropy import config as _config

__all__ = ["conf"]

# Without the module, the section of the file would be called [archives._config].
_item = partial(_config.ConfigItem, module="astro_latent.archives")


class Conf(_config.ConfigNamespace):
    """Configuration parameters of `astro_latent.archives`."""

    rootname = "astro_latent"

    download_dir = _item(
        "", "Folder for downloads; empty: the cache folder of Astropy."
    )
    n_workers = _item(8, "Files downloaded at the same time.")
    connections_per_host = _item(4, "Files downloaded at the same time from one host.")
    connect_timeout = _item(
        10.0, "Seconds to wait for a connection before trying again."
    )
    file_timeout = _item(
        1800.0, "Seconds after which one file is given up, however it trickles in."
    )
    max_attempts = _item(5, "How often one request is tried.")
    give_up_after = _item(
        20, "Files in a row that a host may fail to send before it is left alone."
    )
    backoff = _item(
        1.0, "Seconds before the second attempt; doubled before each further one."
    )
    max_wait = _item(
        120.0, "Longest wait in seconds that a server may ask for with Retry-After."
    )
    page_size = _item(10000, "Rows asked for at a time when all rows are wanted.")
    upload_size = _item(
        10000, "Rows of a target list uploaded at a time in one TAP query."
    )
    job_timeout = _item(
        600.0, "Seconds after which an asynchronous TAP job is given up."
    )
    eso_tap_url = _item(
        "https://archive.eso.org/tap_obs", "TAP service of the ESO archive."
    )
    eso_file_url = _item(
        "https://dataportal.eso.org/dataPortal/file/{dp_id}",
        "Address of one ESO file; empty: follow DataLink instead.",
    )
    sdss_skyserver_url = _item("https://skyserver.sdss.org", "SkyServer (CAS) of SDSS.")
    sdss_sas_url = _item("https://data.sdss.org/sas", "Science Archive Server of SDSS.")
    sdss_astra_version = _item(
        "0.6.0", "Version of the SDSS-V pipeline in the names of mwmStar files."
    )
    gaia_server_url = _item(
        "https://gea.esac.esa.int/", "Gaia archive (TAP and DataLink)."
    )
    gaia_release = _item(
        ["DR3", "DR4"], "Gaia data release, which decides the words below."
    )
    gaia_data_structure = _item(
        "", "DATA_STRUCTURE word; empty: the one of the release."
    )
    galah_ssa_url = _item(
        "https://datacentral.org.au/vo/ssa/query", "SSA service with GALAH spectra."
    )
    galah_collection = _item(
        "galah_dr3", "Collection of the GALAH release in that service."
    )
    lamost_ssa_url = _item(
        "https://www.lamost.org/openapi/dr11/v2.0/lrs/voservice/ssap",
        "SSA service with LAMOST spectra.",
    )
    lamost_file_url = _item(
        "https://www.lamost.org/openapi/dr11/v2.0/lrs/spectrum/fits?obsid={obsid}",
        "Address of one LAMOST file; empty: the access_url of the SSA service.",
    )
    registry_url = _item(
        "http://reg.g-vo.org/tap", "TAP service of the VO registry (RegTAP)."
    )
    xmatch_url = _item(
        "http://cdsxmatch.u-strasbg.fr/xmatch/api/v1/sync", "CDS cross-match service."
    )
    name_resolver_url = _item(
        "https://cds.unistra.fr/cgi-bin/", "Sesame service that resolves names."
    )


conf = Conf()
