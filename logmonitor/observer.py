"""Asks one CE about all its attempts, often while something changes there and seldom while nothing does.

One bulk query for all jobs. A CE that does not answer is only late, never a failed job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from twisted.internet.interfaces import IDelayedCall

from logmonitor import store
from logmonitor.endings import Endings
from logmonitor.removals import Removals, Step
from logmonitor.store import Seen
from logmonitor.translate import REMOVAL_FAILED, Ending, Failure, from_output, kept_back
from wms.ce import Backend, CeState, Phase
from wms.ce.guard import Guarded
from wms.errors import Overloaded, Unavailable
from wms.messages.attempts import Kill
from wms.messages.topics import JOBADAPTER
from wms.outbox import Outbox
from wms.service import Kit, Ticker, within

__all__ = ["Observer"]

ANSWER_S = 60.0
GONE = (Phase.ENDED, Phase.LOST)
SLOWER = 1.5
"""Each look that finds nothing new makes the pause so much longer."""
SHARE = 4.0
"""However often it is called, it rests this many times as long as it worked."""
PORTION = 200
"""Attempts whose news are written in one transaction."""

States = Mapping[str, CeState]


class Observer(Ticker):
    """A part: looks every period, and whenever the CE calls or there is something new to watch."""

    def __init__(self, kit: Kit, endings: Endings, name: str, backend: Backend) -> None:
        settings, own = kit.settings.logmonitor, backend.settings if isinstance(backend, Guarded) else None
        self._fast_s = (own.observe_s if own else 0.0) or settings.poll_s
        self._slow_s = max(self._fast_s, (own.observe_most_s if own else 0.0) or settings.poll_most_s)
        super().__init__(kit, f"observe {name}", self._fast_s, self.look)
        self._settings = settings
        self._endings = endings
        self._backend_name = name
        self._backend = backend
        self._again: IDelayedCall | None = None
        self._phases: dict[str, Phase] = {}
        self._removals = Removals(settings.removal_s, settings.removal_retries)
        self._looked, self._rest_s = 0.0, 0.0
        backend.watch(self.poke)
        endings.watches[name] = self.hasten

    async def stop(self) -> None:
        await super().stop()
        if self._again is not None and self._again.active():
            self._again.cancel()

    def progress(self) -> dict[str, Any]:
        health = msgspec.to_builtins(self._backend.health()) if isinstance(self._backend, Guarded) else {}
        return {**super().progress(), "watched": len(self._phases), "period_s": self._period_s, "ce": health}

    # -- when --------------------------------------------------------------------------------------------

    def poke(self) -> None:
        """The CE says that something may have changed."""
        if (due := self._looked + self._rest_s) > self._kit.now():
            self._look_at(due)
        else:
            super().poke()

    def hasten(self) -> None:
        """There is something new to watch: back to the short period. Never looks at once."""
        self._period_s = self._fast_s
        self._look_at(self._looked + self._fast_s)

    def _look_at(self, due: float) -> None:
        """At the latest then (epoch s)."""
        delay_s = max(0.0, due - self._kit.now())
        if self._again is not None and self._again.active():
            if self._again.getTime() <= due:
                return
            self._again.cancel()
        self._again = self._kit.clock.callLater(delay_s, super().poke)

    def _adapt(self, states: States, unsettled: bool) -> None:
        """Fast while anything changes, or somebody's patience is being tried."""
        phases = {token: state.phase for token, state in states.items()}
        changed, self._phases = phases != self._phases, phases
        self._period_s = self._fast_s if changed or unsettled else min(self._slow_s, self._period_s * SLOWER)

    # -- what --------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """One bulk query; what ended without a report, is held or does not obey is seen to here."""
        self._looked = self._kit.now()
        rows = await self._kit.database.read(store.watched, self._backend_name)
        states = await self._states(rows)
        if states is not None:
            self._adapt(states, any(row.gone is not None or row.cancelled for row in rows))
            await self._see(rows, states)
        self._rest_s = SHARE * (self._kit.now() - self._looked)

    async def _states(self, rows: Sequence[Seen]) -> States | None:
        if not rows:
            return {}
        try:
            return await within(self._kit.clock, ANSWER_S, self._backend.status([row.token for row in rows]))
        except Unavailable as error:
            self._silent(error)
            return None

    def _silent(self, error: Unavailable) -> None:
        """A spent budget is no silence: there will be an answer when it is renewed."""
        if isinstance(error, Overloaded):
            self._period_s = max(self._fast_s, float(error.details.get("retry_s", 0.0)))
            return
        self._period_s = self._fast_s
        self._kit.log.warn("{backend} does not answer: {error}", backend=self._backend_name, error=error.message)

    async def _see(self, rows: Sequence[Seen], states: States) -> None:
        gone = [row for row in rows if states[row.token].phase in GONE]
        there = [row for row in rows if states[row.token].phase not in GONE]
        await self._note(gone)
        await self._forget([row for row in there if row.gone is not None])
        await self._hold(there, states)
        await self._remove([row for row in there if row.cancelled])
        for row in gone:
            if self._patience_is_over(row, states[row.token]) and not await self._end(row, states[row.token]):
                break

    async def _note(self, gone: Sequence[Seen]) -> None:
        new = [row for row in gone if row.gone is None]
        if new:
            await self._kit.database.transact(store.set_gone, new, self._kit.now())
            self._period_s = self._fast_s
            self._look_at(self._kit.now() + self._settings.report_grace_s)

    async def _forget(self, back: Sequence[Seen]) -> None:
        """A CE that knows a job again starts its patience anew."""
        if back:
            await self._kit.database.transact(store.set_gone, back, None)

    def _patience_is_over(self, row: Seen, state: CeState) -> bool:
        """The wrapper's own report may be on its way; a CE may be slow to know a token."""
        patience = self._settings.lost_after_s if state.phase == Phase.LOST else self._settings.report_grace_s
        return row.gone is not None and self._kit.now() - row.gone >= patience

    async def _end(self, row: Seen, state: CeState) -> bool:
        """False: the CE cannot be asked for its output now."""
        ending: Ending = Failure(f"the CE does not know the job any more; {state.reason}".rstrip("; "))
        if state.phase == Phase.ENDED:
            try:
                output = await within(self._kit.clock, ANSWER_S, self._backend.output(row.token))
            except Unavailable as error:
                self._silent(error)
                return False
            ending = from_output(output, state.exit_status, state.reason)
        await self._kit.database.transact(self._record, row, ending, state)
        return True

    def _record(self, conn: sa.Connection, seen: Seen, ending: Ending, state: CeState | None = None) -> None:
        """In this transaction, unless somebody else was first; a payload that is still there is killed."""
        row = store.find(conn, seen.id, seen.attempt)
        if row.phase == store.WATCHED:
            with Outbox(conn, self._kit.now()) as out:
                if state is None:
                    out.send(JOBADAPTER, Kill(row.job, row.attempt), row.job)
                self._endings.end(out, row, ending, state.usage if state else None)

    # -- held, and not to be removed -----------------------------------------------------------------------

    async def _hold(self, there: Sequence[Seen], states: States) -> None:
        """What the CE began to keep back, or released, is told; what it keeps back for too long ends."""
        held = {row.token for row in there if states[row.token].phase == Phase.HELD}
        news = [row for row in there if (row.token in held) != (row.held is not None)]
        for first in range(0, len(news), PORTION):
            await self._kit.database.transact(self._tell, news[first : first + PORTION], states)
        limit_s, now = self._settings.held_after_s, self._kit.now()
        since = {row.token: now if row.held is None else row.held for row in there if row.token in held}
        for row in there:
            if row.token in held and not row.cancelled and now - since[row.token] >= limit_s:
                await self._kit.database.transact(self._record, row, kept_back(states[row.token].reason))
        if since and limit_s:
            self._look_at(min(since.values()) + limit_s)

    def _tell(self, conn: sa.Connection, rows: Sequence[Seen], states: States) -> None:
        with Outbox(conn, self._kit.now()) as out:
            for seen in rows:
                row, state = store.find(conn, seen.id, seen.attempt), states[seen.token]
                if row.phase == store.WATCHED:
                    self._endings.suspended(out, row, state.reason if state.phase == Phase.HELD else None)

    async def _remove(self, alive: Sequence[Seen]) -> None:
        """Payloads that were to be killed and are still there are killed again, a few times."""
        steps = self._removals.steps([row.token for row in alive], self._kit.now())
        for row in alive:
            match steps.get(row.token):
                case Step.AGAIN:
                    await self._kit.database.transact(self._kill, row)
                case Step.GIVE_UP:
                    await self._kit.database.transact(self._record, row, REMOVAL_FAILED)

    def _kill(self, conn: sa.Connection, seen: Seen) -> None:
        row = store.find(conn, seen.id, seen.attempt)
        with Outbox(conn, self._kit.now()) as out:
            out.send(JOBADAPTER, Kill(row.job, row.attempt), row.job)
