"""The states a job went through, with their times, and the same drawn to scale as bars.

Pure: events in, spans out. Not the status itself (lb.machine), and no text or markup (lb.web).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lb.machine import Record, step
from lb.order import order
from wms.event import Event
from wms.jobstatus import TERMINAL, JobState

NARROWEST = 3.0


class Span(NamedTuple):
    """One stay in a state; epoch seconds."""

    state: JobState
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.begin


class Bar(NamedTuple):
    """A span as a rectangle: `x` and `width` in the units of the drawing."""

    span: Span
    x: float
    width: float


def spans(events: Iterable[Event], now: float) -> list[Span]:
    """The stays of a job in order; the last ends `now` unless its state is terminal."""
    entered: list[tuple[JobState, float]] = []
    record = Record()
    for event in _registered_first(events):
        before, (record, _verdict) = record.state, step(record, event)
        if record.state is not before:
            begin = max(event.timestamp, entered[-1][1] if entered else 0.0)
            entered.append((record.state, begin))
    ends = [begin for _state, begin in entered[1:]] + [_last(entered, now)]
    return [Span(state, begin, max(begin, end)) for (state, begin), end in zip(entered, ends, strict=False)]


def bars(spans: Sequence[Span], width: float) -> list[Bar]:
    """Rectangles in proportion to the spans, side by side; none is too narrow to be seen."""
    total = sum(span.seconds for span in spans) or 1.0
    room = width - NARROWEST * len(spans)
    placed, x = [], 0.0
    for span in spans:
        size = NARROWEST + room * span.seconds / total
        placed.append(Bar(span, round(x, 2), round(size, 2)))
        x += size
    return placed


def _registered_first(events: Iterable[Event]) -> list[Event]:
    ordered = sorted(events, key=order)
    first = next((event for event in ordered if event.type == "RegJob"), None)
    return sorted(ordered, key=lambda event: event is not first)


def _last(entered: Sequence[tuple[JobState, float]], now: float) -> float:
    return entered[-1][1] if entered and entered[-1][0] in TERMINAL else now
