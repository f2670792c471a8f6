"""Statistics of jobs as sums in time slots: what a change of a job adds, and the rings of slots.

A sum belongs to the time of its event, not of its arrival. Not where sums are kept (lb.figures.statistics_store).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import ceil, sqrt
from typing import Final, NamedTuple

from lb.state.machine import Record, in_order, step
from lb.state.transitions import rule_of
from wms.event import Event, result
from wms.jobstatus import DoneCode, JobState, JobType

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
_NEW = JobState.UNDEFINED.value


def rate(phase: str) -> tuple[str, ...]:
    """The kinds that together count how often this state was entered."""
    return tuple(_STEP[left, phase] for left in (_NEW, *PHASES))


def dwell(phase: str) -> tuple[str, ...]:
    """The kinds of the seconds between entering this state and leaving it, by the time of leaving."""
    return tuple(_STEP[phase, entered] for entered in PHASES)


def duration(begin: str, end: str) -> tuple[str, ...]:
    """The kind of the seconds from entering one state to entering the other, by the time of the latter."""
    return (f"{begin} to {end}",)


_STEP = {(left, entered): f"{left} > {entered}" for left in (_NEW, *PHASES) for entered in PHASES}
_SINCE = {phase: [(begin, *duration(begin, end)) for begin, end in DURATIONS if end == phase] for phase in PHASES}
_UNPLACED = frozenset({"Submitted", "Waiting"})  # no destination is chosen yet
_COMPUTED = "named_state"  # what moves a collection to the state of its children
_CYCLE = 3  # moves until a state can be entered again, and no trace of the first time
_CODES: dict[str, int] = {state.value: state.code for state in JobState}


def ring_of(at: float, now: float) -> int:
    """Seconds of a slot of the finest ring that holds this time; 0 if none does."""
    if at > now + AHEAD_S:
        return 0
    return next((ring.seconds for ring in RINGS if at >= now - ring.span), 0)


def samples(before: Record | None, after: Record, fresh: Sequence[Event]) -> list[Sample]:
    """What a change of a job adds to the statistics; nothing if its state did not move.

    Events in order add each state they enter, however often. When the past of a job turns out otherwise, the
    last entry into each state moves to its new time: a job that enters each state once counts the same in
    any order of arrival.
    """
    if before is None:
        before = Record(version=after.version)
    known, entered = before.state_enter_times, after.state_enter_times
    if known == entered and before.destination == after.destination and before.done_code is after.done_code:
        return []
    later = [state for state in entered if state not in known]
    if later and known.items() <= entered.items() and _climbs(before, after, later, fresh):
        return _climb(before, after, later)
    if before.newest and not (before.jobtype and in_order(before, fresh[0])):
        return _correction(before, after)
    return _steps(before, fresh) if known != entered else []


def _climbs(before: Record, after: Record, later: Sequence[str], events: Sequence[Event]) -> bool:
    """True if no state can have been entered twice: each event leads to where the one before it led, or further.

    A state that is computed (code 0 here) may be any.
    """
    codes = [before.state.code, *map(_CODES.__getitem__, later)]
    if codes != sorted(codes) or codes[0] == codes[1] or not _stands(before, after):
        return False
    if len(later) == 1 or len(events) < _CYCLE:
        return True
    told = [_leads_to(after.jobtype, event.type, event.source, result(event)) for event in events]
    entered = [code for code in told if code >= 0]
    return entered == sorted(entered)


@cache
def _leads_to(jobtype: JobType, name: str, source: str, result: str) -> int:
    """The code of the state, 0 if it is computed, -1 if there is none."""
    found = rule_of(jobtype, name, source, result)
    if found.state is not None:
        return found.state.code
    return 0 if _COMPUTED in found.moves else -1


def _stands(before: Record, after: Record) -> bool:
    """True if what was counted is still so: the destination of the states behind it, how the job ended."""
    return ((before.destination == after.destination or before.state in _UNPLACED or before.state == _NEW)
            and (before.done_code is after.done_code or JobState.DONE not in before.state_enter_times))


def _climb(before: Record, after: Record, later: Sequence[str]) -> list[Sample]:
    found: list[Sample] = []
    left, since = _phase(before), before.state_enter_time
    for state in later:
        entered, at = _named(state, after), after.state_enter_times[state]
        _enter(found, left, since, entered, at, after)
        left, since = entered, at
    return found


def _steps(record: Record, events: Sequence[Event]) -> list[Sample]:
    found: list[Sample] = []
    for event in events if record.jobtype else _registered_first(events):
        left, since, times = _phase(record), record.state_enter_time, record.state_enter_times
        record, _verdict = step(record, event)
        if record.state_enter_times is not times:
            _enter(found, left, since, _phase(record), record.state_enter_time, record)
    return found


def _registered_first(events: Sequence[Event]) -> Sequence[Event]:
    first = next((index for index, event in enumerate(events) if event.type == "RegJob"), 0)
    return [events[first], *events[:first], *events[first + 1:]] if first else events


def _correction(before: Record, after: Record) -> list[Sample]:
    gone, come = set(_whole(before)), set(_whole(after))
    return [*(sample._replace(sign=-1) for sample in gone - come), *(come - gone)]


def _whole(record: Record) -> list[Sample]:
    """What the last entries into each state would have added, had they come one after the other."""
    found: list[Sample] = []
    left, since = _NEW, 0.0
    for state in JobState:
        if state in record.state_enter_times:
            entered, at = _named(state, record), record.state_enter_times[state]
            _enter(found, left, since, entered, at, record)
            left, since = entered, at
    return found


def _enter(found: list[Sample], left: str, since: float, entered: str, at: float, record: Record) -> None:
    """A state is entered from another, which was entered at `since`."""
    kind = _STEP.get((left, entered))
    if kind is not None:
        place = "" if entered in _UNPLACED else record.destination
        found.append(Sample(kind, place, at, max(0.0, at - since) if since else 0.0))
        for begin, kind in _SINCE[entered]:
            if begin in record.state_enter_times:
                found.append(Sample(kind, place, at, max(0.0, at - record.state_enter_times[begin])))


def _phase(record: Record) -> str:
    return _named(record.state, record)


def _named(state: str, record: Record) -> str:
    if state == JobState.DONE:
        return DONE_OK if record.done_code is DoneCode.OK else DONE_FAILED
    return str(state)


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
