"""Looks at placed jobs: moves those that are stuck in a queue or wait at a CE that is set aside, gives up attempts
of which nothing is heard.
"""

from __future__ import annotations

import sqlalchemy as sa

from wm import store as jobs
from wm.recovery import store
from wm.recovery.dwell import Look, Patience, Step, look
from wm.recovery.memories import Attempt, Memories
from wm.recovery.resubmission import REPLANNED
from wm.recovery.retries import withdraw
from wm.turn import Turn, Turns
from wms.jdl.described import described
from wms.messages.attempts import Close
from wms.messages.topics import NS
from wms.service import Kit

PERIOD_S = 60.0
BATCH = 500


class Lookout:
    """`work` is for a ticker."""

    def __init__(self, kit: Kit, turns: Turns, memories: Memories) -> None:
        settings = kit.settings.wm
        self._kit = kit
        self._memories = memories
        self._turns = turns
        self._patience = Patience(settings.replan_after_s if settings.replan else 0.0,
                                  kit.settings.jobadapter.capability_s)

    async def work(self) -> None:
        """Until nothing is due."""
        while await self._kit.database.transact(self._portion, self._kit.now()) == BATCH:
            pass

    def _portion(self, conn: sa.Connection, now: float) -> int:
        rows = store.placed_due(conn, now, BATCH)
        with self._turns.begin(conn, now) as turn:
            seen = [(row, look(row.placed_at or now, self._movable(row), now, self._patience)) for row in rows]
            for row, found in seen:
                self._step(turn, row, found)
            store.look_again(conn, [(row, found.due) for row, found in seen], now)
        return len(rows)

    def _movable(self, row: jobs.Job) -> bool:
        return bool(self._patience.queued_s) and self._shallow(row) and described(row.request().jdl).wms_feedback

    def _shallow(self, row: jobs.Job) -> bool:
        """The job may be resubmitted before its program has begun."""
        most = min(described(row.request().jdl).shallow_retry_count, self._kit.settings.wm.max_shallow_retry_count)
        return most >= 0 and not row.cancelled

    def _step(self, turn: Turn, row: jobs.Job, found: Look) -> None:
        match found.step:
            case Step.MOVE:
                self._close(turn, row, REPLANNED, replan=True)
            case Step.LOST:
                self._close(turn, row, f"nothing was heard of the attempt for {turn.out.now - row.placed_at:.0f} s")
                withdraw(turn, row, row.request().job)
            case Step.WAIT if self._is_aside(turn, row) and self._shallow(row):
                self._close(turn, row, f"{row.ce} is set aside: it fails such jobs", replan=True)

    def _is_aside(self, turn: Turn, row: jobs.Job) -> bool:
        if not self._memories.holds_against(row.ce):
            return False
        at = Attempt(row.ce, store.class_of(turn.out.conn, row.lane), row.id)
        return self._memories.is_aside(at, turn.out.now)

    def _close(self, turn: Turn, row: jobs.Job, reason: str, *, replan: bool = False) -> None:
        """The Network Server knows whether the program has begun; its answer is a Resubmit."""
        url = row.request().job
        turn.out.send(NS, Close(url, row.attempt, reason, row.sequence_code, replan=replan), url)
