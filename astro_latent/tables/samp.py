# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Tables to the programs that are open on the desk, such as TOPCAT, by SAMP."""

import atexit
import queue
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from astropy.table import Table

from ..exceptions import AstroLatentError
from .votable import write_votable

if TYPE_CHECKING:
    from pyvo.samp import SAMPHubServer, SAMPIntegratedClient

__all__ = ["send_to_samp"]

_MTYPE = "table.load.votable"
_scratch: list[Path] = []


def send_to_samp(
    table: Table,
    *,
    recipient: str | None = None,
    name: str | None = None,
    timeout: float = 30.0,
    hub: "SAMPHubServer | None" = None,
) -> list[str]:
    """Show a table in TOPCAT, Aladin or any other program that speaks SAMP.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table.
    recipient : str, optional
        Name of the program, such as ``"topcat"``; by default all that take tables.
    name : str, optional
        Name of the table there; by default what its metadata says.
    timeout : float, optional
        Seconds to wait for each program; one that has not answered then did not take
        the table.
    hub : SAMPHubServer, optional
        The hub to use; by default the one that runs on this machine.

    Returns
    -------
    list of str
        Names of the programs that took the table.

    Raises
    ------
    AstroLatentError
        If no hub is running, or no program takes tables.

    Examples
    --------
    >>> from astro_latent.tables import send_to_samp
    >>> send_to_samp(table, recipient="topcat")  # doctest: +SKIP
    ['topcat']
    """
    title = name or str(table.meta.get("name") or table.meta.get("model") or "results")
    path = _keep(table, title)
    parameters = {"url": path.as_uri(), "table-id": path.stem, "name": title}
    message = {"samp.mtype": _MTYPE, "samp.params": parameters}
    client = _connect(hub)
    try:
        listeners = _find_listeners(client, recipient)
        if not listeners:
            wanted = recipient or "that takes tables"
            msg = f"no program {wanted} is connected; start it, for example TOPCAT"
            raise AstroLatentError(msg)
        return [
            program
            for identifier, program in listeners.items()
            if _send(client, identifier, message, timeout=timeout)
        ]
    finally:
        client.disconnect()


def _connect(hub: "SAMPHubServer | None") -> "SAMPIntegratedClient":
    try:
        from pyvo.samp import SAMPHubError, SAMPIntegratedClient
    except ImportError:  # before pyvo 1.9; deprecated since Astropy 8
        from astropy.samp import SAMPHubError, SAMPIntegratedClient
    client = SAMPIntegratedClient(
        name="astro_latent", description="Latent features and stellar parameters"
    )
    try:
        client.connect(hub=hub)
    except SAMPHubError as error:
        msg = "no SAMP hub is running; start TOPCAT or Aladin first"
        raise AstroLatentError(msg) from error
    return client


def _find_listeners(
    client: "SAMPIntegratedClient", recipient: str | None
) -> dict[str, str]:
    """Return identifier and name of each program that takes tables."""
    found = {}
    for identifier in client.get_subscribed_clients(_MTYPE):
        program = str(client.get_metadata(identifier).get("samp.name", identifier))
        if recipient is None or program.lower() == recipient.lower():
            found[identifier] = program
    return found


def _send(
    client: "SAMPIntegratedClient", identifier: str, message: dict, *, timeout: float
) -> bool:
    """Send a message to one program; tell whether it was taken.

    Not by ``call_and_wait``: the hub of pyvo starts the call before it notes that
    somebody waits, and loses an answer that comes in between.
    """
    answers: queue.SimpleQueue[dict] = queue.SimpleQueue()

    def receive(key: str, sender: str, tag: str, answer: dict) -> None:
        answers.put(answer)

    client.bind_receive_response(identifier, receive)
    client.call(identifier, identifier, message)
    try:
        return answers.get(timeout=timeout)["samp.status"] != "samp.error"
    except queue.Empty:
        return False


def _keep(table: Table, title: str) -> Path:
    """Write the table where it stays until this process ends: it is read by others."""
    if not _scratch:
        _scratch.append(Path(tempfile.mkdtemp(prefix="astro_latent_samp_")))
        atexit.register(shutil.rmtree, _scratch[0], ignore_errors=True)
    stem = "".join(c if c.isalnum() else "_" for c in title)
    number = sum(1 for _ in _scratch[0].iterdir())
    path = _scratch[0] / f"{stem}_{number}.vot"
    write_votable(table, path)
    return path
