"""The order in which lanes of waiting jobs are served: site priority, shares, the user's wish, age. Pure.

Not where their jobs may go. One turn in `PATIENCE` belongs to whoever waits longest for one: no lane starves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
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
_Place: TypeAlias = tuple[int, float, float, int, float, Party]


def party(lane: Lane) -> Party:
    return lane.priority, lane.vo, lane.owner, lane.wish, lane.lazy


class Queue:
    """Parties with something to place, the next first. Charges may change the order at any time."""

    def __init__(self, lanes: Iterable[Lane], shares: Shares) -> None:
        self._shares = shares
        self._heads: dict[Party, float] = {}
        for lane in lanes:
            key = party(lane)
            self._heads[key] = min(lane.head, self._heads.get(key, lane.head))
        self._heap: list[_Place] = [self._place(key) for key in self._heads]
        heapify(self._heap)

    def next(self) -> Party | None:
        """The party whose turn it is; it stays in the queue until it is `done`."""
        while self._heap:
            key = self._heap[0][-1]
            now = self._place(key)
            if key not in self._heads:
                heappop(self._heap)
            elif now != self._heap[0]:
                heappop(self._heap)
                heappush(self._heap, now)
            else:
                return key
        return None

    def done(self, key: Party) -> None:
        """It has nothing more that can be placed."""
        self._heads.pop(key, None)

    def _place(self, key: Party) -> _Place:
        priority, vo, owner, wish, _ = key
        return (-priority, self._shares.vo(vo), self._shares.user((vo, owner)), -wish,
                self._heads.get(key, 0.0), key)


def by_patience(lanes: Iterable[Lane]) -> Iterator[Lane]:
    """Those that wait longest for a turn first."""
    return iter(sorted(lanes, key=lambda lane: (lane.served, lane.head, lane.id)))
