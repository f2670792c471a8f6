"""Remembers matches: jobs that are alike in all that matching sees are matched once a snapshot. Pure.

Alike are jobs with the same description of the same owner and VO that failed at the same places.
"""

from __future__ import annotations

from wm.matching.matchmaker import Matches, match
from wm.matching.request import Request, Site
from wm.supply.supermarket import Snapshot

MOST = 200_000
"""Ranked CEs that are remembered, of all answers together; one answer counts for one more."""
Key = tuple[int, str, str, tuple[str, ...], tuple[str, ...]]


class Alike:
    """`match` with a memory of one snapshot; what it returns may name another request that is alike.

    A description is known by its identity; the memory holds it, so no other can take its place.
    """

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._known: dict[Key, Matches] = {}
        self._size = 0

    def match(self, request: Request, snapshot: Snapshot, now: float, site: Site) -> Matches:
        if snapshot is not self._snapshot or self._size >= MOST or now >= snapshot.expires:
            self._snapshot, self._known, self._size = snapshot, {}, 0
        key = (id(request.description), request.owner, request.vo, request.fqans, request.previous)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = match(request, snapshot, now, site)
            self._size += 1 + len(found.ranked)
        return found
