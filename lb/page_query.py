"""The questions of pages to the tables: families of jobs, children, and feeds.

Functions of a connection that only read; who may have the answer is decided by the caller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from lb.feeds import Feed
from lb.kin import IS_CHILD
from lb.pulse import histograms
from lb.query import COLUMNS, Found, JobsPage, cursor_text, found, read_cursor
from lb.tables import jobs
from wms.identity import canonical_dn
from wms.jobstatus import COMPOSITE, JobState

PASSED_OVER = 20_000
"""Sub-jobs that a page of a user's jobs skips at most before it ends early."""
NESTED = 5
MOST_IN_FEED = 100


class Family(NamedTuple):
    """A job with the first of its children (none of a simple job) and how many are in each state."""

    job: Found
    children: Sequence[Found]
    histogram: Mapping[str, int]


class FamiliesPage(NamedTuple):
    """Families, newest first, and the cursor of the next page ("" after the last)."""

    families: list[Family]
    cursor: str


def families(conn: sa.Connection, owner: str, *, limit: int, cursor: str = "") -> FamiliesPage:
    """A page of the jobs of `owner` (a DN) that have no parent, each with its first children."""
    window = (sa.select(*COLUMNS, jobs.c.created, jobs.c.id, jobs.c.parent)
              .where(jobs.c.owner == canonical_dn(owner), jobs.c.type != "")
              .order_by(jobs.c.created.desc(), jobs.c.id.desc()))
    if cursor:
        window = window.where(sa.tuple_(jobs.c.created, jobs.c.id) < sa.tuple_(*read_cursor(cursor)))
    seen = window.limit(PASSED_OVER).subquery()
    rows = conn.execute(sa.select(seen).where(seen.c.parent == "")
                        .order_by(seen.c.created.desc(), seen.c.id.desc()).limit(limit + 1)).all()
    if len(rows) <= limit:
        ends = window.with_only_columns(jobs.c.created, jobs.c.id).offset(PASSED_OVER - 1).limit(2)
        last, more = [*conn.execute(ends).all(), None, None][:2]
    else:
        last, more = rows[limit - 1:]
    return FamiliesPage(_with_children(conn, [found(*row[:3]) for row in rows[:limit]]),
                        cursor_text(last.created, last.id) if last and more else "")


def _with_children(conn: sa.Connection, parents: Sequence[Found]) -> list[Family]:
    composite = [job for job in parents if job.status.jobtype in COMPOSITE]
    first = _first_children(conn, [job.unique for job in composite])
    drawn = histograms(conn, {job.unique: job.status.children_num for job in composite})
    return [Family(job, first.get(job.unique, ()), drawn.get(job.unique, {})) for job in parents]


def _first_children(conn: sa.Connection, parents: Sequence[str]) -> dict[str, list[Found]]:
    """By parent, one look into the index for each."""
    each = [sa.select(*COLUMNS, jobs.c.parent).where(jobs.c.parent == parent, IS_CHILD, jobs.c.type != "")
            .order_by(jobs.c.id).limit(NESTED).subquery() for parent in parents]
    first: dict[str, list[Found]] = {}
    for start in range(0, len(each), 50):
        for row in conn.execute(sa.union_all(*(sa.select(one) for one in each[start:start + 50]))):
            first.setdefault(row.parent, []).append(found(*row[:3]))
    return first


def children(conn: sa.Connection, parent: str, *, limit: int, state: JobState | None = None,
             cursor: str = "") -> JobsPage:
    """A page of the children of a job (its unique part), in the order in which they were registered."""
    chosen = (sa.select(*COLUMNS, jobs.c.id).where(jobs.c.parent == parent, IS_CHILD, jobs.c.type != "")
              .order_by(jobs.c.id).limit(limit + 1))
    if state is not None:
        chosen = chosen.where(jobs.c.state == state.code)
    if cursor:
        chosen = chosen.where(jobs.c.id > read_cursor(cursor)[1])
    rows = conn.execute(chosen).all()
    following = cursor_text(0.0, rows[limit - 1].id) if len(rows) > limit else ""
    return JobsPage([found(*row[:3]) for row in rows[:limit]], following)


def feed(conn: sa.Connection, owner: str, feed: Feed, since: float) -> list[Found]:
    """The jobs of `owner` that belong into a feed and were heard of after `since` (epoch s), newest first."""
    chosen = (sa.select(*COLUMNS).where(
        jobs.c.owner == canonical_dn(owner), jobs.c.updated >= since,
        jobs.c.state.in_([state.code for state in feed.states]), jobs.c.type == feed.type if feed.type
        else jobs.c.type != "").order_by(jobs.c.updated.desc(), jobs.c.id.desc()).limit(MOST_IN_FEED))
    return [found(*row) for row in conn.execute(chosen)]
