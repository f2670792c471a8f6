"""What changes of jobs add to the statistics: the same in any order of arrival, each event once; sums and intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import sqrt
from statistics import fmean, pstdev

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lb_jobs import APP, JC, LBS, LM, NS, WM, Story, told

from lb.figures.statistics import (
    AHEAD_S,
    DURATIONS,
    PHASES,
    RINGS,
    Sample,
    Sums,
    duration,
    dwell,
    interval,
    rate,
    ring_of,
    samples,
)
from lb.state.machine import Record, fold, in_order, step
from lb.state.order import order
from wms.event import Event
from wms.jobstatus import JobState
from wms.seqcode import START

CE, OTHER = "ce.example/long", "other.example/short"
SPAN = RINGS[-1].span
Net = dict[tuple[str, str, float, float], int]


def whole(end: str = "OK") -> list[Event]:
    """A job that enters each state once."""
    story = Story(jobtype="SIMPLE").accepted().matched(CE)
    wrapper = story.submitted()
    story.on_node(wrapper, ("Running", {"node": "wn"}), ("ReallyRunning", {}))
    story.tell("Running", LM, node="wn").ended(end)
    return story.tell("Clear", NS, reason="USER").events


def twice() -> list[Event]:
    """A job whose first attempt fails at one place, and the second ends well at another."""
    story = Story(jobtype="SIMPLE").accepted().matched(CE)
    story.on_node(story.submitted(), ("Running", {"node": "wn"})).tell("Running", LM, node="wn").ended("FAILED")
    story.tell("Resubmission", WM, result="WILLRESUB").matched(OTHER)
    story.on_node(story.submitted(), ("Running", {"node": "wn"}))
    return story.tell("Running", LM, node="wn").ended("OK").events


def counted(batches: Iterable[Sequence[Event]]) -> Net:
    """What remains of all samples, as the store lets batches arrive."""
    record: Record | None = None
    known: list[Event] = []
    net: Counter[tuple[str, str, float, float]] = Counter()
    for batch in batches:
        fresh = sorted({order(event): event for event in batch if event not in known}.values(), key=order)
        if not fresh:
            continue
        known += fresh
        before = record
        if before is not None and before.jobtype and in_order(before, fresh[0]):
            for event in fresh:
                record = step(record or before, event)[0]
        else:
            record = fold(known)
        assert record is not None
        for kind, destination, at, seconds, sign in samples(before, record, fresh):
            net[kind, destination, at, seconds] += sign
    return {key: number for key, number in net.items() if number}


@st.composite
def arrivals(draw: st.DrawFn, events: list[Event]) -> list[list[Event]]:
    """All events in any order and any batches, some of them again."""
    order_of = draw(st.permutations(events + draw(st.lists(st.sampled_from(events), max_size=5))))
    cuts = sorted(draw(st.sets(st.integers(1, len(order_of) - 1))))
    return [order_of[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(order_of)], strict=True)]


@given(st.sampled_from(["OK", "FAILED"]).flatmap(lambda end: st.tuples(st.just(end), arrivals(whole(end)))))
def test_a_job_counts_the_same_in_any_order_and_repetition(given_: tuple[str, list[list[Event]]]) -> None:
    end, batches = given_
    assert counted(batches) == counted([[event] for event in whole(end)])


@given(st.sets(st.integers(1, len(twice()) - 1)))
def test_batches_in_order_do_not_matter_even_to_attempts(cuts: set[int]) -> None:
    events, places = twice(), sorted(cuts)
    batches = [events[begin:end] for begin, end in zip([0, *places], [*places, len(events)], strict=True)]
    assert counted(batches) == counted([[event] for event in events])


def test_each_attempt_counts_at_its_own_destination() -> None:
    found = counted([twice()])
    entered = {(phase, place): sum(number for (kind, where, *_), number in found.items()
                                   if where == place and kind in rate(phase))
               for phase in ("Ready", "Running", "Done OK", "Done FAILED") for place in (CE, OTHER)}
    assert entered == {
        ("Ready", CE): 1, ("Ready", OTHER): 1, ("Running", CE): 1, ("Running", OTHER): 1,
        ("Done OK", CE): 0, ("Done OK", OTHER): 1, ("Done FAILED", CE): 1, ("Done FAILED", OTHER): 0}


def test_what_a_job_adds() -> None:
    found = counted([whole()])
    times = {kind: (at, seconds) for kind, _place, at, seconds in found}
    assert set(found.values()) == {1}
    assert {place for kind, place, *_ in found if kind.endswith(("> Submitted", "> Waiting"))} == {""}
    assert {place for kind, place, *_ in found if not kind.endswith(("> Submitted", "> Waiting"))} == {CE}
    assert [kind for kind in times if ">" in kind] == [
        "Undefined > Submitted", "Submitted > Waiting", "Waiting > Ready", "Ready > Scheduled",
        "Scheduled > Running", "Running > Done OK", "Done OK > Cleared"]
    (submitted, _), (running, scheduled_s) = times["Undefined > Submitted"], times["Scheduled > Running"]
    assert times["Submitted to Running"] == (running, running - submitted)
    assert times["Scheduled to Running"] == (running, scheduled_s)


def test_nothing_is_counted_before_the_registration() -> None:
    events = whole()
    assert counted([events[1:]]) == {}
    assert counted([events[1:], events[:1]]) == counted([events])


def test_clocks_that_disagree_give_no_negative_seconds() -> None:
    registered = told("RegJob", NS, START.advanced(NS), 100.0, jobtype="SIMPLE")
    accepted = told("Accepted", NS, START.advanced(NS).advanced(NS), 40.0)
    assert [(sample.kind, sample.seconds) for sample in samples(None, fold([registered, accepted]), [
        registered, accepted])] == [("Undefined > Submitted", 0.0), ("Submitted > Waiting", 0.0)]


def test_a_destination_that_is_heard_of_late_is_corrected() -> None:
    events = whole()
    match = next(event for event in events if event.type == "Match")
    others = [event for event in events if event is not match]
    assert {place for _kind, place, *_ in counted([others])} == {""}
    assert counted([others, [match]]) == counted([events])


def test_news_that_move_nothing_count_nothing() -> None:
    events = whole()
    before = fold(events[:-1])
    after, _verdict = step(before, tag := told("UserTag", APP, START, 5.0, name="a", value="b"))
    assert samples(before, after, [tag]) == []
    again = Story(jobtype="SIMPLE").accepted().matched(CE).tell("Refused", LM, from_=JC, from_host="host", reason="no")
    again.tell("Pending", WM, reason="none yet").tell("Match", WM, dest_id=OTHER)
    *earlier, match = again.events
    assert fold(earlier).destination != fold(again.events).destination
    assert samples(fold(earlier), fold(again.events), [match]) == []


def test_states_that_are_no_states_of_jobs_are_not_counted() -> None:
    events = whole()
    before = fold(events[:-1])
    gone = msgspec.structs.replace(before, state=JobState.PURGED, state_enter_times={
        **before.state_enter_times, "Purged": 1e9 + 99})
    assert samples(before, gone, events[-1:]) == []


def test_going_back_is_counted_step_by_step() -> None:
    story = Story(jobtype="SIMPLE").accepted().matched(CE)
    story.tell("Transfer", JC, destination=LM, dest_host="host", result="OK")
    story.tell("EnQueued", WM, queue="jobadapter", result="FAIL").tell("EnQueued", WM, queue="jobadapter", result="OK")
    assert sum(number for (kind, *_), number in counted([story.events]).items() if kind in rate("Ready")) == 2


def test_the_state_of_a_collection_is_computed() -> None:
    story = Story(jobtype="COLLECTION", nsubjobs=1).accepted()
    for state in ("Running", "Waiting", "Running"):
        story.tell("CollectionState", LBS, state=state, histogram="RUNNING=1", child="https://lb.example:9000/a",
                   child_event="Done")
    assert counted([story.events]) == counted([[event] for event in story.events])


def test_kinds_do_not_overlap() -> None:
    rates = [kind for phase in PHASES for kind in rate(phase)]
    dwells = [kind for phase in PHASES for kind in dwell(phase)]
    assert len(set(rates)) == len(rates)
    assert len(set(dwells)) == len(dwells)
    assert set(dwells) < set(rates)
    assert not {kind for pair in DURATIONS for kind in duration(*pair)} & set(rates)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
def test_sums_know_mean_and_deviation(seconds: list[float]) -> None:
    sums = Sums()
    for one in seconds:
        sums = sums.plus(Sums(1, one, one * one))
    assert sums.number == len(seconds)
    assert sums.mean == pytest.approx(fmean(seconds))
    assert sums.deviation == pytest.approx(pstdev(seconds), abs=1e-2 + 1e-4 * sqrt(max(seconds) + 1))
    assert Sums().mean == Sums().deviation == 0.0


@given(st.floats(-SPAN * 2, AHEAD_S * 2))
def test_a_time_is_in_the_finest_ring_that_holds_it(age: float) -> None:
    now = 1e9
    found = ring_of(now + age, now)
    holding = [ring.seconds for ring in RINGS if now + age >= now - ring.span and now + age <= now + AHEAD_S]
    assert found == (holding[0] if holding else 0)


@given(st.floats(0, SPAN), st.floats(1, SPAN), st.floats(1e9, 2e9))
def test_the_interval_used_holds_the_one_asked_for(ago: float, long: float, now: float) -> None:
    since = now - ago
    begin, end, resolution = interval(since, since + long, now)
    assert begin <= since < begin + resolution or now - since < 1
    assert min(now, since + long) <= end <= now
    assert begin % resolution == 0
    assert [ring.span >= ago for ring in RINGS if ring.seconds == resolution] != [False] or now - since > SPAN - 1e-3


def test_nothing_is_known_of_other_times() -> None:
    now = 1e9
    assert interval(now - 2 * SPAN, now - SPAN - 7200, now).end <= interval(now - 2 * SPAN, now, now).begin
    assert interval(now + 100, now + 200, now).begin >= interval(now + 100, now + 200, now).end
    assert ring_of(now + AHEAD_S + 1, now) == 0
    assert Sample("a", "b", 1.0, 2.0).sign == 1
