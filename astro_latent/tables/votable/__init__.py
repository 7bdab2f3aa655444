# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""VOTable: the document that describes a table, its rows in BINARY2, and files."""

from .document import (
    build_document,
    describe_document,
    document_text,
    parse_document,
    stored_kind,
)
from .files import VOTableWriter, read_votable, write_votable

__all__ = [
    "VOTableWriter",
    "build_document",
    "describe_document",
    "document_text",
    "parse_document",
    "read_votable",
    "stored_kind",
    "write_votable",
]
