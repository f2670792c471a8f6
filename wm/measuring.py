"""Sees what becomes of jobs, and has the market tell it of their CEs; the figures outlast a restart in a file.

The sums are in `wm.supply.measures`. A crash may lose the last minute of them, nothing else depends on it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path

import msgspec
import sqlalchemy as sa

from wm.recovery.memories import Attempt
from wm.store import PLACED
from wm.supply.market import Market
from wm.supply.measures import Measure, Measures, Seen
from wm.tables import jobs
from wm.turn import Over
from wms.files import write_private
from wms.messages import decode
from wms.messages.submission import Begun
from wms.outbox import Outbox
from wms.queue import Message
from wms.service import Kit, Ticker

PERIOD_S = 15.0
SAVE_S = 60.0
FILE = "measures.json"
MOST_WAITING = 100_000
_Kept = dict[str, Measure]


class Measuring(Ticker):
    """`begun` is for a consumer, `follow` a follower of ends, `broken` is told of attempts that a CE failed."""

    def __init__(self, kit: Kit, measures: Measures) -> None:
        super().__init__(kit, "measures", PERIOD_S, self._tell)
        self.measures = measures
        self.market: Market | None = None
        self._seen: deque[Seen] = deque(maxlen=MOST_WAITING)
        self._path = Path(kit.settings.state_dir) / FILE
        self._saved = kit.now()

    async def start(self) -> None:
        try:
            self.measures.measures = msgspec.json.decode(await self._kit.thread(self._path.read_bytes), type=_Kept)
        except FileNotFoundError:
            pass
        except (OSError, msgspec.DecodeError) as error:
            self._kit.log.warn("{path} cannot be read, measures begin anew: {error}", path=str(self._path),
                               error=str(error))
        await super().start()

    async def stop(self) -> None:
        await super().stop()
        if self.measures.measures or self._seen:
            self._add()
            await self._save()

    # -- seeing, in transactions -------------------------------------------------------------------------

    def begun(self, conn: sa.Connection, messages: Sequence[Message], _now: float) -> None:
        """Jobs that began; one whose attempt is another by now is not counted."""
        found = [one for message in messages if isinstance(begun := decode(message.body), Begun)
                 for one in begun.beginnings]
        rows = {row.id: row for row in conn.execute(sa.select(jobs.c.id, jobs.c.ce, jobs.c.attempt, jobs.c.placed_at)
                                                    .where(jobs.c.id.in_({one.id for one in found})))}
        for one in found:
            row = rows.get(one.id)
            if row is not None and row.attempt == one.attempt and row.placed_at:
                self._seen.append(Seen(row.ce, one.at, queue_s=one.at - row.placed_at))

    def follow(self, out: Outbox, overs: Sequence[Over]) -> None:
        self._seen.extend(Seen(job.ce, out.now, good=True) for job, outcome, _ in overs
                          if outcome == "Done" and job.phase == PLACED)

    def broken(self, attempt: Attempt, now: float) -> None:
        self._seen.append(Seen(attempt.ce, now, good=False))

    # -- telling -----------------------------------------------------------------------------------------

    async def _tell(self) -> None:
        self._add()
        if self.measures.refresh(self._kit.now()) and self.market is not None:
            await self.market.say()
        if self._kit.now() - self._saved >= SAVE_S and self.measures.measures:
            await self._save()

    def _add(self) -> None:
        """A view of a CE is measured with it."""
        ces = self.market.snapshot.ces if self.market is not None else {}
        seen = [self._seen.popleft() for _ in range(len(self._seen))]
        self.measures.add(one._replace(ce=ces[one.ce].destination) if one.ce in ces else one for one in seen)

    async def _save(self) -> None:
        self._saved, content = self._kit.now(), msgspec.json.encode(self.measures.measures)
        try:
            await self._kit.thread(write_private, self._path, content)
        except OSError as error:
            self._kit.log.warn("{path} cannot be written: {error}", path=str(self._path), error=str(error))
