"""Counts what jobs used, for the fair share: a follower of the transactions in which they end."""

from __future__ import annotations

from collections.abc import Sequence

from wm import lane_store
from wm.ordering.shares import Use, Who
from wm.store import PLACED, TASKQUEUE
from wm.turn import Over
from wms.database import note_topic
from wms.jdl.described import described
from wms.outbox import Outbox


class Usage:
    """`follow` adds slot seconds, from the placement to the end times the processors, as a set."""

    def __init__(self, half_life_s: float) -> None:
        self._half_life_s = half_life_s

    def follow(self, out: Outbox, overs: Sequence[Over]) -> None:
        """The broker is told too: a quota or a slot may be free."""
        used: dict[Who, float] = {}
        for job, _, _ in overs:
            if job.phase == PLACED and job.placed_at:
                submit = job.request()
                seconds = max(0.0, out.now - job.placed_at) * described(submit.jdl).cpu_number
                who = submit.vo, submit.owner
                used[who] = used.get(who, 0.0) + seconds
        if used:
            before = lane_store.uses(out.conn, used)
            lane_store.put_uses(out.conn, {who: before.get(who, Use()).plus(more, out.now, self._half_life_s)
                                           for who, more in used.items()})
            note_topic(out.conn, TASKQUEUE)
