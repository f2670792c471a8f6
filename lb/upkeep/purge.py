"""Purge, as functions of a connection: which jobs may go, phase one writes their events, phase two deletes them.

A job whose events have changed between the phases stays. Who calls them in turn is lb.upkeep.purger.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from lb import family, zombies
from lb.tables import events, jobs, tags
from lb.upkeep.archive import Growing
from lb.upkeep.dump import line
from lb.upkeep.purge_rules import SPECIAL, Limits
from lb.zombies import Zombie
from wms.jobstatus import COMPOSITE, JobStatus

PAGE = 500
_COMPOSITE = tuple(kind.value for kind in COMPOSITE)
_CHILD = jobs.c.parent != sa.literal_column("''")
_COLUMNS = (jobs.c.id, jobs.c.job, jobs.c.server, jobs.c.owner, jobs.c.type, jobs.c.version, jobs.c.parent,
            jobs.c.updated)


class Doomed(NamedTuple):
    """A row that may go, as it was read."""

    id: int
    unique: str
    server: str
    owner: str
    type: str
    version: int
    parent: str
    updated: float

    @property
    def url(self) -> str:
        return f"https://{self.server}/{self.unique}"

    @property
    def composite(self) -> bool:
        return self.type in _COMPOSITE


class After(NamedTuple):
    """A place among rows in order of their last event."""

    updated: float
    id: int


class Page(NamedTuple):
    """Jobs without a living parent, and where the next page begins (None: there is none)."""

    roots: list[Doomed]
    end: After | None


class Named(NamedTuple):
    """Jobs that were named: those that may go, those that go with a parent that was named too, and those that do not
    go, since their parent stays.
    """

    free: list[Doomed]
    along: list[Doomed]
    bound: list[Doomed]


class Gone(NamedTuple):
    """What phase two did: jobs deleted, jobs that had got news and stay."""

    gone: list[Doomed]
    kept: int


FIRST = After(-1.0, -1)
Told = Callable[[sa.Connection, JobStatus, float], None]
_decode = msgspec.msgpack.Decoder(JobStatus).decode


def ripe(limits: Limits) -> sa.ColumnElement[bool]:
    """The condition on rows of lb_jobs. What nobody has registered is as old as its first event."""
    clauses = [sa.and_(jobs.c.type != "", jobs.c.state == code, jobs.c.updated < end)
               for code, end in limits.states.items()]
    if limits.other is not None:
        clauses += [sa.and_(jobs.c.type != "", jobs.c.state.not_in(SPECIAL), jobs.c.updated < limits.other),
                    sa.and_(jobs.c.type == "", jobs.c.created < limits.other)]
    return sa.or_(sa.false(), *clauses)


def roots(conn: sa.Connection, limits: Limits, after: After, size: int = PAGE) -> Page:
    """Of the next `size` jobs in order of their last event, those old enough that belong to nobody else."""
    old = (sa.select(*_COLUMNS, ripe(limits).label("ripe"))
           .where(jobs.c.updated < limits.latest, jobs.c.updated >= after.updated,
                  sa.tuple_(jobs.c.updated, jobs.c.id) > sa.tuple_(*after))
           .order_by(jobs.c.updated, jobs.c.id).limit(size))
    rows = conn.execute(old).all()
    found = [Doomed(*row[:-1]) for row in rows if row.ripe]
    end = After(rows[-1].updated, rows[-1].id) if len(rows) == size else None
    return Page(_orphans(conn, found), end)


def _orphans(conn: sa.Connection, found: Sequence[Doomed]) -> list[Doomed]:
    """Those whose parent is not here; a job that has no children is nobody's parent."""
    named = {job.parent for job in found if job.parent}
    living = set(conn.execute(sa.select(jobs.c.job).where(jobs.c.job.in_(named), jobs.c.type.in_(_COMPOSITE)))
                 .scalars()) if named else set()
    return [job for job in found if job.parent not in living]


