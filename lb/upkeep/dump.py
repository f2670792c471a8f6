"""Dumps: the stored events of an interval of arrival, portion by portion, as lines of a log.

Reads only. The file around the lines is lb.upkeep.archive's; what makes jobs of them again is lb.upkeep.load.
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from lb import marks
from lb.rows import from_row
from lb.tables import events, jobs
from lb.ulm_log import moment, written
from wms.errors import BadEvent, Refused

OVERLAP_S = 60.0
"""A dump since the last one begins this much earlier: an event may have been on its way to the disk then."""
PORTION = 1000
_SPECIALS = {"LAST_START": marks.DUMP_START, "LAST_END": marks.DUMP_END}


class Interval(NamedTuple):
    """From `begin` until before `end`, epoch seconds of arrival."""

    begin: float
    end: float


class Place(NamedTuple):
    """Where a portion ended: arrival, row of the job, number of the event."""

    arrived: float
    job: int
    number: int


class Portion(NamedTuple):
    """Lines, how many they are, and where the next portion begins (None: there is none)."""

    lines: bytes
    number: int
    end: Place | None


def interval(conn: sa.Connection, since: str, until: str, now: float) -> Interval:
    """What is asked for: dates, epoch seconds, NOW, LAST_START, LAST_END; `since` "" goes on from the last dump.
    Raises Refused.
    """
    begin = _time(conn, since, now) if since else max(0.0, _mark(conn, marks.DUMP_END) - OVERLAP_S)
    found = Interval(begin, _time(conn, until or "NOW", now))
    if found.begin > found.end:
        raise Refused("The interval ends before it begins.", begin=found.begin, end=found.end)
    return found


def remember(conn: sa.Connection, done: Interval) -> None:
    """This was the last dump."""
    marks.put(conn, marks.DUMP_START, repr(done.begin))
    marks.put(conn, marks.DUMP_END, repr(done.end))


def portion(conn: sa.Connection, asked: Interval, after: Place, limit: int = PORTION) -> Portion:
    """The next events in order of arrival."""
    place = (events.c.arrived, events.c.job, events.c.number)
    chosen = (sa.select(events, jobs.c.server, jobs.c.job.label("unique"))
              .join(jobs, jobs.c.id == events.c.job)
              .where(events.c.arrived >= after.arrived, events.c.arrived < asked.end,
                     sa.tuple_(*place) > sa.tuple_(*after))
              .order_by(*place).limit(limit))
    rows = [dict(row) for row in conn.execute(chosen).mappings()]
    lines = b"".join(line(row) for row in rows)
    return Portion(lines, len(rows), _place(rows[-1]) if len(rows) == limit else None)


def line(row: dict[str, object]) -> bytes:
    """The line of a row of lb_events that has `server` and `unique` of its job beside its columns."""
    return written(from_row(row, f"https://{row['server']}/{row['unique']}"))


def first(asked: Interval) -> Place:
    """Before everything."""
    return Place(asked.begin, -1, -1)


def _place(row: dict[str, object]) -> Place:
    return Place(*(row[name] for name in ("arrived", "job", "number")))  # type: ignore[arg-type]


def _time(conn: sa.Connection, text: str, now: float) -> float:
    if text.upper() == "NOW":
        return now
    if text.upper() in _SPECIALS:
        return _mark(conn, _SPECIALS[text.upper()])
    try:
        return moment(text)
    except BadEvent:
        raise Refused(f"'{text[:50]}' is no time.", value=text[:50], hint="YYYYMMDDhhmmss of UTC, epoch seconds, NOW, "
                      "LAST_START or LAST_END.") from None


def _mark(conn: sa.Connection, name: str) -> float:
    return float(marks.get(conn, name) or 0.0)
