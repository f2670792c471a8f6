"""The jobs that match when a registration is made, told before the changes to come: in portions, behind the reply.

How far it has come is a mark in the database: a restart goes on there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from lb import marks, query
from lb.notices import notification_store
from lb.notices.notification_follower import Notifier
from lb.notices.notification_index import keys
from lb.notices.notifications import Registration, watch
from lb.tables import jobs
from lb.tables import marks as table
from wms.jobstatus import JobStatus
from wms.service import Kit, Ticker

BEGINNING = "bootstrap "
PORTION = 500
PERIOD_S = 300.0
_decode = msgspec.msgpack.Decoder(JobStatus).decode
_COLUMNS = {"owner": jobs.c.owner, "jobid": jobs.c.job, "parent_job": jobs.c.parent}


class Portion(NamedTuple):
    """Jobs that match (unique parts) among those up to `last` (key of a row; None: there are no more)."""

    matching: list[str]
    last: int | None


def begin(conn: sa.Connection, id: str) -> None:
    """This registration is to be told of all jobs that match."""
    marks.put(conn, BEGINNING + id, "0")


def pending(conn: sa.Connection) -> list[tuple[str, int]]:
    """(registration, key of the last job that was looked at) of those not done."""
    chosen = sa.select(table).where(table.c.name > BEGINNING, table.c.name < f"{BEGINNING}~")
    return [(name.removeprefix(BEGINNING), int(value)) for name, value in conn.execute(chosen)]


def portion(conn: sa.Connection, id: str, after: int, now: float) -> Portion:
    """The next jobs that match a registration; none if it is over."""
    registration = notification_store.get(conn, id, now)
    if registration is None:
        return Portion([], None)
    rows = conn.execute(_chosen(registration, after)).all()
    asked = watch(registration)
    matching = [row.job for row in rows if asked.concerned(None, _decode(row.record), now)]
    return Portion(matching, rows[-1].id if len(rows) == PORTION else None)


def _chosen(registration: Registration, after: int) -> sa.Select[Any]:
    """Jobs in the order of their rows, by index where the conditions demand a value of an indexed column."""
    chosen = (sa.select(jobs.c.id, jobs.c.job, jobs.c.record).where(jobs.c.type != "", jobs.c.id > after)
              .order_by(jobs.c.id).limit(PORTION))
    demanded = keys(registration.conditions)
    column = _COLUMNS.get(demanded[0].attribute)
    if column is None:
        return chosen
    values = [key.value if column is jobs.c.owner else key.value.rpartition("/")[2] for key in demanded]
    return chosen.where(column.in_(values))


def tell(conn: sa.Connection, notifier: Notifier, id: str, found: Portion, now: float) -> None:
    """How these jobs are now, and how far that is."""
    registration = notification_store.get(conn, id, now)
    if registration is not None:
        now_there = query.statuses(conn, found.matching)
        statuses = [now_there[unique].status for unique in found.matching if unique in now_there]
        notifier.current(conn, watch(registration), statuses, now)
    if found.last is None:
        conn.execute(table.delete().where(table.c.name == BEGINNING + id))
    else:
        marks.put(conn, BEGINNING + id, str(found.last))


class Bootstrap(Ticker):
    """Does all that is pending, when poked and after a restart."""

    def __init__(self, kit: Kit, notifier: Notifier) -> None:
        super().__init__(kit, "bootstrap", PERIOD_S, self._all)
        self._notifier = notifier

    async def _all(self) -> None:
        database = self._kit.database
        while (found := await database.read(pending)) and not self._nap.ended:
            for id, after in found:
                now = self._kit.now()
                part = await database.read(portion, id, after, now)
                await database.transact(tell, self._notifier, id, part, now)
