# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Errors and warnings of the package: one small tree, in one place."""

from difflib import get_close_matches

from astropy.utils.exceptions import AstropyUserWarning

__all__ = [
    "ArchiveError",
    "ArchiveFormatError",
    "ArchiveTimeoutError",
    "AstroLatentError",
    "AstroLatentWarning",
    "FileLimitError",
    "GridMismatchError",
    "NoResultsWarning",
    "SpectrumReadError",
    "TableReadError",
    "TruncatedResultsWarning",
    "UnknownNameError",
    "UnsupportedQueryError",
    "WeightsError",
    "WeightsIntegrityError",
    "WeightsNotFoundError",
    "WorkerError",
]


class AstroLatentError(Exception):
    """Base of every error that this package raises on purpose."""


class ArchiveError(AstroLatentError):
    """An archive did not give what was asked of it.

    Parameters
    ----------
    message : str
        What went wrong and what to do about it.
    url : str, optional
        The address that was asked.
    cause : Exception, optional
        The error underneath.
    """

    def __init__(
        self, message: str, *, url: str | None = None, cause: Exception | None = None
    ) -> None:
        super().__init__(message if url is None else f"{message} [{url}]")
        self.url = url
        self.cause = cause


class ArchiveTimeoutError(ArchiveError):
    """An archive did not answer in time."""


class ArchiveFormatError(ArchiveError):
    """An archive answered with something that cannot be understood."""


class UnsupportedQueryError(ArchiveError, NotImplementedError):
    """An archive, or this package for it, answers no question of this kind."""


class SpectrumReadError(AstroLatentError, ValueError):
    """A file could not be read as a spectrum."""


class TableReadError(AstroLatentError, ValueError):
    """A file could not be read as a table."""


class FileLimitError(SpectrumReadError, TableReadError):
    """A file exceeds a limit of ``astro_latent.conf``; the message names the item.

    Parameters
    ----------
    name : object
        The file.
    problem : str
        What is too large, with figures.
    item : str
        The item of the configuration.
    """

    def __init__(self, name: object, problem: str, item: str) -> None:
        super().__init__(
            f"{name}: {problem}; if you trust the file, set astro_latent.conf.{item} "
            "higher"
        )
        self.item = item


class GridMismatchError(AstroLatentError, ValueError):
    """An array does not lie on the wavelength grid that a model expects."""


class WeightsError(AstroLatentError):
    """A set of weights cannot be used."""


class WeightsNotFoundError(WeightsError, FileNotFoundError):
    """No folder of weights was found under the name or path given."""


class WeightsIntegrityError(WeightsError, ValueError):
    """The weights are not those that their configuration describes."""


class WorkerError(AstroLatentError, RuntimeError):
    """One of the processes that share a run ended before its work was done."""


class UnknownNameError(AstroLatentError, KeyError):
    """A name that is not registered; the message lists the near ones.

    Parameters
    ----------
    kind : str
        What the name should have been the name of, such as ``"model"``.
    name : str
        The name that was asked for.
    known : iterable of str
        The names that exist.
    """

    def __init__(self, kind: str, name: object, known: list[str]) -> None:
        known = sorted(known)
        near = get_close_matches(str(name), known, n=3, cutoff=0.4)
        hint = f"Did you mean {', '.join(map(repr, near))}? " if near else ""
        self.message = (
            f"no {kind} is called {name!r}. {hint}Known: {', '.join(known) or 'none'}."
        )
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message  # KeyError would print the repr


class AstroLatentWarning(AstropyUserWarning):
    """Base of the warnings of this package."""


class NoResultsWarning(AstroLatentWarning):
    """A query ran and found nothing."""


class TruncatedResultsWarning(AstroLatentWarning):
    """A service cut its answer short."""
