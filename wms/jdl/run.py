"""One evaluation in progress: what it is matched against and how much it may still cost.

Every evaluation ends: each step along a reference, a list or a pattern is paid for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from wms.jdl.ast import Node
from wms.jdl.limits import MAX_DEPTH, MAX_STEPS
from wms.jdl.scope import Scope
from wms.jdl.values import Prepared, Value


class Exhausted(Exception):
    """An evaluation used up its steps or went too deep; its value is ERROR."""


class Run:
    """`other` and `target` are the records those names mean; `depth` counts nested nodes on the way.

    The rest are class attributes until they change: most evaluations never touch them.
    """

    steps: int = MAX_STEPS
    depth: int = 0
    active: frozenset[Cell] = frozenset()

    def __init__(self, other: Prepared) -> None:
        self.other = other
        self.target = other

    def spend(self, steps: int) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise Exhausted


Code: TypeAlias = Callable[[Run], Value]


class Cell:
    """One attribute of a record around the expression, compiled once for all who refer to it."""

    __slots__ = ("code", "cost", "depth", "node", "scope")

    def __init__(self, node: Node, scope: Scope) -> None:
        self.node = node
        self.scope = scope
        self.cost = self.depth = 1
        self.code: Code

    def enter(self, run: Run) -> None:
        run.spend(self.cost)
        run.depth += self.depth
        if run.depth > MAX_DEPTH:
            raise Exhausted
        run.active |= {self}

    def leave(self, run: Run) -> None:
        run.depth -= self.depth
        run.active -= {self}


def weight(value: Value, most: int = MAX_STEPS) -> int:
    """Steps that looking through a value costs: its items at every level and its text, up to `most`."""
    if not isinstance(value, list | dict):
        return len(value) >> 8 if isinstance(value, str) else 0
    total, todo = 0, [value]
    while todo and total <= most:
        items = todo.pop()
        total += 1 + (len(items) >> 3)
        for item in items.values() if isinstance(items, dict) else items:
            if isinstance(item, list | dict):
                todo.append(item)
            elif isinstance(item, str):
                total += len(item) >> 8
    return total
