"""What is new of a job that somebody watches, and how many of its children are in which state, for drawings.

Functions of a connection that only read. A histogram here tells the children that failed from those that are Done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import accumulate
from typing import NamedTuple

import sqlalchemy as sa

from lb.kin import IS_CHILD, counted
from lb.pages.wording import FAILED
from lb.state.parents import completed
from lb.tables import jobs
from wms.jobstatus import DoneCode, JobState

COUNTED_ONE_BY_ONE = 5_000
"""Larger collections show the classes that are kept with them, not the true states of their children."""
_STATES = tuple(JobState)
_PULSE = sa.select(jobs.c.version, jobs.c.state).where(jobs.c.job == sa.bindparam("unique"), jobs.c.type != "")


class Pulse(NamedTuple):
    """What tells whether a page is still up to date."""

    version: int
    state: JobState
    histogram: Mapping[str, int]


def pulse(conn: sa.Connection, unique: str, children: int) -> Pulse | None:
    """What is new of a job, with the histogram of its `children` if it has any; None: it is gone."""
    row = conn.execute(_PULSE, {"unique": unique}).one_or_none()
    if row is None:
        return None
    return Pulse(row.version, _STATES[row.state], histogram(conn, unique, children) if children else {})


def histogram(conn: sa.Connection, parent: str, number: int) -> Mapping[str, int]:
    """How many of `number` children are in each state; of very many, how many are in each class."""
    return histograms(conn, {parent: number})[parent]


def histograms(conn: sa.Connection, numbers: Mapping[str, int]) -> dict[str, Mapping[str, int]]:
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
        .where(jobs.c.parent.in_(numbers), IS_CHILD, jobs.c.type != "")
        .group_by(jobs.c.parent, jobs.c.state, jobs.c.done_code))
    states: dict[str, Counter[str]] = {parent: Counter() for parent in numbers}
    for parent, code, done_code, count in rows:
        failed = _STATES[code] is JobState.DONE and done_code != DoneCode.OK
        states[parent][FAILED if failed else _STATES[code].value] += count
    for parent, number in numbers.items():
        states[parent][JobState.SUBMITTED.value] += max(0, number - states[parent].total())
    return {parent: {name: count for name, count in counts.items() if count} for parent, counts in states.items()}


def _classes(conn: sa.Connection, numbers: Mapping[str, int]) -> dict[str, Mapping[str, int]]:
    """The kept histograms of these parents, each with its number of children; the rest counts as Unknown."""
    kept = counted(conn, numbers)
    return {parent: completed(kept.get(parent, {}), number) for parent, number in numbers.items()}
