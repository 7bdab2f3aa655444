# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Entry point of ``astro-latent``: find the verb, report errors, set the exit code."""

import argparse
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module

from .. import __version__
from ..exceptions import AstroLatentError
from .common import EXIT_FAILED, EXIT_USAGE, add_talk, complain

__all__ = ["build_parser", "main"]

#: Verbs in the order in which a newcomer meets them; each is a module of this room.
VERBS = (
    "demo", "models", "surveys", "fetch", "info", "prepare", "encode", "predict",
    "similar", "crossmatch", "star", "train", "search", "evaluate",
)  # fmt: skip

#: Errors that are the user's or an archive's, and need no traceback.
_EXPECTED = (
    AstroLatentError, OSError, ValueError, TypeError, NotImplementedError, ImportError,
)  # fmt: skip


def build_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line, with all of its verbs.

    Returns
    -------
    argparse.ArgumentParser
        Whose result has ``run``, the function of the verb.
    """
    parser = argparse.ArgumentParser(
        prog="astro-latent",
        description="Latent features and stellar parameters from survey spectra.",
        epilog="Exit codes: 0 done; 1 failed, or rows were flagged under --strict; "
        "2 wrong usage.",
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {__version__}"
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb in VERBS:
        module = import_module(f".{verb}", __package__)
        summary = (module.__doc__ or verb).strip().splitlines()[0].rstrip(".")
        sub = verbs.add_parser(verb, help=summary, description=module.__doc__)
        module.add_arguments(sub)
        add_talk(sub)
        sub.set_defaults(run=module.run)
    return parser


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    complain(f"warning: {message}")


@contextmanager
def _log_level(*, verbose: bool) -> Iterator[None]:
    """Let the log of the package be seen on standard error, for one run."""
    from astropy import log

    before = log.level
    log.setLevel("DEBUG" if verbose else before)
    try:
        yield
    finally:
        log.setLevel(before)


def _leave_tidily() -> None:
    """Let a request to end remove what is half written, as an interrupt does."""

    def leave(number: int, _: object) -> None:
        sys.exit(128 + number)

    with suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGTERM, leave)


def _say(error: BaseException) -> str:
    """Name the file first where the system complains of one."""
    if (
        isinstance(error, OSError)
        and type(error).__module__ == "builtins"  # ours say what they mean
        and error.filename is not None
        and error.strerror
    ):
        return f"{error.filename}: {error.strerror}"
    return str(error)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the command line.

    Returns
    -------
    int
        Exit code: 0 done; 1 failed, or rows flagged under ``--strict``; 2 wrong usage.
    """
    from astropy.utils.exceptions import AstropyUserWarning

    from ..exceptions import UnknownNameError

    options = build_parser().parse_args(arguments)
    _leave_tidily()
    with warnings.catch_warnings(), _log_level(verbose=options.verbose):
        warnings.showwarning = _show_warning
        warnings.simplefilter("default", AstropyUserWarning)
        try:
            return options.run(options)
        except UnknownNameError as error:
            complain(f"error: {error}")
            return EXIT_USAGE
        except BrokenPipeError:  # the reader of our output has gone, as with `| head`
            sys.stderr.close()
            return EXIT_FAILED
        except _EXPECTED as error:
            if options.verbose:
                traceback.print_exc()
            complain(f"error: {_say(error)}")
            return EXIT_FAILED
        except KeyboardInterrupt:
            complain("interrupted")
            return EXIT_FAILED
