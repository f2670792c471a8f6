"""The questions to Logging & Bookkeeping: functions of a connection that only read.

Who may have the answer is decided by the caller (wms.authz); a job that nobody has registered does not exist.
"""

from __future__ import annotations

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Collection
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from lb import store
from lb.kin import with_kin
from lb.rows import from_row
from lb.state.order import order
from lb.store import jobs
from lb.zombies import known as purged
from wms.errors import JobPurged, NoSuchJob, Refused
from wms.event import Event
from wms.identity import canonical_dn
from wms.jobstatus import JobState, JobStatus

_decode = msgspec.msgpack.Decoder(JobStatus).decode
COLUMNS = (jobs.c.job, jobs.c.version, jobs.c.record)
_ONE = sa.select(*COLUMNS).where(jobs.c.job == sa.bindparam("unique"), jobs.c.type != "")
_CURSOR = struct.Struct(">dq")


class Found(NamedTuple):
    """A registered job: unique part of its identifier, number of its events, status."""

    unique: str
    version: int
    status: JobStatus


class JobsPage(NamedTuple):
    """Jobs, newest first, and the cursor of the next page ("" after the last)."""

    jobs: list[Found]
    cursor: str


def statuses(conn: sa.Connection, uniques: Collection[str]) -> dict[str, Found]:
    """The registered ones of these jobs, by unique part."""
    chosen = sa.select(*COLUMNS).where(jobs.c.job.in_(list(filter(_can_be, uniques))), jobs.c.type != "")
    return related(conn, {row.job: found(*row) for row in conn.execute(chosen).all()})


def status(conn: sa.Connection, unique: str) -> Found:
    """One job; raises NoSuchJob or JobPurged."""
    row = conn.execute(_ONE, {"unique": unique}).one_or_none() if _can_be(unique) else None
    if row is None:
        raise missing(conn, [unique])[unique]
    return related(conn, {unique: found(*row)})[unique]


def related(conn: sa.Connection, jobs: dict[str, Found]) -> dict[str, Found]:
    """The same jobs, by unique part, with what their statuses say of other jobs."""
    told = with_kin(conn, {unique: job.status for unique, job in jobs.items()})
    return {unique: job._replace(status=told[unique]) for unique, job in jobs.items()}


def missing(conn: sa.Connection, uniques: Collection[str]) -> dict[str, NoSuchJob | JobPurged]:
    """What is answered for jobs that are not registered here: perhaps they were."""
    known = purged(conn, list(filter(_can_be, uniques))) if uniques else ()
    return {unique: _purged(unique) if unique in known else _no_such_job(unique) for unique in uniques}


def _can_be(unique: str) -> bool:
    """Not every text of a URL is one for a database."""
    return "\0" not in unique


def _purged(unique: str) -> JobPurged:
    return JobPurged(f"The job {unique[:200]} was purged.", job=unique[:200])


def _no_such_job(unique: str) -> NoSuchJob:
    return NoSuchJob(f"No job {unique[:200]} is registered here.", job=unique[:200],
                     hint="Check the identifier: its host is the server that knows the job.")


def user_jobs(conn: sa.Connection, owner: str, *, limit: int, state: JobState | None = None,
              cursor: str = "", children: bool = True) -> JobsPage:
    """A page of the jobs of `owner` (a DN), newest first; jobs that come meanwhile disturb no page.

    Without `children` only those that have no parent.
    """
    chosen = (sa.select(*COLUMNS, jobs.c.created, jobs.c.id)
              .where(jobs.c.owner == canonical_dn(owner), jobs.c.type != "")
              .order_by(jobs.c.created.desc(), jobs.c.id.desc()))
    if state is not None:
        chosen = chosen.where(jobs.c.state == state.code)
    if not children:
        chosen = chosen.where(jobs.c.parent == "")
    rows = _after(conn, chosen, read_cursor(cursor) if cursor else None, limit + 1)
    following = cursor_text(rows[limit - 1].created, rows[limit - 1].id) if len(rows) > limit else ""
    told = {row.job: found(row.job, row.version, row.record) for row in rows[:limit]}
    return JobsPage(list(related(conn, told).values()), following)


def _after(conn: sa.Connection, chosen: sa.Select[Any], place: tuple[float, int] | None,
           number: int) -> list[sa.Row[Any]]:
    """The next rows. In two steps, as SQLite would look at every row that has the time of the place."""
    if place is None:
        return list(conn.execute(chosen.limit(number)))
    created, id = place
    rows = list(conn.execute(chosen.where(jobs.c.created == created, jobs.c.id < id).limit(number)))
    return rows + list(conn.execute(chosen.where(jobs.c.created < created).limit(number - len(rows))))


def events(conn: sa.Connection, unique: str) -> list[Event]:
    """All events of a job in logical order; none for a job nobody knows."""
    job = conn.execute(sa.select(jobs.c.id, jobs.c.server).where(jobs.c.job == unique)).one_or_none()
    if job is None:
        return []
    rows = conn.execute(sa.select(store.events).where(store.events.c.job == job.id)).mappings()
    url = f"https://{job.server}/{unique}"
    return sorted((from_row(dict(row), url) for row in rows), key=order)


def found(unique: str, version: int, record: bytes) -> Found:
    """A row of COLUMNS, decoded."""
    return Found(unique, version, _decode(record))


def cursor_text(created: float, id: int) -> str:
    """The cursor of what follows this place."""
    return urlsafe_b64encode(_CURSOR.pack(created, id)).decode()


def read_cursor(text: str) -> tuple[float, int]:
    """The place of a cursor; raises Refused."""
    try:
        created, id = _CURSOR.unpack(urlsafe_b64decode(text))
    except (Base64Error, ValueError, struct.error):
        raise Refused("The cursor is not one of ours.", hint="Repeat the query without it.") from None
    return created, id
