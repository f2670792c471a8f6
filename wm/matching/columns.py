"""Ranks that are sums and products of figures, of many CEs at once: a list for each figure, not a call for each CE.

Only speed is here: the values are those of the general evaluation, which is asked where this does not answer. Pure.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, Final, TypeAlias

from wms.jdl.ast import Ad, Literal, Node, Operation, Select, Unary
from wms.jdl.scope import Scope, Side, place

Number: TypeAlias = int | float
Read: TypeAlias = Callable[[str], list[Any]]
"""What each of some CEs says by a lower-case name."""
Code: TypeAlias = Callable[[Read, int], list[Number]]
"""The values for so many CEs."""
_PLAIN: Final = frozenset({int, float})
_MOST: Final = 2.0**62
"""Beyond this, arithmetic of 64 bits has its own rules."""
_BINARY: Final[dict[str, Callable[[Number, Number], Number]]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul}
_UNARY: Final[dict[str, Callable[[Number], Number]]] = {"+": operator.pos, "-": operator.neg}


class Beyond(Exception):
    """A value that is no number, or so large that only the general evaluation knows what becomes of it."""


def column(node: Node, ad: Ad) -> Callable[[Read, int], list[float] | None] | None:
    """The values of an expression of a job for so many CEs; None where it, or what they say, is not so simple."""
    code = _code(node, Scope(ad))
    if code is None:
        return None

    def values(read: Read, number: int) -> list[float] | None:
        try:
            return list(map(float, _within(code(read, number))))
        except Beyond:
            return None

    return values


def _code(node: Node, scope: Scope) -> Code | None:
    match node:
        case Literal(int() | float() as value) if not isinstance(value, bool):
            return lambda _read, number: [value] * number
        case Select(base, name) if place(base, scope) is Side.OTHER:
            return _figure(name.lower())
        case Unary(symbol, operand) if symbol in _UNARY:
            return _applied(_UNARY[symbol], _code(operand, scope))
        case Operation(operators, operands) if _BINARY.keys() >= set(operators):
            return _chain([_BINARY[symbol] for symbol in operators], [_code(one, scope) for one in operands])
    return None


def _figure(name: str) -> Code:
    def code(read: Read, _number: int) -> list[Number]:
        found = read(name)
        if not _PLAIN.issuperset(map(type, found)):
            raise Beyond
        return found

    return code


def _applied(compute: Callable[[Number], Number], operand: Code | None) -> Code | None:
    return None if operand is None else lambda read, number: list(map(compute, operand(read, number)))


def _chain(computes: Sequence[Callable[[Number, Number], Number]], operands: Sequence[Code | None]) -> Code | None:
    known = [operand for operand in operands if operand is not None]
    if len(known) < len(operands):
        return None

    def code(read: Read, number: int) -> list[Number]:
        left = known[0](read, number)
        for compute, right in zip(computes, known[1:], strict=True):
            left = _within(list(map(compute, left, right(read, number))))
        return left

    return code


def _within(values: list[Number]) -> list[Number]:
    """The same if all are of a size that holds no surprise; what is not a number spoils the sum."""
    if values and not (-_MOST < min(values) <= max(values) < _MOST and isfinite(sum(values))):
        raise Beyond
    return values
