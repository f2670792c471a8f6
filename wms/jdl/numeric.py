"""The functions of numbers and of lists: rounding, sums, extremes, comparison of all items, membership.

Each takes and gives values; which names call them stands in functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from wms.jdl.ast import ERROR, UNDEFINED, Special
from wms.jdl.operators import BINARY, identical, number
from wms.jdl.textual import to_number
from wms.jdl.values import Value

COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "is", "isnt"})


# -- numbers ---------------------------------------------------------------------------------------------


def rounding(change: Callable[[int | float], int]) -> Callable[[Value], Value]:
    """Towards an integer; text that is a number counts, what is no number (UNDEFINED too) is ERROR."""

    def apply(value: Value) -> Value:
        found = to_number(value)
        if isinstance(found, Special):
            return ERROR
        try:
            return number(change(found))
        except (OverflowError, ValueError):
            return ERROR

    return apply


def power(base: Value, exponent: Value) -> Value:
    """An integer when both are and the exponent is not negative, else a real; ERROR beyond 64 bits."""
    first, second = to_number(base), to_number(exponent)
    if isinstance(first, Special) or isinstance(second, Special):
        return ERROR
    try:
        real = math.pow(first, second)
        if type(base) is int and type(exponent) is int and exponent >= 0:
            return number(base**exponent) if abs(real) <= 2.0**63 else ERROR
    except (OverflowError, ValueError):
        return ERROR
    return number(real)


def quantize(value: Value, step: Value) -> Value:
    """The smallest multiple of `step` not below `value`; of a list of steps, the first item not below it."""
    if isinstance(step, list):
        return _quantize_in(value, step)
    if not (isinstance(value, int | float) and isinstance(step, int | float)):
        return ERROR
    if step == 0:
        return value
    if type(value) is int and type(step) is int:
        return number(-(-value // step) * step)
    return _multiple(value, step)


def _multiple(value: float, step: float) -> Value:
    try:
        return number(math.ceil(value / step) * float(step))
    except (OverflowError, ValueError):
        return ERROR


def _quantize_in(value: Value, steps: list[Any]) -> Value:
    if not isinstance(value, int | float) or not all(isinstance(step, int | float) for step in steps):
        return ERROR
    for step in steps:
        if step >= value:
            return number(step)
    return quantize(value, steps[-1]) if steps else value


# -- lists of numbers ------------------------------------------------------------------------------------


def aggregate(combine: Callable[[list[int | float]], Value], empty: Value) -> Callable[[Value], Value]:
    """Of the numbers of a list, UNDEFINED ones left out; `empty` when none remain."""

    def apply(items: Value) -> Value:
        if not isinstance(items, list):
            return UNDEFINED if items is UNDEFINED else ERROR
        known = [item for item in items if item is not UNDEFINED]
        if not all(isinstance(item, int | float) for item in known):
            return ERROR
        return combine(known) if known else empty

    return apply


def total(items: list[int | float]) -> Value:
    result: Value = 0
    for item in items:
        result = BINARY["+"](result, item)
    return result


def average(items: list[int | float]) -> Value:
    return BINARY["/"](BINARY["*"](1.0, total(items)), len(items))


def extreme(pick: Callable[[list[int | float]], int | float]) -> Callable[[list[int | float]], Value]:
    """The extreme number, as real as the most real of the list."""

    def apply(items: list[int | float]) -> Value:
        kind: type[int] | type[float] = max(map(type, items), key=[bool, int, float].index)
        return kind(pick(items))

    return apply


def compared(*, every: bool) -> Callable[[Value, Value, Value], Value]:
    """`(operator, list, value)`: does the comparison hold for any (or every) item?

    The first item that compares UNDEFINED decides: false.
    """

    def apply(operator: Value, items: Value, value: Value) -> Value:
        if ERROR is operator or ERROR is items:
            return ERROR
        if UNDEFINED is operator or UNDEFINED is items:
            return UNDEFINED
        if not (isinstance(items, list) and isinstance(operator, str) and operator in COMPARISONS):
            return ERROR
        for item in items:
            answer = BINARY[operator](item, value)
            if isinstance(answer, Special):
                return ERROR if answer is ERROR else False
            if (answer is True) is not every:
                return not every
        return every

    return apply


# -- membership ------------------------------------------------------------------------------------------


def _sides(value: Value, items: Value) -> tuple[Value, list[Any]] | None:
    """(value, list) from either order; None when there are not one list and one scalar."""
    if isinstance(value, list) and not isinstance(items, list):
        value, items = items, value
    if not isinstance(items, list) or isinstance(value, list | dict):
        return None
    return value, items


def member(value: Value, items: Value) -> Value:
    """Is the value equal (`==`) to an item of the list? The arguments may stand in either order."""
    if value is UNDEFINED or items is UNDEFINED:
        return UNDEFINED
    sides = _sides(value, items)
    if sides is None or sides[0] is ERROR:
        return ERROR
    equal, wanted = BINARY["=="], sides[0]
    return any(equal(wanted, item) is True for item in sides[1])


def identical_member(value: Value, items: Value) -> Value:
    """Is the value identical (`=?=`) to an item of the list?"""
    if items is UNDEFINED:
        return UNDEFINED
    if isinstance(value, list | dict) or not isinstance(items, list):
        return ERROR
    return any(identical(value, item) is True for item in items)


def fqan_member(fqan: Value, items: Value) -> Value:
    """Does a rule of the list admit the attribute (`VOMS:/vo/group/Role=r`)?

    A prefix `VOMS:` or `DENY:` must be the same on both sides; Role=NULL and Capability=NULL do not count;
    `*` at the end of a rule stands for any rest; case does not matter.
    """
    if isinstance(fqan, Special) or isinstance(items, Special):
        return ERROR if ERROR in (fqan, items) else UNDEFINED
    if not (isinstance(fqan, str) and isinstance(items, list)):
        return ERROR
    return any(isinstance(rule, str) and _admits(rule, fqan) for rule in items)


def _admits(rule: str, fqan: str) -> bool:
    (rule_kind, rule_path), (kind, path) = _fqan(rule), _fqan(fqan)
    if rule_kind != kind:
        return False
    return path.startswith(rule_path[:-1]) if rule_path.endswith("*") else path == rule_path


def _fqan(text: str) -> tuple[str, str]:
    """Prefix and path of an attribute name, in lower case and without the parts that say nothing."""
    kind, colon, path = text.lower().partition(":")
    if not colon or kind not in ("voms", "deny"):
        kind, path = "", text.lower()
    return kind, path.replace("/capability=null", "").replace("/role=null", "")