def named(conn: sa.Connection, uniques: Collection[str]) -> Named:
    """The rows of these jobs, whatever their age."""
    found = [Doomed(*row) for row in conn.execute(sa.select(*_COLUMNS).where(
        jobs.c.job.in_(uniques), jobs.c.type != "").order_by(jobs.c.id))]
    free = _orphans(conn, found)
    along = {job.unique for job in found}
    ids = {job.id for job in free}
    children = [job for job in found if job.id not in ids]
    return Named(free, [job for job in children if job.parent in along],
                 [job for job in children if job.parent not in along])


def is_ripe(conn: sa.Connection, root: Doomed, limits: Limits) -> bool:
    """Are all below this parent, of all generations, old enough?"""
    below = sa.select(sa.literal(root.unique, sa.Text).label("job")).cte("below", recursive=True)
    below = below.union(sa.select(jobs.c.job).where(
        jobs.c.parent == below.c.job, _CHILD, jobs.c.type.in_(_COMPOSITE)))
    unripe = sa.select(sa.literal(1)).where(jobs.c.parent == below.c.job, _CHILD, sa.not_(ripe(limits))).limit(1)
    return conn.execute(unripe).first() is None


def children(conn: sa.Connection, parent: str, after: int, limits: Limits | None, size: int = PAGE) -> list[Doomed]:
    """The next children of a job by key of row; with limits, only those old enough."""
    chosen = (sa.select(*_COLUMNS).where(jobs.c.parent == parent, _CHILD, jobs.c.id > after)
              .order_by(jobs.c.id).limit(size))
    return [Doomed(*row) for row in conn.execute(chosen if limits is None else chosen.where(ripe(limits)))]


def write(conn: sa.Connection, groups: Iterable[Sequence[Doomed]], file: Growing) -> int:
    """Phase one: the events of these jobs are on disk, in order of arrival; how many there are."""
    keys = [job.id for group in groups for job in group]
    chosen = (sa.select(events, jobs.c.server, jobs.c.job.label("unique")).join(jobs, jobs.c.id == events.c.job)
              .where(events.c.job.in_(keys)).order_by(events.c.arrived, events.c.job, events.c.number)
              .execution_options(yield_per=PAGE))
    rows, number = iter(conn.execute(chosen).mappings()), 0
    while some := list(islice(rows, PAGE)):
        file.write(b"".join(line(dict(row)) for row in some))
        number += len(some)
    file.sync()
    return number


def bury(conn: sa.Connection, groups: Sequence[Sequence[Doomed]], now: float, told: Told | None = None) -> Gone:
    """Phase two: rows are deleted, registered jobs become zombies. A group of which any job has got news stays.

    `told` hears of each registered job before it is gone.
    """
    versions = _versions(conn, [job for group in groups for job in group])
    going = [job for group in groups if all(versions.get(job.id) == job.version for job in group) for job in group]
    kept = sum(1 for group in groups for job in group if versions.get(job.id) is not None) - len(going)
    if told is not None:
        for status in _statuses(conn, going):
            told(conn, status, now)
    _delete(conn, going)
    zombies.add(conn, [Zombie(job.unique, job.server, job.owner, now) for job in going if job.type])
    return Gone(going, kept)


def _versions(conn: sa.Connection, members: Sequence[Doomed]) -> Mapping[int, int]:
    """How many events these jobs have now; their rows are locked, in the order in which others lock them."""
    chosen = sa.select(jobs.c.id, jobs.c.version).where(jobs.c.id.in_([job.id for job in members]))
    return dict(conn.execute(chosen.order_by(jobs.c.job).with_for_update()).all())


def _statuses(conn: sa.Connection, going: Sequence[Doomed]) -> list[JobStatus]:
    chosen = sa.select(jobs.c.record).where(jobs.c.id.in_([job.id for job in going]), jobs.c.type != "")
    return [_decode(record) for record in conn.execute(chosen).scalars()]


def _delete(conn: sa.Connection, going: Sequence[Doomed]) -> None:
    keys = [job.id for job in going]
    if keys:
        for column in (events.c.job, tags.c.job, jobs.c.id):
            conn.execute(column.table.delete().where(column.in_(keys)))
        family.forget(conn, [job.unique for job in going if job.composite])
