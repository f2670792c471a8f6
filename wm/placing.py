"""Carries out a cycle in one transaction: jobs go to the Job Adapter, begin to wait, or are refused.

A job that somebody changed since it was read is left alone. What goes where was decided before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa
from msgspec.structs import replace

from wm import drains, store
from wm.lane_store import LaneRow
from wm.lanes import Lanes
from wm.recovery.memories import Attempt, Memories
from wm.turn import Turn, Turns
from wms.eventlog import Journal
from wms.messages.attempts import Run
from wms.messages.submission import Submit
from wms.messages.topics import JOBADAPTER
from wms.resource import ComputingElement

_HANDED_OVER = "EnQueued", (("queue", JOBADAPTER), ("result", "OK"))
WARNING = "credential_warning"
"""The tag of a job whose credential may end before it."""


class Placing(NamedTuple):
    """`info` is the .BrokerInfo that goes with the job, `submit` what it came with; `warning` is told, "" is none."""

    job: store.Job
    lane: LaneRow
    ce: ComputingElement
    info: str
    submit: Submit
    warning: str = ""


class Settling(NamedTuple):
    """The job waits in its lane, by a decision; `reason` is told when it is news, "" is no reason."""

    job: store.Job
    lane: LaneRow
    until: float
    reason: str
    decision: str = ""


@dataclass(slots=True)
class Decided:
    """What a round decided about single jobs; `id` is that of the decision (wm.replay)."""

    id: str = ""

    placing: list[Placing] = field(default_factory=list)
    settling: list[Settling] = field(default_factory=list)
    refusing: list[tuple[store.Job, str]] = field(default_factory=list)

    @property
    def jobs(self) -> list[store.Job]:
        return [*(one.job for one in self.placing), *(one.job for one in self.settling),
                *(job for job, _ in self.refusing)]


class Recorder:
    """`record` is a unit of a transaction."""

    def __init__(self, turns: Turns, lanes: Lanes, memories: Memories) -> None:
        self._turns = turns
        self._lanes = lanes
        self._memories = memories

    def record(self, conn: sa.Connection, decided: Decided, now: float) -> set[str]:
        """The ids of jobs that were placed. A CE that was drained meanwhile gets none; its jobs are looked at again."""
        waiting = store.still_waiting(conn, decided.jobs)
        still = drains.undrained(conn, {one.ce.id: one.ce for one in decided.placing}.values())
        placing = [one for one in decided.placing if (one.job.id, one.job.attempt) in waiting and one.ce.id in still]
        store.change_many(conn, [{"id": one.job.id, "due": now} for one in decided.placing if one.ce.id not in still])
        settling = [one for one in decided.settling if (one.job.id, one.job.attempt) in waiting]
        self._lanes.write(conn, [*(one.lane for one in placing), *(one.lane for one in settling)])
        with self._turns.begin(conn, now) as turn:
            say = _Saying(turn)
            store.change_many(conn, [_place(turn, say, one, decided.id) for one in placing])
            store.change_many(conn, [_settle(say, one) for one in settling])
            for job, reason in decided.refusing:
                if (job.id, job.attempt) in waiting:
                    turn.abort(job, _journal(turn, job, job.request()), "; ".join(filter(None, (reason, job.reason))))
        self._memories.placed(conn, [Attempt(one.ce.id, one.lane.cls, one.job.id) for one in placing], now)
        return {one.job.id for one in placing}


class _Saying:
    """Logs the events of a transaction's jobs; jobs of the same owner and sequence code say the same of their own."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._known: dict[tuple[object, ...], Journal] = {}

    def __call__(self, job: store.Job, submit: Submit, *what: tuple[str, tuple[tuple[str, str], ...]]) -> str:
        """Events by their type and fields; the sequence code after them."""
        like = (job.sequence_code, submit.owner, what)
        journal = self._known.get(like)
        if journal is None:
            journal = self._known[like] = _journal(self._turn, job, submit)
            for type, fields in what:
                journal.add(type, **dict(fields))
        self._turn.out.log([replace(event, job=submit.job) for event in journal.events])
        return journal.code


def _journal(turn: Turn, job: store.Job, submit: Submit) -> Journal:
    return turn.journal(submit.job, job.sequence_code, submit.owner)


def _place(turn: Turn, say: _Saying, one: Placing, decision: str) -> dict[str, Any]:
    """Hand the job to the Job Adapter; what changes in its row."""
    job, ce, submit = one.job, one.ce, one.submit
    warning = [("UserTag", (("name", WARNING), ("value", one.warning)))] if one.warning else []
    code = say(job, submit, *warning, ("Match", (("dest_id", ce.destination),)), _HANDED_OVER)
    turn.out.send(JOBADAPTER, Run(submit.job, job.attempt, submit.jdl, ce.destination, ce.backend, ce.queue,
                                  submit.credential, code, submit.files, broker_info=one.info, owner=submit.owner,
                                  vo=submit.vo, fqans=submit.fqans), submit.job)
    return {"id": job.id, "phase": store.PLACED, "ce": ce.id, "lane": one.lane.id, "placed_at": turn.out.now,
            "due": turn.out.now, "sequence_code": code, "decision": decision}


def _settle(say: _Saying, one: Settling) -> dict[str, Any]:
    """A reason is logged when it is news; what changes in the row."""
    job, news = one.job, one.reason and one.reason != one.job.reason
    code = say(job, job.request(), ("Pending", (("reason", one.reason),))) if news else job.sequence_code
    return {"id": job.id, "lane": one.lane.id, "due": one.until, "reason": one.reason or job.reason,
            "sequence_code": code, "decision": one.decision or job.decision}
