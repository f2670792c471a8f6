"""The stays of a job in its states, and their drawing."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lb_jobs import LM, Story

from lb.timeline import NARROWEST, Span, bars, spans
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
    assert bars([], 1000) == []


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20))
def test_bars_fill_the_width_in_proportion(lengths: list[float]) -> None:
    drawn = bars([Span(DONE, 0.0, length) for length in lengths], 1000)
    assert drawn[0].x == 0
    assert min(bar.width for bar in drawn) >= NARROWEST - 0.01
    if sum(lengths):
        assert drawn[-1].x + drawn[-1].width == pytest.approx(1000, abs=0.1)
    for before, after in pairwise(drawn):
        assert before.x + before.width == pytest.approx(after.x, abs=0.02)
