"""The order in which lanes of waiting jobs are served: site priority, shares, the user's wish, age. Pure.

Not where their jobs may go. One turn in `PATIENCE` belongs to whoever waits longest for one: no lane starves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heapreplace
from typing import NamedTuple, TypeAlias

from wm.ordering.shares import Shares, Who

PATIENCE = 20


class Lane(NamedTuple):
    """Waiting jobs of one class, owner and priority: the oldest was submitted at `head` (epoch s).

    `served` is the number of the turn in which one of them was placed last, 0 when none ever was.
    """

    id: str
    cls: str
    vo: str
    owner: str
    priority: int = 0
    wish: int = 0
    lazy: bool = False
    waiting: int = 1
    head: float = 0.0
    served: int = 0

    @property
    def who(self) -> Who:
        return self.vo, self.owner


Party: TypeAlias = tuple[int, str, str, int, bool]
"""Lanes that order alone cannot tell apart but by age: (priority, VO, owner, wish, lazy)."""
_Place: TypeAlias = tuple[float, int, float, Party]


def party(lane: Lane) -> Party:
    return lane.priority, lane.vo, lane.owner, lane.wish, lane.lazy


class Queue:
    """Parties with something to place, the next first. Charges may change the order at any time.

    Those of a VO and priority are a heap of their own: what one VO is charged moves no party within it.
    """

    def __init__(self, lanes: Iterable[Lane], shares: Shares) -> None:
        self._shares = shares
        self._heads: dict[Party, float] = {}
        for lane in lanes:
            key = party(lane)
            self._heads[key] = min(lane.head, self._heads.get(key, lane.head))
        self._heaps: dict[tuple[int, str], list[_Place]] = {}
        for key in self._heads:
            self._heaps.setdefault(key[:2], []).append(self._place(key))
        for heap in self._heaps.values():
            heapify(heap)

    def next(self) -> Party | None:
        """The party whose turn it is; it stays in the queue until it is `done`."""
        firsts = [(-priority, self._shares.vo(vo), first) for (priority, vo), heap in self._heaps.items()
                  if (first := self._first(heap)) is not None]
        return min(firsts)[2][-1] if firsts else None

    def _first(self, heap: list[_Place]) -> _Place | None:
        while heap:
            key = heap[0][-1]
            if key not in self._heads:
                heappop(heap)
            elif (now := self._place(key)) != heap[0]:
                heapreplace(heap, now)
            else:
                return now
        return None

    def done(self, key: Party) -> None:
        """It has nothing more that can be placed."""
        self._heads.pop(key, None)

    def _place(self, key: Party) -> _Place:
        _, vo, owner, wish, _ = key
        return self._shares.user((vo, owner)), -wish, self._heads[key], key


def by_patience(lanes: Iterable[Lane]) -> Iterator[Lane]:
    """Those that wait longest for a turn first."""
    return iter(sorted(lanes, key=lambda lane: (lane.served, lane.head, lane.id)))
