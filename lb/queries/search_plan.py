"""From conditions on jobs to SQL: which index leads to the jobs, in which order, and what narrows them further.

SQL may give too many jobs, never too few: whoever reads them tests them by all conditions (lb.queries.search).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from lb.queries.condition_values import KEYS
from lb.queries.conditions import JOB_ATTRIBUTES, JOBS, Condition, Conditions, Group, Operator, job_test
from lb.store import LONGEST_COLUMN, LONGEST_TAG, NOWHERE
from lb.tables import jobs, tags
from wms.errors import NoIndex
from wms.jobstatus import JobState, JobStatus

Clause = sa.ColumnElement[bool]
Interval = tuple[float, float]
FIRST, LAST = float("-inf"), float("inf")
COUNTED = 10_000
"""Jobs that are counted to compare ways."""
_NOTHING = sa.literal_column("''", sa.Text)
"""As the indexes that leave out rows have it, for planners that want the same words."""


class Segment(NamedTuple):
    """A part of the jobs that one walk along an index gives in order of `keys`, the last of which is the row's id.

    Segments of a way have no job in common; `final` is the last of its way.
    """

    where: tuple[Clause, ...]
    keys: tuple[sa.Column[Any], ...]
    descending: bool
    origin: sa.FromClause = jobs
    final: bool = False


class Plan(NamedTuple):
    """The segments of all ways to the jobs, each of which leads to all of them, and where each way begins.

    Rows for which all of `narrow` hold may satisfy the conditions.
    """

    segments: Sequence[Segment]
    begins: Sequence[int]
    narrow: tuple[Clause, ...]
    conditions: Conditions


def plan(conditions: Conditions) -> Plan:
    """How to find these jobs."""
    ways = list(_ways(conditions)) or [[Segment((), (jobs.c.id,), descending=True)]]
    segments = [segment._replace(final=number == len(way)) for way in ways for number, segment in enumerate(way, 1)]
    begins = [0, *(number for number, segment in enumerate(segments[:-1], 1) if segment.final)]
    return Plan(segments, begins, tuple(clause for group in conditions if (clause := _narrowed(group)) is not None),
                conditions)


def shortest(conn: sa.Connection, plan: Plan) -> int:
    """Where the way begins on which there are the fewest jobs, as far as it is worth to count."""
    return min(plan.begins, key=lambda begin: _length(conn, plan, begin)) if len(plan.begins) > 1 else 0


def _length(conn: sa.Connection, plan: Plan, begin: int) -> int:
    total, number = 0, begin
    while total < COUNTED:
        segment = plan.segments[number]
        counted = sa.select(sa.literal(1)).select_from(segment.origin).where(*segment.where).limit(COUNTED - total)
        total += conn.execute(sa.select(sa.func.count()).select_from(counted.subquery())).scalar_one()
        if segment.final:
            break
        number += 1
    return total


def require_index(conditions: Conditions, *, also: bool = False) -> None:
    """Raises NoIndex unless a group is about an indexed attribute or the question has another way (`also`)."""
    if not also and not any(JOBS[group[0].attribute].indexed for group in conditions):
        raise NoIndex("The conditions would look at every job of the server.", attributes=list(INDEXED), lb_code=1416,
                      hint=f"Add a condition on one of {', '.join(INDEXED)}; of events, one on their time will do.")


INDEXED = tuple(row.name for row in JOB_ATTRIBUTES if row.indexed)


# -- what leads to the jobs ------------------------------------------------------------------------------


def _ways(conditions: Conditions) -> Iterator[Sequence[Segment]]:
    for name, segments in _LEADING.items():
        for group in conditions:
            if group[0].attribute == name and (found := segments(group)) is not None:
                yield found


def _values(group: Group) -> list[Any] | None:
    """What the attribute must be one of; None if other things are asked of it."""
    if any(one.operator is not Operator.EQUAL for one in group):
        return None
    key = KEYS.get(JOBS[group[0].attribute].kind, _same)
    return list(dict.fromkeys(key(one.value) for one in group))


def _same(value: Any) -> Any:
    return value


def _unique(job: str) -> str:
    return job.rpartition("/")[2][:LONGEST_COLUMN]


def _by_id(group: Group) -> Sequence[Segment] | None:
    values = _values(group)
    return values and [Segment((jobs.c.job.in_(list(map(_unique, values))),), (jobs.c.id,), descending=True)]


def _by_parent(group: Group) -> Sequence[Segment] | None:
    values = _values(group)
    return values and [Segment((jobs.c.parent == parent, jobs.c.parent != _NOTHING), (jobs.c.id,), descending=False)
                       for parent in dict.fromkeys(map(_unique, values))]


def _by_owner(group: Group) -> Sequence[Segment] | None:
    values = _values(group)
    return values and [Segment((jobs.c.owner == owner,), (jobs.c.created, jobs.c.id), descending=True)
                       for owner in _beginnings(values)]


def _by_text(column: sa.Column[str]) -> Callable[[Group], Sequence[Segment] | None]:
    def segments(group: Group) -> Sequence[Segment] | None:
        values = _values(group)
        if values is None or not all(map(_in_column, values)):
            return None
        return [Segment((column == value, column != _NOTHING), (jobs.c.id,), descending=True)
                for value in _beginnings(values)]

    return segments


def _in_column(text: str) -> bool:
    return text not in ("", NOWHERE)


def _beginnings(values: Sequence[str], longest: int = LONGEST_COLUMN) -> list[str]:
    """What is in the columns of these texts, each once."""
    return list(dict.fromkeys(value[:longest] for value in values))


def _by_tag(group: Group) -> Sequence[Segment] | None:
    if any(one.operator is Operator.UNEQUAL for one in group):
        return None
    named, values = tags.c.name == group[0].name, _values(group)
    wheres = [(named,)] if values is None else [
        (named, tags.c.value == value) for value in _beginnings(values, LONGEST_TAG)]
    joined = tags.join(jobs, jobs.c.id == tags.c.job)
    return [Segment(where, (tags.c.job,), descending=True, origin=joined) for where in wheres]


def _by_update(group: Group) -> Sequence[Segment] | None:
    found = intervals(group)
    if found is None:
        return None
    return [Segment(tuple(between(jobs.c.updated, interval)), (jobs.c.updated, jobs.c.id), descending=True)
            for interval in reversed(found)] or [Segment((sa.false(),), (jobs.c.id,), descending=True)]


def intervals(group: Group) -> list[Interval] | None:
    """The closed intervals that hold what is asked of a time, in order and apart; None if there is no bound."""
    if any(one.operator is Operator.UNEQUAL for one in group):
        return None
    merged: list[Interval] = []
    for low, high in sorted(map(_interval, group)):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        elif low <= high:
            merged.append((low, high))
    return None if (FIRST, LAST) in merged else merged


def _interval(one: Condition) -> Interval:
    value = float(one.value)
    match one.operator:
        case Operator.LESS:
            return FIRST, value
        case Operator.GREATER:
            return value, LAST
        case Operator.WITHIN:
            return value, float(one.value2)
        case _:
            return value, value


def between(column: sa.Column[float], interval: Interval) -> Iterator[Clause]:
    low, high = interval
    if low != FIRST:
        yield column >= low
    if high != LAST:
        yield column <= high


_LEADING: Mapping[str, Callable[[Group], Sequence[Segment] | None]] = {  # the sharpest first
    "jobid": _by_id, "parent_job": _by_parent, "usertag": _by_tag, "owner": _by_owner,
    "destination": _by_text(jobs.c.destination), "location": _by_text(jobs.c.location),
    "last_update_time": _by_update}


# -- what narrows them -----------------------------------------------------------------------------------


def _narrowed(group: Group) -> Clause | None:
    """What must hold of the columns of a row; None if they cannot tell."""
    name = group[0].attribute
    if name == "status":
        return jobs.c.state.in_([state.code for state in JobState if job_test((group,))(JobStatus(state=state), None)])
    if name in _TEXTS:
        values = _values(group)
        return _TEXTS[name].in_(_beginnings(values)) if values and all(map(_in_column, values)) else None
    if name in _COLUMNS:
        return sa.or_(*(_OPERATORS[one.operator](_COLUMNS[name], one) for one in group))
    return None


def _key(one: Condition) -> Any:
    return KEYS.get(JOBS[one.attribute].kind, _same)(one.value)


def _in_row(one: Condition) -> Any:
    key = _key(one)
    return key[:LONGEST_COLUMN] if isinstance(key, str) else key


def _bound(value: Any) -> sa.ColumnElement[Any]:
    """A value that need not fit into the column it is compared to."""
    return sa.literal(value, sa.BigInteger) if isinstance(value, int) else sa.literal(value)


_TEXTS: Mapping[str, sa.Column[str]] = {"destination": jobs.c.destination, "location": jobs.c.location}
_COLUMNS: Mapping[str, sa.Column[Any]] = {
    "owner": jobs.c.owner, "done_code": jobs.c.done_code, "state_enter_time": jobs.c.entered,
    "last_update_time": jobs.c.updated, "job_type": jobs.c.type}
_OPERATORS: Mapping[Operator, Callable[[sa.Column[Any], Condition], Clause]] = {
    Operator.EQUAL: lambda column, one: column == _bound(_in_row(one)),
    Operator.UNEQUAL: lambda column, one: column != _bound(_key(one)),
    Operator.LESS: lambda column, one: column < _bound(one.value),
    Operator.GREATER: lambda column, one: column > _bound(one.value),
    Operator.WITHIN: lambda column, one: column.between(_bound(one.value), _bound(one.value2)),
}


