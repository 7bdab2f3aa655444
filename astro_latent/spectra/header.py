# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""FITS headers read card by card, on demand, from the raw bytes.

A HARPS header has 3,000 cards of which a reader needs twenty: the keywords are
indexed once and values parsed when asked for.
"""

import re
from collections import ChainMap
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, cast

__all__ = ["Header", "chain_headers"]

_CARD = 80
_STRING = re.compile(r"'((?:[^']|'')*)'")
_COMMENTARY = ("COMMENT", "HISTORY", "CONTINUE", "END", "")


class Header(Mapping):
    """A FITS header as a read-only mapping of keyword to value.

    ``HIERARCH`` keywords go without that word, as in Astropy. Of a repeated keyword
    the first counts. Commentary cards are left out, `history` has those of one kind.

    Parameters
    ----------
    raw : bytes
        The cards, 80 bytes each, with or without ``END`` and padding.
    """

    def __init__(self, raw: bytes) -> None:
        self._text = raw.decode("latin-1")

    @cached_property
    def _positions(self) -> dict[str, int]:
        """Where the card of each keyword begins."""
        index: dict[str, int] = {}
        text = self._text
        for start in range(0, len(text), _CARD):
            key = text[start : start + 8].rstrip()
            if key == "HIERARCH":
                equals = text.find("=", start, start + _CARD)
                if equals > 0:
                    name = text[start + 9 : equals].strip().upper()
                    index.setdefault(name, start)
            elif text[start + 8 : start + 9] == "=" and key not in _COMMENTARY:
                index.setdefault(key, start)
        return index

    def __getitem__(self, key: str) -> Any:
        return self._at(self._positions[key])

    def _at(self, start: int) -> Any:
        equals = self._text.find("=", start, start + _CARD)
        return self._value(self._text[equals + 1 : start + _CARD], start)

    def get(self, key: str, default: object = None) -> Any:
        """Return a value, or the default if the keyword is missing.

        Parameters
        ----------
        key : str
            Keyword, without ``HIERARCH``.
        default : object, optional
            What to return without it.

        Returns
        -------
        object
            The value.
        """
        start = self._positions.get(key)
        return default if start is None else self._at(start)

    def __iter__(self) -> Iterator[str]:
        return iter(self._positions)

    def __len__(self) -> int:
        return len(self._positions)

    def _value(self, text: str, start: int) -> Any:
        """Parse the value of one card; an undefined one is None."""
        text = text.lstrip()
        if text.startswith("'"):
            return self._string(text, start)
        token = text.split("/", 1)[0].strip()
        if token in ("T", "F", ""):
            return {"T": True, "F": False, "": None}[token]
        for convert in (float,) if "." in token else (int, float):
            try:
                return convert(token)
            except ValueError:
                continue
        try:
            return float(token.upper().replace("D", "E"))
        except ValueError:
            return token

    def _string(self, text: str, start: int) -> str:
        found = _STRING.match(text)
        value = found[1].replace("''", "'").rstrip() if found else text[1:].rstrip()
        following = start + _CARD
        while value.endswith("&") and self._text.startswith("CONTINUE", following):
            more = _STRING.match(self._text[following + 8 : following + _CARD].lstrip())
            if more is None:
                break
            value = value[:-1] + more[1].replace("''", "'").rstrip()
            following += _CARD
        return value

    def mentions(self, text: str) -> bool:
        """Tell whether any card contains a text, without parsing them.

        Parameters
        ----------
        text : str
            Such as ``"'FPARAM"``.

        Returns
        -------
        bool
            True if it is there.
        """
        return text in self._text

    def commentary(self, keyword: str = "HISTORY") -> str:
        """Return the text of all commentary cards of one kind, one per line.

        Parameters
        ----------
        keyword : str, optional
            ``"HISTORY"`` or ``"COMMENT"``.

        Returns
        -------
        str
            The text.
        """
        word = keyword.ljust(8)
        starts = range(0, len(self._text), _CARD)
        cards = (self._text[i : i + _CARD] for i in starts)
        return "\n".join(card[8:].rstrip() for card in cards if card.startswith(word))

    def copy(self) -> "Header":
        """Return itself: a header cannot be changed."""
        return self

    def __repr__(self) -> str:
        return f"<Header with {len(self)} keywords>"


def chain_headers(*headers: Header) -> Mapping[str, Any]:
    """Return several headers as one mapping, in which the first that has a key counts.

    Parameters
    ----------
    *headers : Header
        In order of preference.

    Returns
    -------
    mapping
        Values are parsed when asked for, as in each of the headers.
    """
    # a ChainMap is declared for mappings that can be written, which nobody does here
    return ChainMap(*cast("tuple[dict[str, Any], ...]", headers))
