# Licensed under a 3-clause BSD style licence - see licenses/LICENSE.rst
"""What the values in a ``config.json`` may be: types, ranges, sizes, finite numbers.

A rule is a function that yields what is wrong with a value, each with the place where
it stands. The layout itself is data, at the end of this file.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from ..exceptions import WeightsError

__all__ = ["check_schema"]

#: What is wrong: the key, the value, and what it must be.
Problem: TypeAlias = tuple[str, object, str]
Rule: TypeAlias = Callable[[object, str], Iterator[Problem]]

_DEEPEST, _MOST_ITEMS = 12, 2_000_000


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(low: float, high: float, *, whole: bool = False, nan: bool = False) -> Rule:
    kind = "a whole number" if whole else "a number"

    def rule(value: object, key: str) -> Iterator[Problem]:
        fits = _is_number(value) and (not whole or isinstance(value, int))
        if fits and nan and math.isnan(value):  # type: ignore[arg-type]
            return
        if not fits or not low <= value <= high:  # type: ignore[operator]
            yield key, value, f"{kind} from {low:g} to {high:g}"

    return rule


def _text(pattern: str = r"[^\x00]{0,20000}", what: str = "text") -> Rule:
    def rule(value: object, key: str) -> Iterator[Problem]:
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.DOTALL):
            yield key, value, what

    return rule


def _one_of(*allowed: object) -> Rule:
    def rule(value: object, key: str) -> Iterator[Problem]:
        if not any(value is each or value == each for each in allowed):
            yield key, value, f"one of {', '.join(map(repr, allowed))}"

    return rule


def _maybe(rule: Rule) -> Rule:
    return lambda value, key: iter(()) if value is None else rule(value, key)


def _items(rule: Rule, least: int = 0, most: int = _MOST_ITEMS) -> Rule:
    def check(value: object, key: str) -> Iterator[Problem]:
        if not isinstance(value, list | tuple) or not least <= len(value) <= most:
            yield key, value, f"a list of {least} to {most} items"
            return
        for index, item in enumerate(value):
            yield from rule(item, f"{key}[{index}]")

    return check


def _keys(
    rules: Mapping[str, Rule], *required: str, others: Rule | None = None
) -> Rule:
    def check(value: object, key: str) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield key, value, "an object"
            return
        for name in required:
            if name not in value:
                yield f"{key}.{name}".lstrip("."), None, "given"
        for name, item in value.items():
            rule = rules.get(name, others)
            if rule is not None:
                yield from rule(item, f"{key}.{name}".lstrip("."))

    return check


def _plain(most: float, *, nan: bool = False, depth: int = _DEEPEST) -> Rule:
    """Numbers, text, lists and objects of them, of bounded depth."""

    def check(value: object, key: str) -> Iterator[Problem]:
        if value is None or isinstance(value, bool | str):
            return
        if not depth:
            yield key, value, f"nested at most {_DEEPEST} deep"
            return
        inner = _plain(most, nan=nan, depth=depth - 1)
        if isinstance(value, dict):
            yield from _keys({}, others=inner)(value, key)
        elif isinstance(value, list | tuple):
            yield from _items(inner, most=10_000)(value, key)
        else:
            yield from _number(-most, most, nan=nan)(value, key)

    return check


_SIZE, _POSITIVE = _number(0, 1e30), _number(1e-30, 1e30)
_ANY, _FRACTION = _number(-1e30, 1e30), _number(0, 1)
_WORD = _text(r"[\w.+-]{1,200}", "a name of letters, digits and ._+-")
#: Units with exponents of many digits keep Astropy busy for hours.
_UNIT = _text(r"(?!.*\d{4})[^\x00]{0,80}", "a unit of at most 80 characters")
_RANGE = _items(_number(0, 1e7, whole=True), 2, 2)
_STEP = {
    "step": _WORD, "templates": _maybe(_WORD), "tolerance": _number(0, 100),
    "min_good": _FRACTION, "method": _WORD, "per": _WORD,
    "count_padding": _one_of(True, False), "minimum": _ANY,
    "degree": _number(0, 50, whole=True), "pixels": _maybe(_WORD),
    "width": _number(1e-3, 1e6), "sigma_lower": _number(0, 1e3),
    "sigma_upper": _number(0, 1e3), "knots": _number(2, 1000, whole=True),
    "lower": _maybe(_ANY), "upper": _maybe(_ANY), "action": _WORD,
    "ranges": _items(_RANGE, most=10_000), "lines": _WORD,
}  # fmt: skip
_GRID = {
    "name": _text(r"[^\x00]{1,200}", "a name"), "spacing": _WORD,
    "n_pixels": _number(2, 5e6, whole=True), "medium": _WORD, "frame": _WORD,
    "segments": _items(_RANGE, 1, 10_000), "start": _number(-1e8, 1e8),
    "step": _number(0, 1e7), "values": _items(_number(0, 1e8)),
    "resolving_power": _number(0, 1e8, nan=True),
}  # fmt: skip
_OUTPUT = {
    "name": _text(r"[^\W\d]\w{0,99}", "a name of letters, digits and _"),
    "unit": _UNIT, "ucd": _text(), "description": _text(), "scale": _POSITIVE,
    "offset": _ANY, "domain": _maybe(_items(_ANY, 2, 2)), "max_error": _maybe(_SIZE),
    "n": _number(1, 100_000, whole=True),
}  # fmt: skip
_LIMITS = dict.fromkeys(
    (
        "feature_limit", "reconstruction_limit", "unexplained_limit", "second_limit",
        "emission_limit",
    ),
    _ANY,
)  # fmt: skip
_PER_OUTPUT = _items(_SIZE)
_SHAPE = _items(_items(_number(-1e6, 1e6)))
_LAYOUT = _keys({
    "name": _text(r"[^\x00]{1,300}"), "version": _text(r"[^\x00]{1,100}"),
    "members": _number(1, 100, whole=True),
    "arguments": _plain(2**24), "grid": _keys(_GRID, "name"),
    "recipe": _keys({"steps": _items(_keys(_STEP, "step"), 1, 100)}, "steps"),
    "outputs": _items(_keys(_OUTPUT, "name"), 0, 1000),
    "calibration": _keys({
        **dict.fromkeys(("scale", "floor", "flux_scale", "systematic"), _PER_OUTPUT),
        "missing": _items(_number(-1e6, 1e6)), "usual_missing": _items(_number(0, 1)),
        "systematic_slopes": _items(_PER_OUTPUT),
        **dict.fromkeys(("shape_68", "shape_95", "systematic_shape"), _SHAPE),
        "giants_shift": _SHAPE,
    }),
    "domain": _keys({
        "snr": _items(_SIZE, 2, 2), "unexplained_pixels": _RANGE,
        "second_band": _items(_SIZE, 2, 2), "one_sided": _number(0, 100, whole=True),
        **_LIMITS,
    }),
    "training": _plain(math.inf, nan=True), "evaluation": _plain(math.inf, nan=True),
    "card": _keys({}, others=_text()),
    "weights": _keys({
        "file": _text(r"[^/\\\x00]{1,255}", "a plain file name"),
        "size": _number(0, 1e12, whole=True),
        "sha256": _text("[0-9a-f]{1,64}", "64 hexadecimal digits"),
        "dtype": _one_of("float32", "float16"),
    }),
    "origin": _items(_text(), most=100), "licence": _text(), "citation": _text(),
})  # fmt: skip


def check_schema(record: Mapping[str, object], where: object) -> None:
    """Refuse a configuration with a value that nothing can come of.

    Parameters
    ----------
    record : mapping
        Content of a ``config.json``.
    where : object
        Its file, for the message.

    Raises
    ------
    WeightsError
        The message names file, key and value, and says what to do.
    """
    for key, value, wanted in _LAYOUT(record, ""):
        shown = repr(value)
        shown = shown if len(shown) <= 80 else f"{shown[:80]} ..."
        msg = (
            f"{where}: {key!r} is {shown}; it must be {wanted}. Correct it, or fetch "
            "the weights again"
        )
        raise WeightsError(msg)
