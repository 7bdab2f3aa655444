# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""Pages on the command line and the configuration, made from the code that runs."""

import argparse
import os
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from unittest import mock

from astropy.config import ConfigNamespace

import astro_latent
from astro_latent.cli.main import build_parser

__all__ = ["command_line", "configurations"]

WIDTH = "84"  # characters; what a page shows without scrolling


def _code(text: str) -> str:
    lines = (f"   {line}".rstrip() for line in text.rstrip().splitlines())
    return ".. code-block:: text\n\n" + "\n".join(lines) + "\n"


def _verbs(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    msg = "the command line has no verbs"
    raise LookupError(msg)


def command_line() -> str:
    """Write what ``--help`` says, of the program and of each verb."""
    with mock.patch.dict(os.environ, {"COLUMNS": WIDTH, "NO_COLOR": "1"}):
        parser = build_parser()
        pieces = [_code(parser.format_help())]
        for name, verb in _verbs(parser).items():
            title = f"astro-latent {name}"
            pieces += [f"{title}\n{'-' * len(title)}", _code(verb.format_help())]
    return "\n\n".join(pieces)


def _namespaces() -> Iterator[tuple[str, ConfigNamespace]]:
    """Find the ``conf`` of each configuration module, the package's own first."""
    yield "astro_latent", astro_latent.conf
    for found in pkgutil.walk_packages(astro_latent.__path__, "astro_latent."):
        if found.name.endswith(".config"):
            conf = getattr(import_module(found.name), "conf", None)
            if isinstance(conf, ConfigNamespace):
                yield found.name.removesuffix(".config"), conf


def configurations() -> str:
    """List each configuration item: name, default and meaning."""
    pieces = []
    for place, conf in _namespaces():
        title = f"{place.removeprefix('astro_latent.')}.conf"
        pieces += [f"{title}\n{'-' * len(title)}"]
        lines = []
        for name, item in conf.items():
            lines += [
                f"``{name}`` = ``{item.defaultvalue!r}``",
                f"    {item.description}",
            ]
        pieces.append("\n".join(lines))
    return "\n\n".join(pieces) + "\n"
