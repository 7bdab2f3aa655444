# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Second attempts after trouble that may pass, further and further apart."""

import threading
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import TypeVar

import numpy as np
import requests

from ..exceptions import ArchiveError, ArchiveTimeoutError
from .config import conf

__all__ = ["RETRY_STATUS", "TransientError", "retry_after", "with_retries"]

T = TypeVar("T")

#: Answers after which asking again may help.
RETRY_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


class TransientError(ArchiveError):
    """Something that may work when tried again.

    Parameters
    ----------
    message : str
        What went wrong.
    wait : float, optional
        Seconds that the server asks to wait for.
    url, cause
        As for `ArchiveError`.
    """

    def __init__(
        self,
        message: str,
        *,
        wait: float | None = None,
        url: str | None = None,
        cause: Exception | None = None,
    ) -> None:
        super().__init__(message, url=url, cause=cause)
        self.wait = wait


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait for, or None.

    Parameters
    ----------
    headers : mapping of str to str
        Headers of the answer; ``Retry-After`` holds seconds or a date.

    Returns
    -------
    float or None
        Never negative.
    """
    text = (headers.get("Retry-After") or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def with_retries(action: Callable[[], T], *, stop: threading.Event | None = None) -> T:
    """Do something, again after each `TransientError`, waiting longer each time.

    Parameters
    ----------
    action : callable
        What to do.
    stop : `threading.Event`, optional
        Set from elsewhere to give up.

    Returns
    -------
    object
        What ``action`` returned.

    Raises
    ------
    ArchiveError
        When ``conf.max_attempts`` attempts have failed.
    """
    stop = threading.Event() if stop is None else stop
    attempts = max(1, conf.max_attempts)
    for attempt in range(1, attempts + 1):
        try:
            return action()
        except TransientError as error:
            seconds = _choose_pause(attempt, error)
            if attempt == attempts or stop.is_set() or seconds > conf.max_wait:
                raise _make_final(error, attempt, seconds) from error
            stop.wait(seconds)
    raise AssertionError  # pragma: no cover - the loop returns or raises


def _choose_pause(attempt: int, error: TransientError) -> float:
    """Seconds before the next attempt; jitter keeps many workers from marching."""
    if error.wait is not None:
        return error.wait
    jitter = np.random.default_rng().uniform(0.5, 1.0)
    return min(conf.backoff * 2 ** (attempt - 1) * jitter, conf.max_wait)


def _make_final(error: TransientError, attempts: int, seconds: float) -> ArchiveError:
    kind = (
        ArchiveTimeoutError
        if isinstance(error.cause, requests.Timeout | TimeoutError)
        else ArchiveError
    )
    text = str(error.args[0]).removesuffix(f" [{error.url}]")
    if error.wait is not None and seconds > conf.max_wait:
        text += f"; the server asks to wait for {seconds:.0f} s, try again later"
    else:
        text += f"; given up after {attempts} attempt{'s' if attempts > 1 else ''}"
    return kind(text, url=error.url, cause=error.cause)
