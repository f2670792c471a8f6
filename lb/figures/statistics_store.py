"""The sums of lb.figures.statistics in their table, each in one ring: the finest that still holds its time.

They are written by destination in the transaction that stores the events; `roll` moves those that grew old to the
next ring. Sums of ALL destinations are kept beside them in every ring but the finest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from math import ceil
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from lb.figures.statistics import ALL, RINGS, Interval, Ring, Sample, Sums, rate, ring_of, samples
from lb.store import Change
from lb.tables import samples as table
from wms.event import Event

LATE_S: Final = 900
"""Sums are found this much longer than their ring reaches, until they are moved."""
FINEST: Final = RINGS[0].seconds
Key = tuple[int, int, str, str]  # ring, slot, kind, destination
_COLUMNS = ("ring", "slot", "kind", "destination", "number", "total", "squares")


class Point(NamedTuple):
    """The sums of a slot that begins at `at` (epoch s) and lasts `seconds`."""

    at: float
    seconds: int
    sums: Sums

    @property
    def rate(self) -> float:
        """Jobs a second."""
        return self.sums.number / self.seconds


def follow(conn: sa.Connection, changes: Sequence[Change], now: float) -> Sequence[Event]:
    """Count what these changes of jobs mean; a follower of lb.keeper. Gives no events."""
    found = [sample for change in changes for sample in samples(change.before, change.after, change.events)]
    if found:
        _add(conn, _slots(found, now))
    return ()


def _slots(found: Iterable[Sample], now: float) -> dict[Key, list[float]]:
    sums: dict[Key, list[float]] = {}
    for kind, destination, at, seconds, sign in found:
        ring = ring_of(at, now)
        if ring == FINEST:
            _count(sums, (FINEST, int(at // FINEST), kind, destination), sign, sign * seconds, sign * seconds * seconds)
        elif ring:
            for place in _places(destination):
                key = ring, int(at // ring), kind, place
                _count(sums, key, sign, sign * seconds, sign * seconds * seconds)
    return sums


def _count(sums: dict[Key, list[float]], key: Key, number: int, total: float, squares: float) -> None:
    known = sums.get(key)
    if known is None:
        sums[key] = [number, total, squares]
    else:
        known[0] += number
        known[1] += total
        known[2] += squares


def _places(destination: str) -> Iterable[str]:
    """Where a sum is kept in a ring that is not the finest."""
    return (destination, ALL) if destination else (ALL,)


def _add(conn: sa.Connection, sums: Mapping[Key, Sequence[float]]) -> None:
    """In one order: writers of several processes do not lock each other out."""
    if sums:
        text, values = _adding(conn.dialect)
        conn.exec_driver_sql(text, [values((*key, *sums[key])) for key in sorted(sums)])


@lru_cache(maxsize=4)
def _adding(dialect: sa.Dialect) -> tuple[str, Callable[[Sequence[Any]], Any]]:
    """The statement that adds a row, and how its driver wants the row: to make it anew takes longer than to run it."""
    adding = (postgresql if dialect.name == "postgresql" else sqlite).insert(table)
    compiled = adding.on_conflict_do_update(index_elements=table.primary_key, set_={
        name: table.c[name] + adding.excluded[name] for name in Sums._fields}).compile(
            dialect=dialect, column_keys=list(_COLUMNS))
    named = not getattr(compiled, "positiontup", None)
    return str(compiled), (lambda row: dict(zip(_COLUMNS, row, strict=True))) if named else tuple


def roll(conn: sa.Connection, now: float) -> None:
    """Move the sums that are too old for their ring to the next, delete those too old for any."""
    for ring, coarser in zip(RINGS, (*RINGS[1:], None), strict=True):
        kept = int((now - ring.span) // ring.seconds)
        old = sa.delete(table).where(table.c.ring == ring.seconds, table.c.slot < kept)
        if coarser is None:
            conn.execute(old)
        else:
            _add(conn, _moved(conn.execute(old.returning(*table.c)), ring, coarser))


def _moved(rows: Iterable[Any], ring: Ring, coarser: Ring) -> dict[Key, list[float]]:
    moved: dict[Key, list[float]] = {}
    for _ring, slot, kind, destination, *sums in rows:
        for place in _places(destination) if ring.seconds == FINEST else (destination,):
            _count(moved, (coarser.seconds, slot * ring.seconds // coarser.seconds, kind, place), *sums)
    return moved


def series(conn: sa.Connection, kinds: Collection[str], destination: str, ring: Ring, until: float) -> list[Point]:
    """The last slots of a ring, oldest first, ending with the one that `until` (epoch s) is in.

    `kinds` is `rate(state)`, `dwell(state)` or `duration(begin, end)` of lb.figures.statistics.
    """
    last = int(until // ring.seconds)
    points = {slot: Sums() for slot in range(last - ring.slots + 1, last + 1)}
    begin, end = (last - ring.slots + 1) * ring.seconds, (until // FINEST + 1) * FINEST
    for at, sums in _between(conn, kinds, destination, Interval(begin, end, ring.seconds)):
        points[at // ring.seconds] = points[at // ring.seconds].plus(sums)
    return [Point(slot * ring.seconds, ring.seconds, sums) for slot, sums in points.items()]


def summed(conn: sa.Connection, kinds: Collection[str], destination: str, interval: Interval) -> Sums:
    """The sums of an interval, of several kinds together."""
    whole = Sums()
    for _at, sums in _between(conn, kinds, destination, interval):
        whole = whole.plus(sums)
    return whole


def destinations(conn: sa.Connection, now: float) -> list[str]:
    """Every destination that jobs were handed to within the statistics, in order."""
    kinds = [kind for state in ("Ready", "Scheduled", "Running") for kind in rate(state)]
    found: set[str] = set()
    for ring in RINGS:
        found.update(conn.execute(_rows(ring, kinds, now - ring.span - LATE_S, now + ring.seconds).with_only_columns(
            table.c.destination).distinct()).scalars())
    return sorted(found - {ALL, ""})


def _between(conn: sa.Connection, kinds: Collection[str], destination: str,
             interval: Interval) -> Iterable[tuple[int, Sums]]:
    """(begin of the slot, sums), the slots of one ring or of finer ones: a sum is in one ring only."""
    for ring in RINGS:
        if ring.seconds <= interval.resolution:
            oldest = max(interval.begin, interval.end - ring.span - LATE_S)
            rows = _rows(ring, kinds, oldest, interval.end).with_only_columns(
                table.c.slot, *(sa.func.sum(table.c[name]) for name in Sums._fields)).group_by(table.c.slot)
            if ring.seconds != FINEST or destination != ALL:
                rows = rows.where(table.c.destination == destination)
            for slot, number, total, squares in conn.execute(rows):
                yield slot * ring.seconds, Sums(int(number), total, squares)


def _rows(ring: Ring, kinds: Collection[str], begin: float, end: float) -> sa.Select[Any]:
    """By whole keys, not by ranges of them: each slot holds every kind of every destination."""
    slots = range(int(begin // ring.seconds), ceil(end / ring.seconds))
    return sa.select(table).where(
        table.c.ring == ring.seconds, table.c.slot.in_(slots), table.c.kind.in_(kinds))
