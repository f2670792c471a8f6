"""The stays of a job in its states, and their drawing."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lb_jobs import LM, Story

from lb.pages.charts import NARROWEST
from lb.pages.timeline import Span, axis, bars, place, spans
from wms.event import Event
from wms.jobstatus import JobState

T0 = 1e9
SUBMITTED, WAITING, READY, DONE, CLEARED = (
    JobState.SUBMITTED, JobState.WAITING, JobState.READY, JobState.DONE, JobState.CLEARED)


def matched() -> list[Event]:
    return Story().accepted().matched("ce").events


def test_the_last_stay_lasts_until_now() -> None:
    assert spans(matched(), T0 + 60) == [
        Span(SUBMITTED, T0, T0 + 1), Span(WAITING, T0 + 1, T0 + 4), Span(READY, T0 + 4, T0 + 60)]


@given(st.permutations(matched()))
def test_arrival_does_not_matter(events: list[Event]) -> None:
    assert spans(events, T0 + 60) == spans(matched(), T0 + 60)


def test_a_terminal_state_has_no_length() -> None:
    events = Story().accepted().ended("OK").tell("Clear", LM, reason="USER").events
    assert spans(events, T0 + 60)[-1] == Span(CLEARED, T0 + 4, T0 + 4)


def test_a_clock_behind_makes_no_negative_stay() -> None:
    events = matched()
    events[-1] = msgspec.structs.replace(events[-1], timestamp=T0 - 100)
    assert spans(events, T0 + 60)[-2:] == [Span(WAITING, T0 + 1, T0 + 1), Span(READY, T0 + 1, T0 + 60)]
    assert spans(events, T0 - 200)[-1] == Span(READY, T0 + 1, T0 + 1)


def test_without_a_registration_there_is_nothing_to_show() -> None:
    assert spans(matched()[1:], T0) == []
    assert spans([], T0) == []
    assert bars([]) == []


def test_a_failed_stay_says_so() -> None:
    found = spans(Story().accepted().ended("FAILED", reason="x").matched("ce").events, T0 + 60)
    assert [(span.state, span.failed) for span in found if span.state is DONE] == [(DONE, True)]


SPANS = st.lists(st.floats(0, 1e6), min_size=1, max_size=20).map(
    lambda lengths: [Span(WAITING, sum(lengths[:index]), sum(lengths[:index]) + length)
                     for index, length in enumerate(lengths)])


@given(SPANS)
def test_bars_fill_the_width_in_proportion(stays: list[Span]) -> None:
    drawn = bars(stays)
    assert drawn[0].x == 0
    assert min(bar.width for bar in drawn) >= NARROWEST - 0.01
    assert not any(bar.cut for bar in drawn)
    if any(stay.seconds for stay in stays):
        assert drawn[-1].x + drawn[-1].width == pytest.approx(100, abs=0.1)
    for before, after in pairwise(drawn):
        assert before.x + before.width == pytest.approx(after.x, abs=0.02)


@given(SPANS, st.lists(st.floats(-1e3, 2e7), min_size=2, max_size=9).map(sorted))
def test_times_lie_on_the_drawing_in_their_order(stays: list[Span], times: list[float]) -> None:
    drawn = bars(stays)
    places = [place(drawn, at) for at in times]
    assert places == sorted(places)
    assert 0 <= min(places) <= max(places) <= 100


def test_a_job_that_waits_for_its_output_to_be_fetched_takes_little_room() -> None:
    drawn = bars([Span(READY, T0, T0 + 90), Span(DONE, T0 + 90, T0 + 1e6)])
    assert [bar.cut for bar in drawn] == [False, True]
    assert drawn[1].end == T0 + 90 + 18
    assert 10 < drawn[1].width < 20
    assert place(drawn, T0 + 45) == pytest.approx(drawn[0].width / 2, abs=0.01)
    assert place(drawn, T0 + 1e6) == 100
    assert bars([Span(DONE, T0, T0 + 60)])[0].end == T0 + 1


def test_marks_lie_at_round_times() -> None:
    drawn = bars([Span(READY, 0.0, 600.0)])
    assert [(mark.x, mark.label) for mark in axis(drawn)] == [
        (0.0, "00:00"), (20.0, "00:02"), (40.0, "00:04"), (60.0, "00:06"), (80.0, "00:08"), (100.0, "00:10")]
    assert axis([]) == []
    assert place([], 1.0) == 0.0
