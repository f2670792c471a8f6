"""The states a job went through, with their times, and the same drawn to scale as bars over an axis.

Pure: events in, spans out. Not the status itself (lb.state.machine), and no text or markup (lb.pages.web_job).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lb.pages.charts import WHOLE, Mark, moments, shares
from lb.state.machine import Record, step
from lb.state.order import order
from wms.event import Event
from wms.jobstatus import TERMINAL, DoneCode, JobState

AFTERMATH = 0.2  # of all that came before, at most, is given to the stay of a job that has nothing more to do
BRIEF_S = 1.0


class Span(NamedTuple):
    """One stay in a state; epoch seconds. `failed`: it was Done without success."""

    state: JobState
    begin: float
    end: float
    failed: bool = False

    @property
    def seconds(self) -> float:
        return self.end - self.begin


class Bar(NamedTuple):
    """A span as a rectangle, `x` and `width` in percent; drawn up to `end`, which is earlier if it is cut."""

    span: Span
    x: float
    width: float
    end: float

    @property
    def cut(self) -> bool:
        return self.end < self.span.end


def spans(events: Iterable[Event], now: float) -> list[Span]:
    """The stays of a job in order; the last ends `now` unless its state is terminal."""
    entered: list[Span] = []
    record = Record()
    for event in _registered_first(events):
        before, (record, _verdict) = record.state, step(record, event)
        if record.state is not before:
            begin = max(event.timestamp, entered[-1].begin if entered else 0.0)
            failed = record.state is JobState.DONE and record.done_code is not DoneCode.OK
            entered.append(Span(record.state, begin, begin, failed))
    ends = [span.begin for span in entered[1:]] + [_last(entered, now)]
    return [span._replace(end=max(span.begin, end)) for span, end in zip(entered, ends, strict=False)]


def bars(spans: Sequence[Span]) -> list[Bar]:
    """Rectangles in proportion to the spans, side by side; none is too narrow to be seen.

    A job that is Done waits, perhaps for days, for somebody to fetch its output: that stay is cut.
    """
    ends = [span.end for span in spans]
    if spans and spans[-1].state is JobState.DONE:
        before = spans[-1].begin - spans[0].begin
        ends[-1] = min(ends[-1], spans[-1].begin + max(BRIEF_S, AFTERMATH * before))
    placed = shares([end - span.begin for span, end in zip(spans, ends, strict=True)])
    return [Bar(span, *at, end) for span, at, end in zip(spans, placed, ends, strict=True)]


def place(bars: Sequence[Bar], at: float) -> float:
    """Where on the drawing a time (epoch s) lies, in percent."""
    if not bars or at <= bars[0].span.begin:
        return 0.0
    for bar in bars:
        if at < bar.end:
            within = (at - bar.span.begin) / (bar.end - bar.span.begin)
            return round(bar.x + bar.width * within, 3)
    return WHOLE


def axis(bars: Sequence[Bar]) -> list[Mark]:
    """Round times below the bars, where they lie."""
    if not bars:
        return []
    return [Mark(place(bars, at), label) for at, label in moments(bars[0].span.begin, bars[-1].end)]


def _registered_first(events: Iterable[Event]) -> list[Event]:
    ordered = sorted(events, key=order)
    first = next((event for event in ordered if event.type == "RegJob"), None)
    return sorted(ordered, key=lambda event: event is not first)


def _last(entered: Sequence[Span], now: float) -> float:
    return entered[-1].begin if entered and entered[-1].state in TERMINAL else now
