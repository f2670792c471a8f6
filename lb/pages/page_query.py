"""The questions of pages to the tables: families of jobs, children, and feeds.

Functions of a connection that only read; who may have the answer is decided by the caller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from lb.kin import IS_CHILD
from lb.pages.feeds import Feed
from lb.pages.pulse import histograms
from lb.query import COLUMNS, Found, JobsPage, cursor_text, found, read_cursor
from lb.tables import jobs
from wms.identity import canonical_dn
from wms.jobstatus import COMPOSITE, JobState

PASSED_OVER = 20_000
"""Sub-jobs that a page of a user's jobs skips at most before it ends early."""
LONGEST_STRETCH = 5_000
NESTED = 5
MOST_IN_FEED = 100
LOOKED_THROUGH = 50_000
Place = tuple[float, int]
Row = tuple[float, int, str]
_OWNERS = sa.select(jobs.c.created, jobs.c.id, jobs.c.parent).where(jobs.c.type != "").order_by(
    jobs.c.created.desc(), jobs.c.id.desc())


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
    tops, following = _tops(conn, canonical_dn(owner), limit, read_cursor(cursor) if cursor else None)
    rows = conn.execute(sa.select(*COLUMNS, jobs.c.id).where(jobs.c.id.in_(tops))).all()
    by_id = {row.id: found(*row[:3]) for row in rows}
    return FamiliesPage(_with_children(conn, [by_id[id] for id in tops if id in by_id]),
                        cursor_text(*following) if following else "")


def _tops(conn: sa.Connection, owner: str, limit: int, place: Place | None) -> tuple[list[int], Place | None]:
    """Keys of the rows of the next jobs without a parent, and where to go on; looks at longer and longer stretches."""
    tops: list[int] = []
    looked, stretch = 0, limit + 1
    while looked < PASSED_OVER:
        rows = _walk(conn, owner, place, stretch)
        for created, id, parent in rows:
            if parent == "" and len(tops) == limit:
                return tops, place
            place = created, id
            tops += [] if parent else [id]
        if len(rows) < stretch:
            return tops, None
        place = _past_siblings(conn, rows)
        looked, stretch = looked + stretch, min(4 * stretch, LONGEST_STRETCH)
    return tops, place


def _walk(conn: sa.Connection, owner: str, place: Place | None, number: int) -> list[Row]:
    """The next rows of an owner. In two steps, as SQLite would look at every row that has the time of the place."""
    of_owner = _OWNERS.where(jobs.c.owner == owner)
    if place is None:
        return _rows(conn, of_owner.limit(number))
    created, id = place
    rows = _rows(conn, of_owner.where(jobs.c.created == created, jobs.c.id < id).limit(number))
    return rows + _rows(conn, of_owner.where(jobs.c.created < created).limit(number - len(rows)))


def _rows(conn: sa.Connection, chosen: sa.Select[Any]) -> list[Row]:
    return [(created, id, parent) for created, id, parent in conn.execute(chosen)]


def _past_siblings(conn: sa.Connection, rows: Sequence[Row]) -> Place:
    """The place of the last row; if all are children of one registration, the place before their parent.

    Children that exist by the registration of their parent have its time, to the microsecond, and came after it.
    """
    created, id, parent = rows[-1]
    if parent and {(row[0], row[2]) for row in rows} == {(created, parent)}:
        head = conn.execute(sa.select(jobs.c.id).where(
            jobs.c.job == parent, jobs.c.created == created, jobs.c.id < id)).scalar_one_or_none()
        return created, id if head is None else head + 1
    return created, id


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
    """A page of the children of a job (its unique part), in the order in which their rows were made."""
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
    """The jobs of `owner` that belong into a feed and were heard of after `since` (epoch s), newest first.

    On a server where very much happens, not all of that time is looked through.
    """
    newest = (sa.select(jobs.c.id, jobs.c.updated, jobs.c.owner, jobs.c.state, jobs.c.type)
              .where(jobs.c.updated >= since).order_by(jobs.c.updated.desc()).limit(LOOKED_THROUGH).subquery())
    states = [state.code for state in feed.states]
    of_type = newest.c.type == feed.type if feed.type else newest.c.type != ""
    chosen = (sa.select(newest.c.id).where(newest.c.owner == canonical_dn(owner), newest.c.state.in_(states), of_type)
              .order_by(newest.c.updated.desc(), newest.c.id.desc()).limit(MOST_IN_FEED))
    ids = list(conn.execute(chosen).scalars())
    records = {row.id: found(*row[:3]) for row in conn.execute(
        sa.select(*COLUMNS, jobs.c.id).where(jobs.c.id.in_(ids)))}
    return [records[id] for id in ids if id in records]
