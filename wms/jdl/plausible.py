"""What looks impossible in Requirements and Rank before any CE is asked: for warnings, never for a refusal. Pure.

Only what holds for every CE is said: silence promises nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from wms import glue
from wms.jdl.ast import (
    ERROR,
    Ad,
    Call,
    ListNode,
    Literal,
    Name,
    Node,
    Operation,
    Select,
    Special,
    Unary,
    Warned,
    walk,
)
from wms.jdl.description import JobDescription
from wms.jdl.evaluate import evaluate
from wms.jdl.own_references import own
from wms.jdl.references import significant
from wms.jdl.unparse import unparse
from wms.jdl.values import Value

_UNFORESEEN = frozenset({"time", "random", "eval"})
_OF_THE_USER = frozenset({"certificatesubject", "virtualorganisation", "voms_fqan", "vorule", "vomsrule", "denyrule"})
"""What the broker adds to a description."""
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "=?=": "=?="}
_PLAIN = (Literal, Unary, Operation, ListNode)
MAX_SHOWN = 80
NOWHERE = "no computing element will ever match"
Side: TypeAlias = tuple[float, bool, Node]
"""A limit, whether it is excluded itself, and the comparison that sets it."""


def doubts(job: JobDescription) -> tuple[Warned, ...]:
    """Sentences about what no CE can fulfil, each once."""
    if job.submit_to:
        return ()
    parts = list(_conjuncts(job.requirements))
    found = [*_unknown("Requirements", job.requirements), *_unknown("Rank", job.rank),
             *_constants(parts, job.ad), *_contradictions(parts), *_rank(job.rank, job.ad)]
    return tuple({one.message: one for one in reversed(found)}.values())[::-1]


def _warned(node: Node, message: str) -> Warned:
    return Warned(*node.position, message)


def _shown(node: Node) -> str:
    text = unparse(node)
    return f"`{text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + '...'}`"


def _conjuncts(top: Node) -> Iterator[Node]:
    todo = [top]
    while todo:
        here = todo.pop()
        if isinstance(here, Operation) and set(here.operators) == {"&&"}:
            todo.extend(reversed(here.operands))
        else:
            yield here


# -- names -----------------------------------------------------------------------------------------------


def _unknown(where: str, top: Node) -> Iterator[Warned]:
    """Attributes of a CE by names that GLUE 1.3 does not have."""
    for node, _depth in walk(top):
        name = _of_other(node)
        if name and not glue.known(name):
            near = glue.nearest(name)
            meant = f"; did you mean {near}?" if near else ""
            yield _warned(node, f"{where}: other.{name} is no attribute of computing elements in GLUE 1.3{meant}")


def _of_other(node: Node) -> str:
    """X of other.X."""
    if isinstance(node, Select) and isinstance(node.base, Name) and node.base.name.lower() == "other":
        return node.name
    return ""


# -- constants -------------------------------------------------------------------------------------------


def _constant(node: Node, my: Ad) -> tuple[Value] | tuple[()]:
    """The value of an expression that depends on the description alone."""
    reads = own(node, my)
    calls = {part.function.lower() for part, _ in walk(node) if isinstance(part, Call)}
    if significant(node, my) or reads.timely or calls & _UNFORESEEN or reads.names & _OF_THE_USER:
        return ()
    return (evaluate(node, my),)


def _constants(parts: Sequence[Node], my: Ad) -> Iterator[Warned]:
    for part in parts:
        for value in _constant(part, my):
            if value is not True:
                yield _warned(part, f"Requirements: {_shown(part)} is {_told(value)} everywhere: {NOWHERE}")


def _told(value: Value) -> str:
    if isinstance(value, Special):
        return "an error" if value is ERROR else "undefined"
    return "false" if value is False else "no truth value"


def _rank(rank: Node, my: Ad) -> Iterator[Warned]:
    for value in _constant(rank, my):
        if not isinstance(value, (bool, int, float)):
            yield _warned(rank, f"Rank: {_shown(rank)} is never a number: {NOWHERE}")


# -- comparisons -----------------------------------------------------------------------------------------


class _Comparison(NamedTuple):
    name: str
    operator: str
    value: str | bool | float
    node: Node


def _comparison(node: Node) -> _Comparison | None:
    """`other.X op constant`, either way round."""
    if not (isinstance(node, Operation) and len(node.operands) == 2 and node.operators[0] in _MIRRORED):
        return None
    (left, right), operator = node.operands, node.operators[0]
    if _of_other(right):
        left, right, operator = right, left, _MIRRORED[operator]
    name = _of_other(left).casefold()
    if not name or not all(isinstance(part, _PLAIN) for part, _ in walk(right)):
        return None
    value = evaluate(right)
    return _Comparison(name, operator, value, node) if isinstance(value, (str, bool, int, float)) else None


class _Bounds:
    """What the comparisons of one attribute leave of it."""

    def __init__(self) -> None:
        self._low: Side | None = None
        self._high: Side | None = None
        self._equal: tuple[str | bool, Node] | None = None

    def add(self, one: _Comparison) -> Node | None:
        """An earlier comparison that excludes this one."""
        if isinstance(one.value, (str, bool)):
            return self._same(one) if one.operator in ("==", "=?=") else None
        side = (one.value, one.operator in ("<", ">"), one.node)
        if one.operator not in ("<", "<=") and (self._low is None or side[:2] > self._low[:2]):
            self._low = side
        if one.operator not in (">", ">=") and (self._high is None or (side[0], not side[1]) < (
                self._high[0], not self._high[1])):
            self._high = side
        return self._empty(one.node)

    def _same(self, one: _Comparison) -> Node | None:
        value = one.value.casefold() if isinstance(one.value, str) else bool(one.value)
        if self._equal is None:
            self._equal = value, one.node
        return self._equal[1] if self._equal[0] != value else None

    def _empty(self, here: Node) -> Node | None:
        low, high = self._low, self._high
        if low is None or high is None or low[0] < high[0]:
            return None
        if low[0] == high[0] and not (low[1] or high[1]):
            return None
        return high[2] if low[2] is here else low[2]


def _contradictions(parts: Sequence[Node]) -> Iterator[Warned]:
    """The first of each attribute."""
    bounds: dict[str, _Bounds] = {}
    said: set[str] = set()
    for one in filter(None, map(_comparison, parts)):
        other = bounds.setdefault(one.name, _Bounds()).add(one)
        if other is not None and one.name not in said:
            said.add(one.name)
            both = f"{_shown(other)} and {_shown(one.node)}"
            yield _warned(one.node, f"Requirements: {both} are never true together: {NOWHERE}")
