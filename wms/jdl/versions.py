"""Comparison of version texts: runs of digits compare as numbers, what lies between as text.

`1.2 < 1.10 < 1.10a`; more leading zeros make a run smaller (`1.001 < 1.01 < 1.1`), as in glibc's strverscmp.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from wms.jdl.ast import Special
from wms.jdl.textual import texts_of
from wms.jdl.values import Value

_RUN = re.compile(r"([0-9]+)")
_Key: TypeAlias = list[tuple[str, int, int, str]]


def version_order(left: Value, right: Value) -> int | Special:
    """-1, 0 or 1; a value that is no text counts by its text."""
    texts = texts_of((left, right))
    if isinstance(texts, Special):
        return texts
    first, second = map(_key, texts)
    return (first > second) - (first < second)


def version_test(holds: Callable[[int], bool]) -> Callable[[Value, Value], Value]:
    def apply(left: Value, right: Value) -> Value:
        order = version_order(left, right)
        return order if isinstance(order, Special) else holds(order)

    return apply


def version_in_range(version: Value, least: Value, most: Value) -> Value:
    """`least <= version <= most`."""
    above, below = version_order(least, version), version_order(version, most)
    if isinstance(above, Special) or isinstance(below, Special):
        return above if isinstance(above, Special) else below
    return above <= 0 and below <= 0


def _key(text: str) -> _Key:
    """Text and the run of digits behind it, in turn."""
    parts = [*_RUN.split(text), ""]
    return [_piece(between, run) for between, run in zip(parts[::2], parts[1::2], strict=True)]


def _piece(between: str, run: str) -> tuple[str, int, int, str]:
    if not run:
        return between, 0, 0, ""
    rest = run.lstrip("0")
    zeros = len(run) - len(rest)
    return between + "0", -zeros, (not rest) if zeros else len(rest), rest
