"""Which renewal begins next: a few at a time, and one server that does not answer never holds all places.

Decisions only: what waits here was found due by `store`, and who renews is a renewer.
"""

from __future__ import annotations

from collections import Counter, deque

from proxyrenewal.store import Registration


class Lanes:
    """One lane for each server (`Registration.myproxy`). Of `parallel` places a lane leaves one to the others; a server
    that was silent when it was last asked gets one until it answers."""

    def __init__(self, parallel: int) -> None:
        self._places = max(1, parallel)
        self._waiting: dict[str, deque[Registration]] = {}
        self._under_way: Counter[str] = Counter()
        self._silent: set[str] = set()

    @property
    def under_way(self) -> int:
        """How many have a place."""
        return self._under_way.total()

    @property
    def free(self) -> bool:
        """Is there a place at all?"""
        return self.under_way < self._places

    @property
    def blocked(self) -> list[str]:
        """Servers for which more would only wait."""
        return list(self._waiting)

    def add(self, entry: Registration) -> None:
        self._waiting.setdefault(entry.myproxy, deque()).append(entry)

    def take(self) -> Registration | None:
        """One that may begin now, which then has a place; lanes take turns."""
        lane = next((lane for lane in self._waiting if self._may(lane)), None) if self.free else None
        if lane is None:
            return None
        queue = self._waiting.pop(lane)
        entry = queue.popleft()
        if queue:
            self._waiting[lane] = queue
        self._under_way[lane] += 1
        return entry

    def leave(self, lane: str, *, silent: bool) -> None:
        """One is over; `silent`: its server did not answer."""
        self._under_way[lane] -= 1
        if not self._under_way[lane]:
            del self._under_way[lane]
        (self._silent.add if silent else self._silent.discard)(lane)

    def _may(self, lane: str) -> bool:
        most = 1 if lane in self._silent else max(1, self._places - 1)
        return self._under_way[lane] < most
