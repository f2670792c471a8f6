"""The Log Monitor as a daemon: the reader of its topic, and one observer a backend.

One bulk query for all jobs of a CE; a CE that does not answer is only late, never a failed job.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from twisted.internet.interfaces import IDelayedCall

from logmonitor import store
from logmonitor.endings import Endings
from logmonitor.store import WatchRow
from logmonitor.translate import Ending, Failure, from_output
from wms.ce import Backend, CeState, Phase
from wms.consumer import Consumer
from wms.errors import Unavailable
from wms.messages import LOGMONITOR
from wms.outbox import Outbox
from wms.service import Daemon, Kit, Ticker, within

ANSWER_S = 60.0
FORGET_AFTER_S = 86_400.0
ORPHANS_S = 60.0
GONE = (Phase.ENDED, Phase.LOST)


def make(kit: Kit) -> Daemon:
    """The daemon `logmonitor`."""
    endings = Endings(kit)

    async def forget() -> None:
        await kit.database.transact(store.forget, kit.now() - FORGET_AFTER_S)

    async def part_with_orphans() -> None:
        if await kit.database.read(store.orphans, list(kit.backends)):
            await kit.database.transact(_end_orphans, kit, endings)

    observers = [Observer(kit, endings, name, backend) for name, backend in kit.backends.items()]
    return Daemon("logmonitor", [
        Consumer(kit, LOGMONITOR, endings.handle), *observers, Ticker(kit, "forget", 3600.0, forget),
        Ticker(kit, "orphans", ORPHANS_S, part_with_orphans)])


def _end_orphans(conn: sa.Connection, kit: Kit, endings: Endings) -> None:
    """Attempts at a backend that has left the configuration: nobody will ever see their end."""
    with Outbox(conn, kit.now()) as out:
        for row in store.orphans(conn, list(kit.backends)):
            endings.end(out, row, Failure(f"no backend {row.backend} is configured any more"))


class Observer(Ticker):
    """Asks one backend about all its attempts, every period and whenever it calls."""

    def __init__(self, kit: Kit, endings: Endings, name: str, backend: Backend) -> None:
        super().__init__(kit, f"observe {name}", kit.settings.logmonitor.poll_s, self.look)
        self._endings = endings
        self._backend_name = name
        self._backend = backend
        self._again: IDelayedCall | None = None
        backend.watch(self.poke)

    async def stop(self) -> None:
        await super().stop()
        if self._again is not None and self._again.active():
            self._again.cancel()

    async def look(self) -> None:
        """One bulk query; what ended without a report is ended here."""
        rows = await self._kit.database.read(store.watched, self._backend_name)
        if not rows:
            return
        try:
            states = await within(self._kit.clock, ANSWER_S, self._backend.status([row.token for row in rows]))
        except Unavailable as error:
            self._silent(error)
            return
        gone = [row for row in rows if states[row.token].phase in GONE]
        await self._note(gone)
        await self._forget([row for row in rows if row.gone is not None and states[row.token].phase not in GONE])
        for row in gone:
            if self._patience_is_over(row, states[row.token]):
                await self._end(row, states[row.token])

    def _silent(self, error: Unavailable) -> None:
        self._kit.log.warn("{backend} does not answer: {error}", backend=self._backend_name, error=error.message)

    async def _note(self, gone: Sequence[WatchRow]) -> None:
        new = [row for row in gone if row.gone is None]
        if new:
            await self._kit.database.transact(store.set_gone, new, self._kit.now())
            if self._again is None or not self._again.active():
                self._again = self._kit.clock.callLater(self._kit.settings.logmonitor.report_grace_s, self.poke)

    async def _forget(self, back: Sequence[WatchRow]) -> None:
        """A CE that knows a job again starts its patience anew."""
        if back:
            await self._kit.database.transact(store.set_gone, back, None)

    def _patience_is_over(self, row: WatchRow, state: CeState) -> bool:
        """The wrapper's own report may be on its way; a CE may be slow to know a token."""
        settings = self._kit.settings.logmonitor
        patience = settings.lost_after_s if state.phase == Phase.LOST else settings.report_grace_s
        return row.gone is not None and self._kit.now() - row.gone >= patience

    async def _end(self, row: WatchRow, state: CeState) -> None:
        ending: Ending = Failure(f"the CE does not know the job any more; {state.reason}".rstrip("; "))
        if state.phase == Phase.ENDED:
            try:
                output = await within(self._kit.clock, ANSWER_S, self._backend.output(row.token))
            except Unavailable as error:
                self._silent(error)
                return
            ending = from_output(output, state.exit_status, state.reason)
        await self._kit.database.transact(self._record, row, ending)

    def _record(self, conn: sa.Connection, seen: WatchRow, ending: Ending) -> None:
        row = store.find(conn, seen.job, seen.attempt)
        if row.phase == store.WATCHED:
            with Outbox(conn, self._kit.now()) as out:
                self._endings.end(out, row, ending)
