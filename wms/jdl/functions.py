"""The table of the functions an expression may call: name, number of arguments, what computes it.

Functions that see their arguments unevaluated (ifThenElse, anyMatch, eval ...) belong to evaluate.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from wms.jdl.ast import ERROR, UNDEFINED
from wms.jdl.numeric import (
    aggregate,
    average,
    compared,
    extreme,
    fqan_member,
    identical_member,
    member,
    power,
    quantize,
    rounding,
    total,
)
from wms.jdl.stringlists import matched, mean, numbers, of_list, of_two
from wms.jdl.textual import (
    CONVERSIONS,
    abs_time,
    cased,
    format_time,
    join,
    ordered,
    regexp,
    regexp_member,
    rel_time,
    strcat,
    substitution,
    substr,
)
from wms.jdl.values import Value
from wms.jdl.versions import version_in_range, version_order, version_test

ANY = 1000


class Function(NamedTuple):
    """`apply` takes the argument values; with `metered`, first a callable that takes the steps it costs."""

    name: str
    least: int
    most: int
    apply: Callable[..., Value]
    metered: bool = False


def _is(*types: type) -> Callable[[Value], Value]:
    return lambda value: type(value) in types


def _meet(left: set[str], right: set[str]) -> bool:
    return not left.isdisjoint(right)


def _unknown(*values: Value) -> Value:
    """Statistics of a CE that nobody keeps in its record."""
    return UNDEFINED


def _is_record(value: Value) -> Value:
    return isinstance(value, dict)


def _size(value: Value) -> Value:
    if isinstance(value, str | list | dict):
        return len(value)
    return UNDEFINED if value is UNDEFINED else ERROR


_ALL: Final[list[Function]] = [
    Function("isUndefined", 1, 1, lambda value: value is UNDEFINED),
    Function("isError", 1, 1, lambda value: value is ERROR),
    Function("isString", 1, 1, _is(str)),
    Function("isInteger", 1, 1, _is(int)),
    Function("isReal", 1, 1, _is(float)),
    Function("isBoolean", 1, 1, _is(bool)),
    Function("isList", 1, 1, _is(list)),
    Function("isClassad", 1, 1, _is_record),
    *(Function(name, 1, 1, apply) for name, apply in CONVERSIONS.items()),
    Function("strcat", 0, ANY, strcat),
    Function("join", 0, ANY, join),
    Function("substr", 2, 3, substr),
    Function("size", 1, 1, _size),
    Function("toUpper", 1, 1, cased(str.upper)),
    Function("toLower", 1, 1, cased(str.lower)),
    Function("strcmp", 2, 2, ordered(str)),
    Function("stricmp", 2, 2, ordered(str.lower)),
    Function("RegExp", 2, 3, regexp, metered=True),
    Function("regexpMember", 2, 3, regexp_member, metered=True),
    Function("regexps", 3, 4, substitution(everywhere=False, whole=False), metered=True),
    Function("replace", 3, 4, substitution(everywhere=False, whole=True), metered=True),
    Function("replaceAll", 3, 4, substitution(everywhere=True, whole=True), metered=True),
    Function("floor", 1, 1, rounding(math.floor)),
    Function("ceiling", 1, 1, rounding(math.ceil)),
    Function("round", 1, 1, rounding(round)),
    Function("pow", 2, 2, power),
    Function("quantize", 2, 2, quantize),
    Function("sum", 1, 1, aggregate(total, 0)),
    Function("avg", 1, 1, aggregate(average, 0)),
    Function("min", 1, 1, aggregate(extreme(min), UNDEFINED)),
    Function("max", 1, 1, aggregate(extreme(max), UNDEFINED)),
    Function("anyCompare", 3, 3, compared(every=False)),
    Function("allCompare", 3, 3, compared(every=True)),
    Function("Member", 2, 2, member),
    Function("IsMember", 2, 2, member),
    Function("identicalMember", 2, 2, identical_member),
    Function("fqanMember", 2, 2, fqan_member),
    Function("versioncmp", 2, 2, version_order),
    Function("versionLT", 2, 2, version_test(lambda order: order < 0)),
    Function("versionLE", 2, 2, version_test(lambda order: order <= 0)),
    Function("versionEQ", 2, 2, version_test(lambda order: order == 0)),
    Function("versionGE", 2, 2, version_test(lambda order: order >= 0)),
    Function("versionGT", 2, 2, version_test(lambda order: order > 0)),
    Function("version_in_range", 3, 3, version_in_range),
    Function("split", 1, 2, of_list(list)),
    Function("stringListSize", 1, 2, of_list(len)),
    Function("stringListSum", 1, 2, numbers(total, 0.0)),
    Function("stringListAvg", 1, 2, numbers(mean, 0.0)),
    Function("stringListMin", 1, 2, numbers(extreme(min), UNDEFINED)),
    Function("stringListMax", 1, 2, numbers(extreme(max), UNDEFINED)),
    Function("stringListMember", 2, 3, of_two(set.issubset, fold=False, whole=True)),
    Function("stringListIMember", 2, 3, of_two(set.issubset, fold=True, whole=True)),
    Function("stringListSubsetMatch", 2, 3, of_two(set.issubset, fold=False, whole=False)),
    Function("stringListISubsetMatch", 2, 3, of_two(set.issubset, fold=True, whole=False)),
    Function("stringListsIntersect", 2, 3, of_two(_meet, fold=False, whole=False)),
    Function("stringList_regexpMember", 2, 4, matched, metered=True),
    Function("successFraction", 1, 1, _unknown),
    Function("measuredResponseTime", 0, 1, _unknown),
    Function("absTime", 1, 2, abs_time),
    Function("relTime", 1, 1, rel_time),
    Function("formatTime", 1, 2, format_time),
]

FUNCTIONS: Final[dict[str, Function]] = {function.name.lower(): function for function in _ALL}


def draw(random: Callable[[], float] | None, *bound: Value) -> Value:
    """`random()` in [0, 1), `random(n)` from 0 to n-1 (an integer when n is); ERROR without a source."""
    if random is None:
        return ERROR
    if not bound:
        return random()
    limit = bound[0]
    if type(limit) is int and 0 < limit < 2**53:
        return int(random() * limit)
    if type(limit) is float and 0 < limit < 2.0**53:
        return random() * limit
    return UNDEFINED if limit is UNDEFINED else ERROR
