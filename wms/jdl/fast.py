"""The shapes that nearly all requirements are made of, compiled to one look-up each.

Only speed is here: each shape gives exactly what the general operator or function gives.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from wms.jdl.ast import UNDEFINED
from wms.jdl.numeric import member
from wms.jdl.operators import BINARY
from wms.jdl.run import Code, Run
from wms.jdl.values import Value, folded

_HOLDS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq, "!=": operator.ne,
    "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge,
}


def read(key: str) -> Code:
    """`other.X`."""

    def code(run: Run) -> Value:
        return run.other.get(key, UNDEFINED)

    return code


def comparison(symbol: str, key: str, constant: Value) -> Code | None:
    """`other.X < constant` for an attribute and a string or number; None for other shapes."""
    if symbol in ("==", "!=") and isinstance(constant, str):
        return _text_comparison(symbol, key, constant)
    if symbol in _HOLDS and type(constant) in (int, float):
        return _number_comparison(symbol, key, constant)
    return None


def _text_comparison(symbol: str, key: str, constant: str) -> Code:
    wanted, equal, general = constant.lower(), symbol == "==", BINARY[symbol]

    def code(run: Run) -> Value:
        found = run.other.folded.get(key)
        if type(found) is str:
            return (found == wanted) is equal
        return general(run.other.get(key, UNDEFINED), constant)

    return code


def _number_comparison(symbol: str, key: str, constant: Value) -> Code:
    holds, general = _HOLDS[symbol], BINARY[symbol]

    def code(run: Run) -> Value:
        found = run.other.get(key, UNDEFINED)
        kind = type(found)
        if kind is int or kind is float:
            return holds(found, constant)
        return general(found, constant)

    return code


def member_of_attribute(constant: str, key: str) -> Code:
    """`Member("X", other.Y)`."""
    wanted = constant.lower()

    def code(run: Run) -> Value:
        found = run.other.folded.get(key)
        if type(found) is frozenset:
            return wanted in found
        return member(constant, run.other.get(key, UNDEFINED))

    return code


def member_of_constant(value: Code, items: list[Any]) -> Code:
    """`Member(anything, {"a", "b"})`."""
    wanted = folded(items)

    def code(run: Run) -> Value:
        found = value(run)
        if type(found) is str and type(wanted) is frozenset:
            return found.lower() in wanted
        run.spend(len(items))
        return member(found, items)

    return code
