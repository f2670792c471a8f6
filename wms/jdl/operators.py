"""What the operators do to values: three-valued logic, comparison, 64-bit arithmetic, selection.

Every function here is total: whatever the values, the answer is a value. ERROR wins over UNDEFINED.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from wms.jdl.ast import ERROR, UNDEFINED, Special
from wms.jdl.values import Prepared, Value

Binary: TypeAlias = Callable[[Value, Value], Value]
LOWEST, HIGHEST = -(2**63), 2**63 - 1


def truth(value: Value) -> bool | Special:
    """The value as a condition: numbers are true unless 0; strings, lists and records are ERROR."""
    if isinstance(value, bool | Special):
        return value
    return value != 0 if isinstance(value, int | float) else ERROR


def number(value: int | float) -> Value:
    """A result, or ERROR when it does not fit 64 bits or is not finite."""
    if isinstance(value, int):
        return value if LOWEST <= value <= HIGHEST else ERROR
    return value if math.isfinite(value) else ERROR


def strict(kernel: Callable[[Any, Any], Value]) -> Binary:
    """An operator that ERROR and UNDEFINED pass through."""

    def apply(left: Value, right: Value) -> Value:
        if left is ERROR or right is ERROR:
            return ERROR
        if left is UNDEFINED or right is UNDEFINED:
            return UNDEFINED
        return kernel(left, right)

    return apply


def comparison(holds: Callable[[Any, Any], bool]) -> Binary:
    """Strings without regard to case, numbers and booleans as numbers, nothing else."""

    def compare(left: Any, right: Any) -> Value:
        if isinstance(left, str) and isinstance(right, str):
            return holds(left.lower(), right.lower())
        if isinstance(left, int | float) and isinstance(right, int | float):
            return holds(left, right)
        return ERROR

    return strict(compare)


def identical(left: Value, right: Value) -> Value:
    """`=?=`: same type and same value, UNDEFINED and ERROR included; two lists or records are ERROR."""
    if type(left) is not type(right):
        return False
    return ERROR if isinstance(left, list | dict) else left == right


def different(left: Value, right: Value) -> Value:
    same = identical(left, right)
    return same if same is ERROR else not same


def arithmetic(compute: Callable[[Any, Any], int | float]) -> Binary:
    def apply(left: Any, right: Any) -> Value:
        if not (isinstance(left, int | float) and isinstance(right, int | float)):
            return ERROR
        try:
            return number(compute(left, right))
        except (ZeroDivisionError, OverflowError):
            return ERROR

    return strict(apply)


def integral(compute: Callable[[int, int], int]) -> Binary:
    """An operator of integers alone (booleans are none)."""

    def apply(left: Any, right: Any) -> Value:
        if type(left) is not int or type(right) is not int:
            return ERROR
        return number(compute(left, right))

    return strict(apply)


def _divide(left: int | float, right: int | float) -> int | float:
    """Division of integers drops the fraction: -7/2 is -3."""
    if isinstance(left, int) and isinstance(right, int):
        quotient = abs(left) // abs(right)
        return quotient if (left < 0) == (right < 0) else -quotient
    return left / right


def _remainder(left: int | float, right: int | float) -> int:
    """Remainder of integers and booleans, with the sign of the left one."""
    if not (isinstance(left, int) and isinstance(right, int)):
        raise OverflowError("reals have no remainder")
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def _shift_left(left: int, right: int) -> int:
    """Shifts beyond the word are an error here, not the processor's choice."""
    return left << right if 0 <= right < 64 else HIGHEST + 1


def _shift_right(left: int, right: int) -> int:
    return left >> right if 0 <= right < 64 else HIGHEST + 1


def _shift_unsigned(left: int, right: int) -> int:
    shifted = (left % 2**64) >> right if 0 <= right < 64 else HIGHEST + 1
    return left if right == 0 else shifted


BINARY: Final[dict[str, Binary]] = {
    "|": integral(operator.or_), "^": integral(operator.xor), "&": integral(operator.and_),
    "==": comparison(operator.eq), "!=": comparison(operator.ne),
    "<": comparison(operator.lt), ">": comparison(operator.gt),
    "<=": comparison(operator.le), ">=": comparison(operator.ge),
    "=?=": identical, "is": identical, "=!=": different, "isnt": different,
    "<<": integral(_shift_left), ">>": integral(_shift_right), ">>>": integral(_shift_unsigned),
    "+": arithmetic(operator.add), "-": arithmetic(operator.sub), "*": arithmetic(operator.mul),
    "/": arithmetic(_divide), "%": arithmetic(_remainder),
}


def _not(value: Value) -> Value:
    holds = truth(value)
    return holds if isinstance(holds, Special) else not holds


def _signed(sign: int) -> Callable[[Value], Value]:
    def apply(value: Value) -> Value:
        if isinstance(value, Special):
            return value
        return number(sign * value) if type(value) is int or type(value) is float else ERROR

    return apply


def _complement(value: Value) -> Value:
    if isinstance(value, Special):
        return value
    return ~value if type(value) is int else ERROR


UNARY: Final[dict[str, Callable[[Value], Value]]] = {
    "!": _not, "-": _signed(-1), "+": _signed(1), "~": _complement,
}


def subscript(base: Value, index: Value) -> Value:
    """`list[integer]` (out of range is ERROR) and `record["name"]` (unknown is UNDEFINED)."""
    if base is ERROR or index is ERROR:
        return ERROR
    if base is UNDEFINED or index is UNDEFINED:
        return UNDEFINED
    if isinstance(base, list) and type(index) is int:
        return base[index] if 0 <= index < len(base) else ERROR
    if isinstance(base, Prepared) and isinstance(index, str):
        return base.get(index.lower(), UNDEFINED)
    return ERROR


def select(base: Value, name: str) -> Value:
    """`base.name`, name in lower case; of a list, the list of the selections from its items."""
    if isinstance(base, Prepared):
        return base.get(name, UNDEFINED)
    if isinstance(base, list):
        return [select(item, name) for item in base]
    return UNDEFINED if base is UNDEFINED else ERROR
