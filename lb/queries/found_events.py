"""Events that were found: as somebody sees them, with the place of each, and what narrows a search in SQL.

Not the ways to them (lb.queries.search_events, lb.queries.search_times).
"""

from __future__ import annotations

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import sqlalchemy as sa

from lb.access.views import shown_events
from lb.queries.conditions import Condition, Conditions, Group, Operator, event_test
from lb.queries.search import START, Hit, Place, Step
from lb.queries.search_plan import Clause, between, intervals
from lb.rows import from_row
from lb.state.order import order
from lb.tables import events
from wms.errors import Refused
from wms.event import EVENT_TYPES, Event, Source

AT_ONCE = 2000
"""Events that a step reads."""
_CURSOR = struct.Struct(">Hdqqq")
NOTHING = -1


class EventPlace(NamedTuple):
    """How far a search has come: of the job that follows `place`, events up to `number` were told if it is `job`.

    Along the time, `place` has the number of the interval and the time of the last event, of which `job` and
    `number` are the key.
    """

    place: Place = START
    job: int = NOTHING
    number: int = NOTHING


class EventHit(NamedTuple):
    place: EventPlace
    event: Event


EventStep = Step[EventHit, EventPlace]


def told(rows: Sequence[sa.RowMapping], hit: Hit, conditions: Conditions,
          salt: bytes) -> Iterator[tuple[int, Event]]:
    """The events of a job that satisfy the conditions as somebody sees them, with their numbers."""
    test, url = event_test(conditions), hit.found.status.job_id
    for row in rows:
        for event in shown_events([from_row(dict(row), url)], hit.view, salt):
            if test(event):
                yield row["number"], event


def in_order(hits: Sequence[EventHit]) -> list[Event]:
    """Events as they are told: each run of one job in logical order."""
    return [event for _job, run in groupby((hit.event for hit in hits), lambda event: event.job)
            for event in sorted(run, key=order)]


def narrowed(conditions: Conditions) -> list[Clause]:
    """What must hold of the columns of events."""
    return [clause for group in conditions if (clause := _narrowed(group)) is not None]


def _narrowed(group: Group) -> Clause | None:
    name = group[0].attribute
    if name == "time":
        bounds = intervals(group)
        return None if bounds is None else sa.or_(
            sa.false(), *(sa.and_(sa.true(), *between(events.c.timestamp, bound)) for bound in bounds))
    return sa.or_(*(_compared(*_CODES[name], one) for one in group)) if name in _CODES else None


def _compared(column: sa.Column[int], codes: Mapping[str, int], one: Condition) -> Clause:
    code = codes[str(one.value)]
    return column == code if one.operator is Operator.EQUAL else column != code


_CODES: Mapping[str, tuple[sa.Column[int], Mapping[str, int]]] = {
    "event_type": (events.c.type, {name: row.code for name, row in EVENT_TYPES.items()}),
    "source": (events.c.source, {source.value: source.code for source in Source})}


def cursor(place: EventPlace | None) -> str:
    """The text of a place, "" for none."""
    if place is None:
        return ""
    (segment, key, id), job, number = place
    return urlsafe_b64encode(_CURSOR.pack(segment, key, NOTHING if id is None else id, job, number)).decode()


def read_cursor(text: str, most: int) -> EventPlace:
    """The place of a cursor of a search in `most` parts, the start for ""; raises Refused."""
    if not text:
        return EventPlace()
    try:
        segment, key, id, job, number = _CURSOR.unpack(urlsafe_b64decode(text))
    except (Base64Error, ValueError, struct.error):
        segment, key, id, job, number = most, 0.0, 0, 0, 0
    if segment >= most or not NOTHING <= number < 1 << 31:
        raise Refused("The cursor does not belong to this question.", hint="Repeat the query without it.")
    return EventPlace(Place(segment, key, None if id == NOTHING else id), job, number)
