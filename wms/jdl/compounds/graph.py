"""Graphs of nodes by index: order, cycles, and whether one node comes before another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from wms.errors import JdlInvalid

Edge = tuple[int, int]
MOST_EDGES: Final = 2_000_000
MOST_STEPS: Final = 5_000_000


class Graph:
    """`edges` are (parent, child), sorted, each once. Raises JdlInvalid when there is a cycle."""

    def __init__(self, number: int, edges: Iterable[Edge]) -> None:
        self.edges = tuple(sorted(set(edges)))
        self._children: list[list[int]] = [[] for _ in range(number)]
        self._direct = set(self.edges)
        self._steps = 0
        waiting = [0] * number
        for parent, child in self.edges:
            self._children[parent].append(child)
            waiting[child] += 1
        self._rank = self._ranked(waiting)

    def _ranked(self, waiting: list[int]) -> list[int]:
        """The place of each node in an order in which parents come first."""
        rank = [-1] * len(waiting)
        ready = [node for node, parents in enumerate(waiting) if not parents]
        for place, node in enumerate(ready):
            rank[node] = place
            for child in self._children[node]:
                waiting[child] -= 1
                if not waiting[child]:
                    ready.append(child)
        if len(ready) < len(rank):
            raise JdlInvalid("DAG has a cycle")
        return rank

    def comes_before(self, first: int, then: int) -> bool:
        """Is there a way from one node to another? The search is bounded; raises JdlInvalid beyond it."""
        if (first, then) in self._direct:
            return True
        todo, seen = [first], {first}
        while todo:
            for child in self._children[todo.pop()]:
                self._step()
                if child == then:
                    return True
                if child not in seen and self._rank[child] < self._rank[then]:
                    seen.add(child)
                    todo.append(child)
        return False

    def _step(self) -> None:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise JdlInvalid("'dependencies' not valid (too many files of nodes that are not direct parents)")
