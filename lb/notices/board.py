"""Tells who delivers notices that there are some: after each commit with notices, and of what waited at the start.

One look at the database for all who listen. News of other processes are heard too; delivery itself is elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import sqlalchemy as sa

from lb.notices import notification_store, registration_log
from lb.notices.registration_log import NEWS
from wms.errors import WmsError
from wms.service import Kit, Loop, Nap, linger

LOOK_AGAIN_S = 60.0
"""What was not heard of, for whatever reason, is found after this."""
RETRY_S = 5.0
Reader = Callable[[str, str], None]


class Look(NamedTuple):
    """What a look found: the mark of registrations, the newest notice, (registration, destination) with notices,
    the registrations that changed (None: perhaps all)."""

    mark: str
    newest: int
    waiting: list[tuple[str, str]]
    changed: frozenset[str] | None


def look(conn: sa.Connection, mark: str, seen: int) -> Look:
    """What is new since an earlier look (at the start: "" and 0)."""
    current, newest = registration_log.get(conn), notification_store.newest(conn)
    changed = frozenset() if current == mark else registration_log.since(mark, current)
    waiting = notification_store.news(conn, seen) if newest > seen else []
    if changed is None or changed:
        waiting += notification_store.waiting(conn, changed)
    return Look(current, max(newest, seen), waiting, changed)


class Board(Loop):
    """The loop. `told` callables get (registration, destination) on the reactor."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit, "notices")
        self._naps: dict[str, Nap] = {}
        self._readers: list[Reader] = []
        kit.database.on_messages(self._woken)

    async def stop(self) -> None:
        for nap in list(self._naps.values()):
            nap.end()
        await super().stop()

    def on_news(self, told: Reader) -> None:
        """Have it called for each registration that has notices, perhaps more often than needed."""
        self._readers.append(told)

    @contextmanager
    def at(self, id: str) -> Iterator[Nap]:
        """A nap that ends when there is something for this registration; who napped at it before is sent away."""
        before = self._naps.get(id)
        nap = self._naps[id] = Nap(self._kit.clock)
        if before is not None:
            before.end()
        try:
            yield nap
        finally:
            if self._naps.get(id) is nap:
                del self._naps[id]

    def is_last(self, id: str, nap: Nap) -> bool:
        """Has nobody else come to nap at this registration?"""
        return self._naps.get(id) is nap

    def _woken(self, topics: Container[str]) -> None:
        if NEWS in topics:
            self._nap.wake()

    async def _run(self) -> None:
        found = Look("", 0, [], None)
        while not self._nap.ended:
            pause = LOOK_AGAIN_S
            try:
                found = await self._kit.database.read(look, found.mark, found.newest)
                self._tell(found)
            except WmsError as error:
                self.failed += 1
                self._kit.log.warn("notices cannot be looked for: {error}", error=error.message)
                pause = RETRY_S
            began = self._kit.now()
            await self._nap.sleep(pause)
            if self._kit.now() - began >= pause:
                found = found._replace(mark="")
            await linger(self._kit, self.last, self._nap)

    def _tell(self, found: Look) -> None:
        self.last = self._kit.now()
        self.done += len(found.waiting)
        for id, destination in found.waiting:
            for told in self._readers:
                told(id, destination)
        news = None if found.changed is None else found.changed | {id for id, _destination in found.waiting}
        for id, nap in list(self._naps.items()):
            if news is None or id in news:
                nap.wake()
