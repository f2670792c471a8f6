"""Searching events along the time at which they happened, for questions that no condition on jobs leads to.

Job by job is in lb.queries.search_events.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from lb.access.rights import View
from lb.access.views import shown
from lb.queries.conditions import Conditions, job_test
from lb.queries.found_events import AT_ONCE, NOTHING, EventHit, EventPlace, EventStep, narrowed, told
from lb.queries.search import START, Hit, Place, Sight, Step
from lb.queries.search_plan import Interval, Plan, between
from lb.query import COLUMNS, found
from lb.tables import events, jobs


def stretch(conn: sa.Connection, times: Sequence[Interval], conditions: Conditions, plan: Plan, sight: Sight,
             place: EventPlace) -> EventStep:
    """The next events of an interval."""
    segment = place.place.segment
    rows = conn.execute(chosen(times, conditions, place)).mappings().all()
    seen = dict(_seen(conn, {row["job"] for row in rows}, plan, sight))
    hits = [EventHit(_at(segment, row), event) for row in rows if row["job"] in seen
            for _number, event in told([row], seen[row["job"]], conditions, sight.salt)]
    hidden = any(hit.view <= View.MONITORING for hit in seen.values())
    if len(rows) == AT_ONCE:
        return Step(hits, _at(segment, rows[-1]), hidden)
    return Step(hits, EventPlace(Place(segment + 1)) if segment + 1 < len(times) else None, hidden)


def chosen(times: Sequence[Interval], conditions: Conditions, place: EventPlace) -> sa.Select[Any]:
    """The rows that follow a place in its interval."""
    keys = (events.c.timestamp, events.c.job, events.c.number)
    found = (sa.select(events).where(*between(events.c.timestamp, times[place.place.segment]), *narrowed(conditions))
             .order_by(*keys).limit(AT_ONCE))
    if place.job == NOTHING:
        return found
    return found.where(sa.tuple_(*keys) > sa.tuple_(place.place.key, place.job, place.number))


def _at(segment: int, row: sa.RowMapping) -> EventPlace:
    return EventPlace(Place(segment, row["timestamp"]), row["job"], row["number"])


def _seen(conn: sa.Connection, keys: set[int], plan: Plan, sight: Sight) -> Iterator[tuple[int, Hit]]:
    """The registered ones of these jobs that satisfy the conditions on jobs."""
    test = job_test(plan.conditions)
    chosen = sa.select(jobs.c.id, *COLUMNS).where(jobs.c.id.in_(keys), jobs.c.type != "")
    for row in conn.execute(chosen):
        job = found(*row[1:])
        if test(job.status, None):
            seen = sight.view(job.status)
            status = shown(job.status, seen, sight.salt)
            if seen is View.FULL or test(status, None):
                yield row.id, Hit(START, seen, job._replace(status=status))
