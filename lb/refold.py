"""Records of an older machine are made anew behind everything else, so that no query shows for long what they meant.

Portions of the table of jobs, once after each change of the machine; a job that gets an event meanwhile is made anew
by that. What a record is, is in lb.state.machine; what is written, in lb.store.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from lb import marks, store
from lb.keeper import Follower, keep
from lb.state.record import MACHINE_VERSION
from lb.tables import jobs
from wms.service import Kit, Loop

MACHINE = "machine"
"""The mark of the machine all records are of."""
PORTION = 500
PAUSE_S, RETRY_S = 0.05, 60.0


class _Made(msgspec.Struct):
    version: str = ""


_decode = msgspec.msgpack.Decoder(_Made).decode
_NEXT = (sa.select(jobs.c.id, jobs.c.record).where(jobs.c.id > sa.bindparam("after"), jobs.c.version > 0)
         .order_by(jobs.c.id).limit(sa.bindparam("most")))


class Refolder(Loop):
    """Goes once through all jobs, unless that was done with this machine; `done` counts records made anew.

    `family` is told of each of them, for histograms that older machines did not keep; `followers` of the events that
    follow from that.
    """

    def __init__(self, kit: Kit, family: Follower, followers: Sequence[Follower]) -> None:
        super().__init__(kit, "refold")
        self._family = family
        self._followers = followers

    async def _run(self) -> None:
        after: int | None = 0
        while after is not None and not self._nap.ended:
            try:
                after = await self._portion(after)
                pause = PAUSE_S
            except Exception:  # noqa: BLE001 - the database may be away; it is tried again
                self.failed += 1
                self._kit.log.failure("records could not be made anew")
                pause = RETRY_S
            if after is not None:
                await self._nap.sleep(pause)

    async def _portion(self, after: int) -> int | None:
        """Look through the next jobs; where to go on, None at the end."""
        if not after and await self._kit.database.read(marks.get, MACHINE) == MACHINE_VERSION:
            return None
        stale, last = await self._kit.database.read(look, after)
        if stale:
            await self._kit.database.transact(self._refold, stale)
            self.done += len(stale)
            self.last = self._kit.now()
        if last is None:
            await self._kit.database.transact(marks.put, MACHINE, MACHINE_VERSION)
        return last

    def _refold(self, conn: sa.Connection, stale: Sequence[int]) -> None:
        now = self._kit.now()
        keep(conn, self._family(conn, store.refold(conn, stale, now), now), now, self._followers)


def look(conn: sa.Connection, after: int) -> tuple[list[int], int | None]:
    """Of the jobs that follow key `after`, those with records of another machine, and the last key (None: the end)."""
    rows = conn.execute(_NEXT, {"after": after, "most": PORTION}).all()
    stale = [key for key, record in rows if _decode(record).version != MACHINE_VERSION]
    return stale, rows[-1].id if len(rows) == PORTION else None
