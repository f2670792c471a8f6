"""The questions of pages to the tables: families of jobs, their histograms, feeds, and what is new of one job.

Functions of a connection that only read; who may have the answer is decided by the caller.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import sqlalchemy as sa

from lb.feeds import Feed
from lb.parents import histogram as by_class
from lb.query import COLUMNS, Found, JobsPage, cursor_text, found, read_cursor
from lb.tables import histograms, jobs
from wms.identity import canonical_dn
from wms.jobstatus import COMPOSITE, DoneCode, JobState

PASSED_OVER = 50_000
"""Sub-jobs that a page of a user's jobs skips at most before it ends early."""
NESTED = 5
MOST_IN_FEED = 100
COUNTED_ONE_BY_ONE = 5_000
"""Larger collections show the classes that are kept with them, not the true states of their children."""
FAILED = "Failed"
_STATES = {state.code: state for state in JobState}
_PULSE = sa.select(jobs.c.version, jobs.c.state).where(jobs.c.job == sa.bindparam("unique"), jobs.c.type != "")
_CLASSES = (JobState.RUNNING, JobState.DONE, JobState.CLEARED, JobState.ABORTED)


class Family(NamedTuple):
    """A job with the first of its children (none of a simple job) and how many are in each state."""

    job: Found
    children: Sequence[Found]
    histogram: Mapping[str, int]


class FamiliesPage(NamedTuple):
    """Families, newest first, and the cursor of the next page ("" after the last)."""

    families: list[Family]
    cursor: str


class Pulse(NamedTuple):
    """What tells whether a page is still up to date."""

    version: int
    state: JobState
    histogram: Mapping[str, int]


def families(conn: sa.Connection, owner: str, *, limit: int, cursor: str = "") -> FamiliesPage:
    """A page of the jobs of `owner` (a DN) that have no parent, each with its first children."""
    window = (sa.select(*COLUMNS, jobs.c.created, jobs.c.id, jobs.c.parent, jobs.c.type)
              .where(jobs.c.owner == canonical_dn(owner), jobs.c.type != "")
              .order_by(jobs.c.created.desc(), jobs.c.id.desc()).limit(PASSED_OVER))
    if cursor:
        window = window.where(sa.tuple_(jobs.c.created, jobs.c.id) < sa.tuple_(*read_cursor(cursor)))
    seen = window.subquery()
    chosen = (sa.select(seen).where(seen.c.parent == "")
              .order_by(seen.c.created.desc(), seen.c.id.desc()).limit(limit + 1))
    rows = conn.execute(chosen).all()
    following = cursor_text(rows[limit - 1].created, rows[limit - 1].id) if len(rows) > limit else ""
    if len(rows) <= limit:
        following = _end_of_window(conn, seen)
    return FamiliesPage(_with_children(conn, [found(*row[:3]) for row in rows[:limit]]), following)


def _end_of_window(conn: sa.Connection, seen: sa.Subquery) -> str:
    """Where to go on after a page that passed over too many sub-jobs; "" if all were seen."""
    last = conn.execute(sa.select(seen.c.created, seen.c.id).order_by(seen.c.created, seen.c.id)
                        .limit(1)).one_or_none()
    number = conn.execute(sa.select(sa.func.count()).select_from(seen)).scalar_one()
    return cursor_text(last.created, last.id) if last is not None and number == PASSED_OVER else ""


def _with_children(conn: sa.Connection, parents: Sequence[Found]) -> list[Family]:
    composite = [job for job in parents if job.status.jobtype in COMPOSITE]
    first = _first_children(conn, [job.unique for job in composite])
    counted = _histograms(conn, {job.unique: job.status.children_num for job in composite})
    return [Family(job, first.get(job.unique, ()), counted.get(job.unique, {})) for job in parents]


def _first_children(conn: sa.Connection, parents: Sequence[str]) -> dict[str, list[Found]]:
    """By parent, one look into the index for each."""
    each = [sa.select(*COLUMNS, jobs.c.parent).where(jobs.c.parent == parent, jobs.c.type != "")
            .order_by(jobs.c.id).limit(NESTED).subquery() for parent in parents]
    first: dict[str, list[Found]] = {}
    for start in range(0, len(each), 50):
        for row in conn.execute(sa.union_all(*(sa.select(one) for one in each[start:start + 50]))):
            first.setdefault(row.parent, []).append(found(*row[:3]))
    return first


