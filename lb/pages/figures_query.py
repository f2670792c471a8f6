"""All figures of a page of statistics at once: rates, durations, dwell times, and what becomes of jobs by destination.

A function of a connection that only reads; sums are kept by lb.figures.statistics_store, drawings made in
lb.pages.web_figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from lb.figures.statistics import DONE_FAILED, DONE_OK, DURATIONS, PHASES, Interval, Ring, Sums, duration, dwell, rate
from lb.figures.statistics_store import Point, destinations, series, summed

MOST_PLACES = 25


class Timed(NamedTuple):
    """Seconds of something that has a name."""

    name: str
    sums: Sums


class Rate(NamedTuple):
    """How often a state was entered, slot by slot."""

    phase: str
    points: Sequence[Point]

    @property
    def number(self) -> int:
        return sum(point.sums.number for point in self.points)


class Place(NamedTuple):
    """What became of jobs at a destination, how long they waited there to run, and how long they ran."""

    name: str
    ok: int
    failed: int
    waited: Sums
    ran: Sums


class Panorama(NamedTuple):
    """The figures of a destination, or of ALL with each destination beside, from `begin` to `end` (epoch s)."""

    destination: str
    ring: Ring
    begin: float
    end: float
    rates: Sequence[Rate]
    durations: Sequence[Timed]
    dwells: Sequence[Timed]
    places: Sequence[Place]
    others: int


def panorama(conn: sa.Connection, destination: str, ring: Ring, now: float) -> Panorama:
    """As far back as the slots of this ring reach; of many destinations the first by name."""
    begin, known = (now // ring.seconds + 1 - ring.slots) * ring.seconds, destinations(conn, now)
    interval = Interval(begin, now, ring.seconds)
    return Panorama(
        destination, ring, begin, now,
        [Rate(phase, series(conn, rate(phase), destination, ring, now)) for phase in PHASES],
        [Timed(f"{start} to {end}", summed(conn, duration(start, end), destination, interval))
         for start, end in DURATIONS],
        [Timed(phase, summed(conn, dwell(phase), destination, interval)) for phase in PHASES],
        [_place(conn, name, interval) for name in known[:MOST_PLACES]], max(0, len(known) - MOST_PLACES))


def _place(conn: sa.Connection, name: str, interval: Interval) -> Place:
    ok, failed = (summed(conn, rate(phase), name, interval).number for phase in (DONE_OK, DONE_FAILED))
    return Place(name, ok, failed, summed(conn, duration("Scheduled", "Running"), name, interval),
                 summed(conn, duration("Running", DONE_OK), name, interval))
