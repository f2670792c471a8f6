"""Searching jobs: a walk along an index in steps of bounded size, from any place to a limit, in flat memory.

Which way to walk is decided in lb.queries.search_plan, who sees what in lb.access.rights, replies are made in
lb.queries.query_operations.
"""

from __future__ import annotations

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import sqlalchemy as sa

from lb.access.rights import Policy, View, view
from lb.access.views import shown
from lb.queries.conditions import JobTest, job_test
from lb.queries.search_plan import Clause, Plan, Segment, shortest
from lb.query import COLUMNS, Found, found, related
from lb.tables import jobs
from wms.database import Database
from wms.errors import Refused
from wms.identity import Identity
from wms.jobstatus import JobStatus

NARROWEST, WIDEST = 50, 5000
"""Rows that a step looks at."""
DECODED = 200
"""Records that are in memory at the same time."""
_CURSOR = struct.Struct(">Hdq")
_SEGMENT_START = -1


class Place(NamedTuple):
    """How far a search has come: number of the segment (-1: no way was chosen yet), and the last row's key and id
    (None: at the beginning).
    """

    segment: int = -1
    key: float = 0.0
    id: int | None = None


START = Place()


@dataclass(frozen=True, slots=True)
class Sight:
    """What somebody sees of jobs; may be asked in any thread. `salt` hides names."""

    who: Identity
    policy: Policy
    salt: bytes

    def view(self, status: JobStatus) -> View:
        return view(self.policy, self.who, status)

    def shown(self, job: Found) -> Found | None:
        """What is seen of a job, None for nothing."""
        seen = self.view(job.status)
        return None if seen is View.NONE else job._replace(status=shown(job.status, seen, self.salt))


class Hit(NamedTuple):
    """A job that was searched for: where, how much of it is seen, and what is seen."""

    place: Place
    view: View
    found: Found


class Placed(Protocol):
    @property
    def place(self) -> Any: ...


H = TypeVar("H", bound=Placed)
P = TypeVar("P")


class Step(NamedTuple, Generic[H, P]):
    """What was found on a stretch of the way; `place` is its end, None after all. `hidden`: some may not be seen."""

    hits: list[H]
    place: P | None
    hidden: bool


async def taken(steps: AsyncGenerator[Step[H, P], None], limit: int,
                ended: Callable[[], bool]) -> AsyncGenerator[Step[H, P], None]:
    """The steps that hold the first `limit` hits; the place of the last one is where to go on, None if that is all.

    Fewer when `ended()`.
    """
    place, left = None, limit
    try:
        async for found in steps:
            if len(found.hits) > left:
                yield Step(found.hits[:left], found.hits[left - 1].place if left else place, found.hidden)
                return
            yield found
            place, left = found.place, left - len(found.hits)
            if ended():
                return
    finally:
        await steps.aclose()


async def page(steps: AsyncGenerator[Step[H, P], None], limit: int, ended: Callable[[], bool]) -> Step[H, P]:
    """The same at once."""
    hits: list[H] = []
    hidden, place = False, None
    async for stretch in taken(steps, limit, ended):
        hits += stretch.hits
        hidden, place = hidden or stretch.hidden, stretch.place
    return Step(hits, place, hidden)


@dataclass(frozen=True, slots=True)
class Search:
    """A question of somebody to a database."""

    database: Database
    plan: Plan
    sight: Sight

    async def begun(self, place: Place) -> Place:
        """The same place, on a way."""
        return place if place.segment >= 0 else Place(await self.database.read(shortest, self.plan))

    async def steps(self, start: Place, want: int) -> AsyncGenerator[Step[Hit, Place], None]:
        """All stretches from `start` on, each with `want` jobs at most; longer ones while they give few."""
        place: Place | None = await self.begun(start)
        window = min(max(want, NARROWEST), WIDEST)
        while place is not None:
            found = await self.database.read(step, self.plan, self.sight, place, window, want)
            yield found
            place = found.place
            window = min(4 * window, WIDEST)


def step(conn: sa.Connection, plan: Plan, sight: Sight, place: Place, window: int, want: int) -> Step[Hit, Place]:
    """Look at the next `window` rows; no further than to the job that is number `want`."""
    segment = plan.segments[place.segment]
    rows = conn.execute(walk(segment, plan.narrow, place, window)).all()
    hits: list[Hit] = []
    hidden = False
    for hit in _hits(conn, [_place(place.segment, row) for row in rows if row[-1]], plan, sight):
        if hit.view is View.NONE:
            hidden = True
            continue
        hits.append(hit)
        if len(hits) == want:
            return Step(hits, hit.place, hidden)
    if len(rows) == window:
        return Step(hits, _place(place.segment, rows[-1]), hidden)
    return Step(hits, None if segment.final else Place(place.segment + 1), hidden)


def walk(segment: Segment, narrow: Sequence[Clause], place: Place, window: int) -> sa.Select[Any]:
    """The keys of the next rows of a segment, and whether each may be one of those that are searched for."""
    chosen = (sa.select(*segment.keys, sa.and_(sa.true(), *narrow)).select_from(segment.origin)
              .where(jobs.c.type != "", *segment.where).limit(window)
              .order_by(*(key.desc() if segment.descending else key.asc() for key in segment.keys)))
    if place.id is None:
        return chosen
    keys, values = sa.tuple_(*segment.keys), (place.key, place.id)[-len(segment.keys):]
    return chosen.where(keys < values if segment.descending else keys > values)


def _place(segment: int, row: Sequence[Any]) -> Place:
    """The place of a row of `walk`: (key,) id, whether it fits."""
    return Place(segment, row[0] if len(row) == 3 else 0.0, row[-2])


def _hits(conn: sa.Connection, places: Sequence[Place], plan: Plan, sight: Sight) -> Iterator[Hit]:
    """Those of the jobs at these places that satisfy the conditions; what is hidden comes without its status."""
    test = job_test(plan.conditions)
    for start in range(0, len(places), DECODED):
        some = places[start:start + DECODED]
        chosen = sa.select(jobs.c.id, *COLUMNS).where(jobs.c.id.in_([place.id for place in some]))
        rows = conn.execute(chosen).all()
        uniques = {row.id: row.job for row in rows}
        told = related(conn, {row.job: found(*row[1:]) for row in rows})
        for place in some:
            if place.id in uniques and (hit := _hit(place, told[uniques[place.id]], test, sight)) is not None:
                yield hit


def _hit(place: Place, job: Found, test: JobTest, sight: Sight) -> Hit | None:
    """A job tested; what somebody cannot see does not answer their question either."""
    if not test(job.status, None):
        return None
    seen = sight.view(job.status)
    status = shown(job.status, seen, sight.salt)
    if seen < View.FULL and not test(status, None):
        seen, status = View.NONE, JobStatus()
    return Hit(place, seen, job._replace(status=status))


def cursor(place: Place | None) -> str:
    """The text of a place, "" for none."""
    if place is None:
        return ""
    packed = _CURSOR.pack(place.segment, place.key, _SEGMENT_START if place.id is None else place.id)
    return urlsafe_b64encode(packed).decode()


def read_cursor(text: str, plan: Plan) -> Place:
    """The place of a cursor, the start for ""; raises Refused."""
    if not text:
        return START
    try:
        segment, key, id = _CURSOR.unpack(urlsafe_b64decode(text))
    except (Base64Error, ValueError, struct.error):
        segment, key, id = len(plan.segments), 0.0, 0
    if segment >= len(plan.segments):
        raise Refused("The cursor does not belong to this question.", hint="Repeat the query without it.")
    return Place(segment, key, None if id == _SEGMENT_START else id)
