# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Answers of services, whole and looked through before anybody parses them."""

import io

import requests

from ..exceptions import ArchiveError, ArchiveFormatError
from ..utils.absurd import find_fault
from .config import conf

__all__ = ["take_whole"]

_BLOCK = 1 << 16


class _Whole(io.BytesIO):
    """Content that is here already, as pyvo reads what is still to come."""

    def read(self, amt: int | None = -1, **_: object) -> bytes:
        return super().read(amt)


def take_whole(response: requests.Response) -> None:
    """Read an answer into memory, within bounds; it can be read as before.

    Parameters
    ----------
    response : `requests.Response`
        An answer of which only the headers were read.

    Raises
    ------
    ArchiveError
        If it is larger than ``conf.max_answer_size``.
    ArchiveFormatError
        If it is a VOTable that sends its reader to another file or address.
    """
    pieces, size = [], 0
    for piece in response.iter_content(_BLOCK):
        size += len(piece)
        if size > conf.max_answer_size * 1e6:
            response.close()
            msg = (
                f"the answer is larger than {conf.max_answer_size:g} MB: ask for fewer "
                "rows, or set astro_latent.archives.conf.max_answer_size"
            )
            raise ArchiveError(msg, url=response.url)
        pieces.append(piece)
    content = b"".join(pieces)
    fault = find_fault(content) if b"VOTABLE" in content[:4096] else None
    if fault is not None:
        msg = f"the answer {fault}"
        raise ArchiveFormatError(msg, url=response.url)
    whole = _Whole(content)
    # where requests looks for cookies
    whole._original_response = getattr(  # type: ignore[attr-defined]
        response.raw, "_original_response", None
    )
    response.raw = whole
    response._content = content
