"""Statistics of jobs as sums in time slots: what a change of a job adds, and the rings of slots.

A sum belongs to the time of its event, not of its arrival. Not where sums are kept (lb.statistics_store).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil, sqrt
from typing import Final, NamedTuple

from lb.machine import Record, in_order, step
from wms.event import Event
from wms.jobstatus import DoneCode, JobState

ALL: Final = "ALL"
"""In the place of a destination: jobs of all, and those that have none."""
AHEAD_S: Final = 3600.0
"""What claims to happen later than this from now is not counted."""


class Ring(NamedTuple):
    """`slots` slots of `seconds` each are kept at this resolution."""

    seconds: int
    slots: int

    @property
    def span(self) -> int:
        return self.seconds * self.slots


RINGS: Final = (Ring(10, 60), Ring(60, 30), Ring(900, 12), Ring(3600, 168))


class Sums(NamedTuple):
    """How many, the sum of their seconds, the sum of the squares."""

    number: int = 0
    total: float = 0.0
    squares: float = 0.0

    def plus(self, other: Sums) -> Sums:
        return Sums(self.number + other.number, self.total + other.total, self.squares + other.squares)

    @property
    def mean(self) -> float:
        """Seconds; 0 of nothing."""
        return self.total / self.number if self.number > 0 else 0.0

    @property
    def deviation(self) -> float:
        """Standard deviation, seconds."""
        return sqrt(max(0.0, self.squares / self.number - self.mean ** 2)) if self.number > 0 else 0.0


class Sample(NamedTuple):
    """Something that happened to a job at a destination ("": none yet) at `at` (epoch s) and took `seconds`.

    `sign` is -1 when it turned out otherwise.
    """

    kind: str
    destination: str
    at: float
    seconds: float
    sign: int = 1


DONE_OK, DONE_FAILED = "Done OK", "Done FAILED"
PHASES: Final = tuple(phase for state in JobState if state not in (
    JobState.UNDEFINED, JobState.UNKNOWN, JobState.PURGED)
    for phase in ((DONE_OK, DONE_FAILED) if state is JobState.DONE else (state.value,)))
"""The states that are counted; Done is two."""
DURATIONS: Final = (
    ("Submitted", "Running"), ("Submitted", DONE_OK), ("Submitted", DONE_FAILED), ("Scheduled", "Running"),
    ("Running", DONE_OK), ("Running", DONE_FAILED))


def rate(phase: str) -> str:
    """The kind that counts how often this state was entered."""
    return phase


def dwell(phase: str) -> str:
    """The kind of the seconds between entering this state and leaving it, by the time of leaving."""
    return f"in {phase}"


def duration(begin: str, end: str) -> str:
    """The kind of the seconds from entering one state to entering the other, by the time of the latter."""
    return f"{begin} to {end}"


_RATE = {phase: rate(phase) for phase in PHASES}
_DWELL = {phase: dwell(phase) for phase in PHASES}
_SINCE = {phase: [(begin, duration(begin, end)) for begin, end in DURATIONS if end == phase] for phase in PHASES}
_UNPLACED = frozenset({"Submitted", "Waiting"})  # no destination is chosen yet


def ring_of(at: float, now: float) -> int:
    """Seconds of a slot of the finest ring that holds this time; 0 if none does."""
    if at > now + AHEAD_S:
        return 0
    return next((ring.seconds for ring in RINGS if at >= now - ring.span), 0)


def samples(before: Record | None, after: Record, fresh: Sequence[Event]) -> Iterator[Sample]:
    """What a change of a job adds to the statistics; nothing if its state did not move.

    Events in order add each state they enter, however often. When the past of a job turns out otherwise, the
    last entry into each state moves to its new time: a job that enters each state once counts the same in
    any order of arrival.
    """
    if before is None:
        if after.jobtype:
            yield from _steps(Record(version=after.version), _registered_first(fresh))
    elif before.state_enter_times != after.state_enter_times:
        if not before.jobtype or not in_order(before, fresh[0]):
            yield from _correction(before, after)
        elif len(fresh) == 1:
            yield from _entered(after, _phase(before), before.state_enter_time)
        else:
            yield from _steps(before, fresh)


def _registered_first(events: Sequence[Event]) -> Sequence[Event]:
    first = next(index for index, event in enumerate(events) if event.type == "RegJob")
    return [events[first], *events[:first], *events[first + 1:]] if first else events


def _steps(record: Record, events: Sequence[Event]) -> Iterator[Sample]:
    for event in events:
        was, since, times = _phase(record), record.state_enter_time, record.state_enter_times
        record, _verdict = step(record, event)
        if record.state_enter_times is not times:
            yield from _entered(record, was, since)


def _correction(before: Record, after: Record) -> Iterator[Sample]:
    gone, come = set(_whole(before)), set(_whole(after))
    yield from (sample._replace(sign=-1) for sample in gone - come)
    yield from come - gone


def _whole(record: Record) -> Iterator[Sample]:
    """What the last entries into each state would have added, had they come one after the other."""
    left, since = "", 0.0
    for state in JobState:
        if state in record.state_enter_times:
            phase, at = _named(state, record), record.state_enter_times[state]
            yield from _entry(phase, at, record.destination, record.state_enter_times, left, since)
            left, since = phase, at


def _entered(record: Record, left: str, since: float) -> Iterator[Sample]:
    return _entry(_phase(record), record.state_enter_time, record.destination, record.state_enter_times, left, since)


def _entry(phase: str, at: float, destination: str, times: Mapping[str, float], left: str,
           since: float) -> Iterator[Sample]:
    """A state is entered that was reached from `left`, entered at `since`."""
    place = "" if phase in _UNPLACED else destination
    if phase in _RATE:
        yield Sample(_RATE[phase], place, at, 0.0)
    if left in _DWELL:
        yield Sample(_DWELL[left], "" if left in _UNPLACED else destination, at, max(0.0, at - since))
    for begin, kind in _SINCE.get(phase, ()):
        if begin in times:
            yield Sample(kind, place, at, max(0.0, at - times[begin]))


def _phase(record: Record) -> str:
    return _named(record.state, record)


def _named(state: JobState, record: Record) -> str:
    if state is JobState.DONE:
        return DONE_OK if record.done_code is DoneCode.OK else DONE_FAILED
    return state.value


class Interval(NamedTuple):
    """What is really looked at: whole slots of a ring, the last of them until now; epoch seconds."""

    begin: float
    end: float
    resolution: int


def interval(since: float, until: float, now: float) -> Interval:
    """The finest resolution that reaches back to `since`; `begin` is not before `end` if nothing is known."""
    ring = next((ring for ring in RINGS if since >= now - ring.span), RINGS[-1])
    seconds = ring.seconds
    begin = max(since // seconds, (now - ring.span) // seconds) * seconds
    return Interval(begin, min(now, ceil(until / seconds) * seconds), seconds)
