"""Statements about jobs that are placed and whose next look is due."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from wm.store import PLACED, Job, change_many
from wm.tables import jobs, lanes


def placed_due(conn: sa.Connection, now: float, limit: int) -> list[Job]:
    """Placed jobs to look at now, those first that were due first; locked until the commit."""
    chosen = sa.select(jobs).where(jobs.c.phase == PLACED, jobs.c.due <= now)
    return [Job(*row) for row in conn.execute(chosen.order_by(jobs.c.due).limit(limit).with_for_update())]


def look_again(conn: sa.Connection, dues: Sequence[tuple[Job, float]], now: float) -> None:
    """At each of the jobs when it is due; the time of one of which nobody knows since when it is placed begins now."""
    change_many(conn, [{"id": job.id, "due": due, "placed_at": job.placed_at or now} for job, due in dues])


def look_now(conn: sa.Connection, ce: str, cls: str, now: float) -> None:
    """At all jobs of a class that are placed at a CE."""
    alike = sa.select(lanes.c.id).where(lanes.c.cls == cls)
    conn.execute(jobs.update().where(
        jobs.c.phase == PLACED, jobs.c.ce == ce,
        jobs.c.lane.in_(alike) if cls else jobs.c.lane == "").values(due=now))


def class_of(conn: sa.Connection, lane: str) -> str:
    """The class that a lane is of; "" for none."""
    return conn.scalar(sa.select(lanes.c.cls).where(lanes.c.id == lane)) or ""
