"""The children of a job: identifiers, records, and how many are in each state. Questions that only read.

Children are those who were made or heard of, portion by portion in that order; who may have the answer is decided
by the caller.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from lb.kin import IS_CHILD, counted
from lb.query import COLUMNS, JobsPage, cursor_text, found, read_cursor, status
from lb.state.parents import Histogram, completed
from lb.tables import jobs
from wms.jobstatus import JobState

_STATES = tuple(JobState)
_CHILDREN = (jobs.c.parent == sa.bindparam("parent"), IS_CHILD, jobs.c.type != "")
_PAGE = (jobs.c.id > sa.bindparam("after"),)
_IDS = (sa.select(jobs.c.server, jobs.c.job, jobs.c.id).where(*_CHILDREN, *_PAGE)
        .order_by(jobs.c.id).limit(sa.bindparam("most")))
_RECORDS = (sa.select(*COLUMNS, jobs.c.id).where(*_CHILDREN, *_PAGE)
            .order_by(jobs.c.id).limit(sa.bindparam("most")))
_BY_STATE = sa.select(jobs.c.state, sa.func.count()).where(*_CHILDREN).group_by(jobs.c.state)


class IdsPage(NamedTuple):
    """Identifiers (URLs), and the cursor of the next page ("" after the last)."""

    ids: list[str]
    cursor: str


def ids(conn: sa.Connection, parent: str, *, limit: int, cursor: str = "") -> IdsPage:
    """A page of the identifiers of the children of a job (its unique part)."""
    rows = conn.execute(_IDS, _asked(parent, limit, cursor)).all()
    return IdsPage([f"https://{server}/{job}" for server, job, _id in rows[:limit]], _next(rows, limit))


def records(conn: sa.Connection, parent: str, *, limit: int, cursor: str = "") -> JobsPage:
    """A page of the statuses of the children."""
    rows = conn.execute(_RECORDS, _asked(parent, limit, cursor)).all()
    return JobsPage([found(*row[:3]) for row in rows[:limit]], _next(rows, limit))


def histogram(conn: sa.Connection, parent: str, thorough: bool) -> Histogram:
    """How many children are in each class, as it is stored; thorough: in each state, counted now.

    A child nobody spoke of is Unknown among the classes, Submitted among the states. Raises NoSuchJob.
    """
    number = status(conn, parent).status.children_num
    if not thorough:
        return completed(counted(conn, [parent]).get(parent, {}), number)
    true = Counter({_STATES[code].value: count for code, count in conn.execute(_BY_STATE, {"parent": parent}).all()})
    true[JobState.SUBMITTED.value] += max(0, number - true.total())
    return dict(+true)


def _asked(parent: str, limit: int, cursor: str) -> dict[str, object]:
    return {"parent": parent, "most": limit + 1, "after": read_cursor(cursor)[1] if cursor else 0}


def _next(rows: Sequence[Any], limit: int) -> str:
    return cursor_text(0.0, rows[limit - 1].id) if len(rows) > limit else ""