def children(conn: sa.Connection, parent: str, *, limit: int, state: JobState | None = None,
             cursor: str = "") -> JobsPage:
    """A page of the children of a job (its unique part), in the order in which they were registered."""
    chosen = (sa.select(*COLUMNS, jobs.c.id).where(jobs.c.parent == parent, jobs.c.type != "")
              .order_by(jobs.c.id).limit(limit + 1))
    if state is not None:
        chosen = chosen.where(jobs.c.state == state.code)
    if cursor:
        chosen = chosen.where(jobs.c.id > read_cursor(cursor)[1])
    rows = conn.execute(chosen).all()
    following = cursor_text(0.0, rows[limit - 1].id) if len(rows) > limit else ""
    return JobsPage([found(*row[:3]) for row in rows[:limit]], following)


def histogram(conn: sa.Connection, parent: str, number: int) -> Mapping[str, int]:
    """How many of `number` children are in each state; of very many, how many are in each class."""
    return _histograms(conn, {parent: number})[parent]


def kept_histogram(conn: sa.Connection, parent: str, number: int) -> Mapping[str, int]:
    """How many of `number` children are in each class, as it is kept with them: fast, however many they are."""
    return _classes(conn, {parent: number})[parent]


def thorough(conn: sa.Connection, parent: str, number: int) -> Mapping[str, int]:
    """The true states of the children, `Failed` for Done without success; those never heard of are Submitted."""
    return _true_states(conn, {parent: number})[parent]


def _histograms(conn: sa.Connection, numbers: Mapping[str, int]) -> dict[str, Mapping[str, int]]:
    """True states, for as many of these parents, smallest first, as can be counted quickly; of the others classes."""
    smallest = sorted(numbers, key=lambda parent: numbers[parent])
    sums = accumulate(numbers[parent] for parent in smallest)
    quick = {parent: numbers[parent] for parent, total in zip(smallest, sums, strict=True)
             if total <= COUNTED_ONE_BY_ONE}
    slow = {parent: number for parent, number in numbers.items() if parent not in quick}
    return {**_true_states(conn, quick), **_classes(conn, slow)}


def _true_states(conn: sa.Connection, numbers: Mapping[str, int]) -> dict[str, Mapping[str, int]]:
    rows = conn.execute(
        sa.select(jobs.c.parent, jobs.c.state, jobs.c.done_code, sa.func.count())
        .where(jobs.c.parent.in_(numbers), jobs.c.parent != "", jobs.c.type != "")
        .group_by(jobs.c.parent, jobs.c.state, jobs.c.done_code))
    counted: dict[str, Counter[str]] = {parent: Counter() for parent in numbers}
    for parent, code, done_code, count in rows:
        failed = _STATES[code] is JobState.DONE and done_code != DoneCode.OK
        counted[parent][FAILED if failed else _STATES[code].value] += count
    for parent, number in numbers.items():
        counted[parent][JobState.SUBMITTED.value] += max(0, number - counted[parent].total())
    return {parent: {name: count for name, count in counts.items() if count} for parent, counts in counted.items()}


def _classes(conn: sa.Connection, numbers: Mapping[str, int]) -> dict[str, Mapping[str, int]]:
    """The kept histograms of these parents, each with its number of children; the rest counts as Unknown."""
    kept = {row.parent: row for row in conn.execute(sa.select(histograms).where(histograms.c.parent.in_(numbers)))}
    return {parent: dict(_counts(kept.get(parent), number)) for parent, number in numbers.items()}


def _counts(row: Any, number: int) -> Iterator[tuple[str, int]]:
    if row is None:
        yield from by_class((), number).items()
        return
    counts = (row.running, row.done, row.cleared, row.aborted)
    yield from ((state.value, count) for state, count in zip(_CLASSES, counts, strict=True) if count)
    if number > sum(counts):
        yield JobState.UNKNOWN.value, number - sum(counts)


def feed(conn: sa.Connection, owner: str, feed: Feed, since: float) -> list[Found]:
    """The jobs of `owner` that belong into a feed and were heard of after `since` (epoch s), newest first."""
    chosen = (sa.select(*COLUMNS).where(
        jobs.c.owner == canonical_dn(owner), jobs.c.updated >= since,
        jobs.c.state.in_([state.code for state in feed.states]), jobs.c.type == feed.type if feed.type
        else jobs.c.type != "").order_by(jobs.c.updated.desc(), jobs.c.id.desc()).limit(MOST_IN_FEED))
    return [found(*row) for row in conn.execute(chosen)]


def pulse(conn: sa.Connection, unique: str, children: int) -> Pulse | None:
    """What is new of a job, with the histogram of its `children` if it has any; None: it is gone."""
    row = conn.execute(_PULSE, {"unique": unique}).one_or_none()
    if row is None:
        return None
    return Pulse(row.version, _STATES[row.state], histogram(conn, unique, children) if children else {})
