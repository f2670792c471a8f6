"""Lists written in one string (`"a, b c"`), as HTCondor's functions read them.

Every character of the delimiters (by default blank and comma) separates; blanks around items and empty
items do not count. UNDEFINED gives UNDEFINED, what is no string ERROR.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from wms.jdl.ast import ERROR, UNDEFINED, Special
from wms.jdl.operators import BINARY, number
from wms.jdl.textual import Spend, regexp_member
from wms.jdl.values import Value

DELIMITERS: Final = " ,"
_NUMERAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def items(text: str, delimiters: str) -> list[str]:
    for delimiter in delimiters[1:]:
        text = text.replace(delimiter, delimiters[0])
    parts = text.split(delimiters[0]) if delimiters else [text]
    return [part.strip() for part in parts if part.strip()]


def _strings(*values: Value) -> list[str] | Special:
    if ERROR in values:
        return ERROR
    if UNDEFINED in values:
        return UNDEFINED
    strings = [value for value in values if isinstance(value, str)]
    return strings if len(strings) == len(values) else ERROR


def of_list(compute: Callable[[list[str]], Value]) -> Callable[..., Value]:
    """A function of `(list [, delimiters])`."""

    def apply(text: Value, delimiters: Value = DELIMITERS) -> Value:
        strings = _strings(text, delimiters)
        return strings if isinstance(strings, Special) else compute(items(*strings))

    return apply


def of_two(holds: Callable[[set[str], set[str]], bool], *, fold: bool, whole: bool) -> Callable[..., Value]:
    """A test of `(list, list [, delimiters])`; with `whole` the first is one item. `fold`: case does not matter."""

    def apply(first: Value, second: Value, delimiters: Value = DELIMITERS) -> Value:
        strings = _strings(first, second, delimiters)
        if isinstance(strings, Special):
            return strings
        left, right, separators = strings
        if fold:
            left, right = left.lower(), right.lower()
        return holds({left} if whole else set(items(left, separators)), set(items(right, separators)))

    return apply


def matched(spend: Spend, pattern: Value, text: Value, delimiters: Value = DELIMITERS, options: Value = "") -> Value:
    """Is the pattern found in an item?"""
    strings = _strings(text, delimiters)
    return strings if isinstance(strings, Special) else regexp_member(spend, pattern, items(*strings), options)


def numbers(compute: Callable[[list[Any]], Value], empty: Value) -> Callable[..., Value]:
    """Of items that are all numbers: reals as soon as one is."""

    def compute_of(parts: list[str]) -> Value:
        found = [_number(part) for part in parts]
        if ERROR in found:
            return ERROR
        if not all(isinstance(item, int) for item in found):
            found = [BINARY["*"](1.0, item) for item in found]
        return compute(found) if found else empty

    return of_list(compute_of)


def _number(text: str) -> Value:
    if not _NUMERAL.fullmatch(text):
        return ERROR
    return int(text) if text.lstrip("+-").isdigit() and len(text) < 19 else number(float(text))


def mean(found: list[Any]) -> Value:
    return BINARY["/"](sum(found), len(found))
