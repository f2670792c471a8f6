"""Looks at jobs that were placed long ago: moves them out of queues, gives up attempts of which nothing is heard."""

from __future__ import annotations

import sqlalchemy as sa

from wm import store as jobs
from wm.recovery import store
from wm.recovery.dwell import Look, Patience, Step, look
from wm.recovery.resubmission import REPLANNED
from wm.recovery.retries import withdraw
from wm.turn import Turn, Turns
from wms.jdl.described import described
from wms.messages import NS, Close
from wms.service import Kit

PERIOD_S = 60.0
BATCH = 500


class Lookout:
    """`work` is for a ticker."""

    def __init__(self, kit: Kit, turns: Turns) -> None:
        settings = kit.settings.wm
        self._kit = kit
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
        if not self._patience.queued_s or row.cancelled:
            return False
        job = described(row.request().jdl)
        return job.wms_feedback and min(job.shallow_retry_count, self._kit.settings.wm.max_shallow_retry_count) >= 0

    def _step(self, turn: Turn, row: jobs.Job, found: Look) -> None:
        match found.step:
            case Step.MOVE:
                self._close(turn, row, REPLANNED, replan=True)
            case Step.LOST:
                self._close(turn, row, f"nothing was heard of the attempt for {turn.out.now - row.placed_at:.0f} s")
                withdraw(turn, row, row.request().job)

    def _close(self, turn: Turn, row: jobs.Job, reason: str, *, replan: bool = False) -> None:
        """The Network Server knows whether the program has begun; its answer is a Resubmit."""
        url = row.request().job
        turn.out.send(NS, Close(url, row.attempt, reason, row.sequence_code, replan=replan), url)
