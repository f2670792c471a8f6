"""Searching events: job by job, or along the time (lb.queries.search_times); in steps of bounded size.

Which jobs is a search of its own (lb.queries.search). Each event comes with a place from which a search can go on.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import sqlalchemy as sa

from lb.access.rights import View
from lb.queries.conditions import JOBS, Conditions
from lb.queries.found_events import AT_ONCE, NOTHING, EventHit, EventPlace, EventStep, narrowed, told
from lb.queries.search import START, Hit, Place, Search, Step
from lb.queries.search_plan import Interval, intervals
from lb.queries.search_times import stretch
from lb.tables import events

JOBS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class EventSearch:
    """A question about events of the jobs that `search` finds; `times`: walk along these intervals instead."""

    search: Search
    conditions: Conditions
    times: Sequence[Interval] | None

    @property
    def parts(self) -> int:
        """Places lie in one of so many parts."""
        return len(self.search.plan.segments if self.times is None else self.times)

    def steps(self, start: EventPlace) -> AsyncGenerator[EventStep, None]:
        """All stretches from `start` on."""
        return self._by_job(start) if self.times is None else self._by_time(self.times, start)

    async def _by_job(self, start: EventPlace) -> AsyncGenerator[EventStep, None]:
        begin = await self.search.begun(start.place)
        found = self.search.steps(begin, JOBS_AT_ONCE)
        left = _Left([], begin, NOTHING)
        try:
            async for jobs in found:
                readable = [hit for hit in jobs.hits if hit.view > View.MONITORING]
                hidden = jobs.hidden or len(readable) < len(jobs.hits)
                resumed = bool(readable) and _key(readable[0]) == start.job
                left = _Left(readable, left.before, start.number if resumed else NOTHING)
                while left.jobs:
                    hits, left = await self.search.database.read(
                        _portion, left, self.conditions, self.search.sight.salt)
                    yield Step(hits, left.place, hidden)
                left = _Left([], jobs.place or START, NOTHING)
                yield Step([], None if jobs.place is None else left.place, hidden)
        finally:
            await found.aclose()

    async def _by_time(self, times: Sequence[Interval], start: EventPlace) -> AsyncGenerator[EventStep, None]:
        place: EventPlace | None = start if start.place.segment >= 0 else EventPlace(Place(0))
        while place is not None and place.place.segment < len(times):
            found = await self.search.database.read(
                stretch, times, self.conditions, self.search.plan, self.search.sight, place)
            yield found
            place = found.place


def event_search(search: Search, conditions: Conditions) -> EventSearch:
    """By jobs if conditions lead to some, otherwise along the time if there is a bound on it."""
    if leads_to_jobs(search.plan.conditions):
        return EventSearch(search, conditions, None)
    bounds = (intervals(group) for group in conditions if group[0].attribute == "time")
    return EventSearch(search, conditions, next((found for found in bounds if found is not None), None))


def leads_to_jobs(conditions: Conditions) -> bool:
    """Is one of them about an indexed attribute?"""
    return any(JOBS[group[0].attribute].indexed for group in conditions)


class _Left(NamedTuple):
    """What is still to be read: jobs, the place before them, and up to where the first of them was told."""

    jobs: Sequence[Hit]
    before: Place
    number: int

    @property
    def place(self) -> EventPlace:
        return EventPlace(self.before, _key(self.jobs[0]) if self.jobs else NOTHING, self.number)


def _key(hit: Hit) -> int:
    return NOTHING if hit.place.id is None else hit.place.id


def _portion(conn: sa.Connection, left: _Left, conditions: Conditions, salt: bytes) -> tuple[list[EventHit], _Left]:
    """The events of the first jobs, and what is left."""
    some = left.jobs[:_together(left.jobs)]
    chosen = (sa.select(events).order_by(events.c.job, events.c.number).where(
        events.c.job.in_(list(map(_key, some))), *narrowed(conditions),
        sa.or_(events.c.job != _key(some[0]), events.c.number > left.number)))
    rows = conn.execute(chosen if len(some) > 1 else chosen.limit(AT_ONCE)).mappings().all()
    by_job = {key: list(group) for key, group in groupby(rows, lambda row: row["job"])}
    before = [left.before, *(hit.place for hit in some)]
    hits = [EventHit(EventPlace(place, _key(hit), number), event) for place, hit in zip(before, some, strict=False)
            for number, event in told(by_job.get(_key(hit), ()), hit, conditions, salt)]
    if len(some) == 1 and len(rows) == AT_ONCE:
        return hits, left._replace(number=rows[-1]["number"])
    return hits, _Left(left.jobs[len(some):], before[-1], NOTHING)


def _together(jobs: Sequence[Hit]) -> int:
    """How many jobs have not more events together than are read at once; at least one."""
    total = 0
    for count, hit in enumerate(jobs):
        total += hit.found.version
        if total > AT_ONCE:
            return max(1, count)
    return len(jobs)
