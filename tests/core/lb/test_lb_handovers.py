"""What is expected: a later component has told of a hand-over, the earlier one has not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lb_jobs import STORIES, deep, happy, shuffled, stored

from lb.state.machine import fold
from tests.examples import examples

HANDOVERS = [  # type and source of what is missing
    ("EnQueued", "NetworkServer"), ("EnQueued", "WorkloadManager"), ("Transfer", "JobController"),
    ("Transfer", "LogMonitor")]


def without(events, type, source, number=0):
    found = [event for event in events if (event.type, event.source) == (type, source)][number]
    return [event for event in events if event is not found]


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("early", [0, 1, 2])
def test_nothing_is_expected_of_a_job_all_of_whose_events_are_here(story, early):
    record = fold(story(early).events)
    assert (record.expect_update, record.expect_from) == (False, "")


@pytest.mark.parametrize(("type", "source"), HANDOVERS)
def test_who_has_not_told_of_a_handover_is_expected_to(type, source):
    record = fold(without(happy().events, type, source))
    assert (record.expect_update, record.expect_from) == (True, source)


@pytest.mark.parametrize(("type", "source"), HANDOVERS[2:])
def test_every_attempt_has_its_own_handovers(type, source):
    assert fold(without(deep().events, type, source, 1)).expect_from == source


def test_several_are_expected_in_the_order_of_their_names():
    events = happy().events
    for type, source in HANDOVERS:
        events = without(events, type, source)
    assert fold(events).expect_from == "JobController,LogMonitor,NetworkServer,WorkloadManager"


@given(st.sampled_from(HANDOVERS), st.integers(0, 10**6))
@settings(max_examples=examples(80), deadline=None)
def test_what_was_expected_comes_at_last(missing, seed):
    events = shuffled(happy().events, seed)
    late = next(event for event in events if (event.type, event.source) == missing)
    before = [event for event in events if event != late]
    assert stored(before).expect_from == missing[1]
    assert not stored([*before, late]).expect_update
