"""The task queue: one row for each job the Workload Manager is responsible for. No decisions here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from wm.tables import jobs
from wms.database import note_topic
from wms.messages.submission import Submit

WAITING, PLACED, OVER = "waiting", "placed", "over"
TOGETHER = 1000
"""Jobs named in one statement: databases bound how many."""
TASKQUEUE = "wm.taskqueue"
"""The topic that is noted when a job may be due: it wakes the broker, no message is behind it."""


class Job(NamedTuple):
    """A row of wm_jobs. `previous`: host names of CEs, newline-joined. `due`: next look at it (epoch s).

    One that waits in a lane by a decision is settled; a new one has no decision yet.
    """

    id: str
    phase: str
    submit: bytes
    sequence_code: str
    attempt: int
    deep: int
    shallow: int
    previous: str
    ce: str
    cancelled: bool
    reason: str
    due: float
    parent: str = ""
    node: int = -1
    lane: str = ""
    submitted: float = 0.0
    placed_at: float = 0.0
    site_faults: int = 0
    replans: int = 0
    decision: str = ""

    def request(self) -> Submit:
        """The message the job came with."""
        return msgspec.json.decode(self.submit, type=Submit)


def unknown(conn: sa.Connection, arrived: Sequence[Submit]) -> list[Submit]:
    """Those that are not here yet, each once."""
    by_id = {submit.job.rsplit("/", 1)[-1]: submit for submit in arrived}
    here = set(conn.scalars(sa.select(jobs.c.id).where(jobs.c.id.in_(by_id))))
    return [submit for id, submit in by_id.items() if id not in here]


def add(conn: sa.Connection, new: Sequence[tuple[Submit, str]], now: float, lane: str = "") -> None:
    """New waiting jobs with their sequence codes, due at once; the broker finds their lane where it is not known."""
    if new:
        conn.execute(jobs.insert(), [
            Job(submit.job.rsplit("/", 1)[-1], WAITING, msgspec.json.encode(submit), code, 1, 0, 0, "", "", False, "",
                now, submit.parent, submit.node, lane, submitted=submit.submitted)._asdict() for submit, code in new])
        note_topic(conn, TASKQUEUE)


_FIND = sa.select(jobs).where(jobs.c.id == sa.bindparam("job")).with_for_update()


def find(conn: sa.Connection, job: str) -> Job | None:
    """The row, locked until the commit; None if the job is not here."""
    row = conn.execute(_FIND, {"job": job.rsplit("/", 1)[-1]}).first()
    return None if row is None else Job(*row)


def due(conn: sa.Connection, now: float, limit: int) -> list[Job]:
    """Waiting jobs to look at now, those that wait longest first."""
    chosen = sa.select(jobs).where(jobs.c.phase == WAITING, jobs.c.due <= now)
    return [Job(*row) for row in conn.execute(chosen.order_by(jobs.c.due, jobs.c.id).limit(limit))]


def still_waiting(conn: sa.Connection, rows: Sequence[Job]) -> set[tuple[str, int]]:
    """(id, attempt) of those that nobody changed since they were read."""
    ids, found = sorted(row.id for row in rows), set[tuple[str, int]]()
    for k in range(0, len(ids), TOGETHER):
        chosen = sa.select(jobs.c.id, jobs.c.attempt).where(
            jobs.c.id.in_(ids[k:k + TOGETHER]), jobs.c.phase == WAITING, jobs.c.cancelled.is_(False))
        found.update((id, attempt) for id, attempt in conn.execute(chosen.order_by(jobs.c.id).with_for_update()))
    return found


@lru_cache(maxsize=64)
def _update(names: tuple[str, ...]) -> sa.Update:
    """The statement that changes these columns of a job, made once."""
    return jobs.update().where(jobs.c.id == sa.bindparam("_id")).values(
        {name: sa.bindparam("_" + name) for name in names})


def change(conn: sa.Connection, id: str, **values: Any) -> None:
    change_many(conn, [{"id": id, **values}])


def change_many(conn: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    """The same columns of several jobs at once; each row has its `id`."""
    if rows:
        conn.execute(_update(tuple(name for name in rows[0] if name != "id")),
                     [{"_" + name: value for name, value in row.items()} for row in rows])


def forget(conn: sa.Connection, before: float) -> int:
    """Drop jobs that were over before `before`."""
    return conn.execute(jobs.delete().where(jobs.c.phase == OVER, jobs.c.due < before)).rowcount
