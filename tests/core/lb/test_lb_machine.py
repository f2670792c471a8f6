"""The fold: what the daemons log gives the state a user expects, in whatever order it arrives."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lb_jobs import (
    APP,
    EVENTS,
    FINISHED,
    NS,
    PAYLOAD,
    RUNNING,
    STORIES,
    UI,
    WM,
    cancel_failed,
    cancel_running,
    cancel_waiting,
    cleared,
    deep,
    expired,
    given_up,
    happy,
    prefixes,
    shallow,
    shuffled,
    stored,
    told,
    waiting,
)

from lb.state.machine import Verdict, fold, in_order, is_late, step
from lb.state.order import order
from tests.examples import examples
from wms.event import Source
from wms.jobstatus import TERMINAL, DoneCode, JobState, JobType, SandboxRetrieved, WrapperStatus
from wms.seqcode import SequenceCode

EARLY = pytest.mark.parametrize("early", [0, 1, 2], ids=["transfer's code", "older code", "oldest code"])


def states(events):
    """The state after each event, without repetitions."""
    found = [fold(prefix).state.value for prefix in prefixes(events)]
    return [state for before, state in zip(["", *found], found, strict=False) if state != before]


# -- the stories -----------------------------------------------------------------------------------------


@EARLY
def test_a_job_that_goes_well(early):
    record = fold(happy(early).events)
    assert states(happy(early).events) == ["Submitted", "Waiting", "Ready", "Scheduled", "Running", "Done"]
    assert (record.state, record.done_code, record.exit_code) == (JobState.DONE, DoneCode.OK, 7)
    assert (record.destination, record.ce_node, record.matched_jdl) == ("ce1", "wn1", "[ce1]")
    assert (record.condor_id, record.ui_host) == ("condor.1", "ui.example")
    assert record.network_server == "ns.example"
    assert (record.jw_status, record.payload_running, record.cpu_time) == (WrapperStatus.DONE, False, 2.5)
    assert (record.jdl, record.condor_jdl, record.rsl, record.location) == ("[]", "text", "text", "none")


def test_events_of_a_job_that_goes_well_are_in_order():
    events = happy().events
    assert all(in_order(fold(seen), event) for seen, event in zip(prefixes(events), events[1:], strict=False))


@EARLY
def test_deep_resubmission_starts_anew(early):
    events = deep(early).events
    assert states(events) == [
        "Submitted", "Waiting", "Ready", "Scheduled", "Running", "Done",
        "Waiting", "Ready", "Scheduled", "Running", "Done"]
    record = fold(events)
    assert (record.state, record.done_code, record.exit_code) == (JobState.DONE, DoneCode.OK, 7)
    assert (record.destination, record.ce_node, record.resubmitted) == ("ce2", "wn2", True)
    assert (record.possible_destinations, record.failure_reasons) == (["ce2"], "lost [ce1]")


def test_the_stale_done_code_stays_while_the_next_attempt_runs():
    running = fold(deep().events[:-3])
    assert (running.state, running.done_code) == (JobState.RUNNING, DoneCode.FAILED)
    assert running.payload_running


def test_a_new_attempt_heard_of_before_its_match_is_still_the_live_one():
    """Reported against the original: it ended in Ready with the worker node of the first attempt."""
    events = deep().events[:-3]
    match = [number for number, event in enumerate(events) if event.type == "Match"][1]
    late = events[match:match + 2]
    record = stored([*events[:match], *events[match + 2:], *late])
    assert (record.state, record.payload_running) == (JobState.RUNNING, True)
    assert (record.destination, record.ce_node) == ("ce2", "wn2")


@EARLY
def test_shallow_resubmission_keeps_what_was_possible(early):
    record = fold(shallow(early).events)
    assert (record.state, record.payload_running, record.resubmit_type) == (JobState.RUNNING, True, "SHALLOW")
    assert (record.destination, record.ce_node, record.matched_jdl) == ("ce2", "wn2", "[ce2]")
    assert record.possible_destinations == ["ce1", "ce2"]
    assert record.possible_ce_nodes == ["wn1", "wn2"]


def test_the_attempt_whose_payload_runs_wins_over_a_later_one():
    story = waiting().matched("ce1")
    first = story.submitted()
    story.tell("Resubmission", WM, result="SHALLOW").matched("ce2")
    second = story.submitted()
    story.on_node(second, ("Running", {"node": "wn2"}))
    story.on_node(first, RUNNING, PAYLOAD)
    record = fold(story.events)
    assert (record.state, record.destination, record.ce_node) == (JobState.RUNNING, "ce1", "wn1")
    assert fold([*story.events, told("Match", WM, story.code.advanced(WM), 3e9)]).destination == "ce1"


@EARLY
def test_cancelling_a_waiting_job(early):
    record = fold(cancel_waiting(early).events)
    assert (record.state, record.cancelling, record.cancel_reason) == (JobState.CANCELLED, False, "by user")
    assert (record.done_code, record.remove_from_proxy) == (DoneCode.NONE, True)


@EARLY
def test_cancelling_a_running_job(early):
    story = cancel_running(early)
    assert fold(story.events[:-1]).cancelling
    record = fold(story.events)
    assert (record.state, record.done_code, record.cancelling) == (
        JobState.CANCELLED, DoneCode.CANCELLED, False)


@EARLY
def test_cancelling_a_job_whose_attempt_has_just_failed(early):
    record = fold(cancel_failed(early).events)
    assert (record.state, record.done_code, record.cancelling) == (JobState.CANCELLED, DoneCode.FAILED, False)


def test_a_cancel_with_an_older_code_than_the_request_still_ends_a_waiting_job():
    story = waiting()
    mine = story.code
    story.tell("Cancel", NS, status_code="REQ")
    story.code = mine
    assert fold(story.tell("Cancel", WM, status_code="DONE").events).state is JobState.CANCELLED


def test_a_cancel_that_comes_after_the_end_changes_no_state():
    story = happy().tell("Cancel", NS, status_code="REQ", reason="late")
    record = fold(story.events)
    assert (record.state, record.cancelling, record.cancel_reason) == (JobState.DONE, True, "late")
    assert not fold(story.tell("Cancel", NS, status_code="ABORT").events).cancelling


def test_an_older_cancel_does_not_undo_a_newer_one():
    story = waiting().tell("Cancel", NS, status_code="ABORT")
    before = told("Cancel", WM, fold(story.events[:-1]).last_seqcode.advanced(WM), status_code="REQ")
    assert step(fold(story.events), before)[1] is Verdict.LATE


def test_an_expired_job_is_aborted():
    record = fold(expired().events)
    assert (record.state, record.reason, record.done_code) == (
        JobState.ABORTED, "proxy expired", DoneCode.NONE)


@EARLY
def test_a_job_given_up_after_its_attempts(early):
    record = fold(given_up(early).events)
    assert (record.state, record.reason) == (JobState.ABORTED, "retries used up")
    assert (record.done_code, record.failure_reasons) == (DoneCode.FAILED, "lost [ce1]\nlost [ce2]")


def test_a_cleared_job():
    record = fold(cleared().events)
    assert (record.state, record.sandbox_retrieved) == (JobState.CLEARED, SandboxRetrieved.USER)
    assert (record.reason, record.exit_code) == ("user retrieved output sandbox", 7)


def test_a_job_whose_payload_ran_can_be_aborted_and_its_late_events_only_tell():
    story = waiting().matched("ce1")
    wrapper = story.submitted()
    story.tell("Abort", WM, reason="over")
    story.on_node(wrapper, RUNNING, PAYLOAD, FINISHED)
    assert stored(story.events).state is JobState.ABORTED


def test_state_enter_times_are_those_of_the_events():
    record = fold(happy().events)
    assert record.state_enter_time == record.last_update_time == happy().events[-1].timestamp
    assert list(record.state_enter_times) == ["Submitted", "Waiting", "Ready", "Scheduled", "Running", "Done"]


def test_scheduled_is_entered_in_retrospect_when_the_wrapper_was_faster():
    assert set(fold(happy(early=2).events).state_enter_times) >= {"Scheduled", "Running"}


def test_a_tag_from_outside_the_job_is_kept_although_its_code_is_older_than_the_registration():
    early = told("UserTag", Source.APPLICATION, SequenceCode(app=1), name="Colour", value="red")
    record = stored([*happy().events, early])
    assert (record.state, record.user_tags) == (JobState.DONE, {"colour": "red"})


@pytest.mark.parametrize(("type", "source"), [("UserTag", APP), ("UserTag", UI), ("CurDescr", APP), ("Chkpt", APP)])
def test_what_users_say_after_the_end_does_not_make_the_end_late(type, source):
    record = fold(happy().tell(type, source).events)
    assert (record.state, record.done_code, record.payload_running) == (JobState.DONE, DoneCode.OK, False)


@pytest.mark.parametrize("source", [APP, UI])
def test_a_tag_does_not_unseat_the_elected_attempt(source):
    story = waiting().matched("ce1")
    story.on_node(story.submitted(), RUNNING, PAYLOAD)
    before = fold(story.events)
    after = fold(story.tell("UserTag", source).events)
    assert after.branch_tag_seqcode == before.branch_tag_seqcode is not None


def test_a_registration_repeated_with_a_newer_code_submits_anew():
    story = waiting().tell("RegJob", NS, ns="other", jdl="[new]")
    assert (fold(story.events).state, fold(story.events).jdl) == (JobState.SUBMITTED, "[new]")


# -- order and repetition --------------------------------------------------------------------------------


@given(st.sampled_from(STORIES), st.integers(0, 2), st.integers(0, 10**6))
@settings(max_examples=examples(150), deadline=None)
def test_order_and_repetition_of_arrival_do_not_matter(story, early, seed):
    events = story(early).events
    assert stored(shuffled(events, seed)) == stored(events) == fold(events)


@given(st.sampled_from(sorted({"SIMPLE", "COLLECTION", "CREAM", "PBS", "CONDOR", "FILE_TRANSFER",
                               "FILE_TRANSFER_COLLECTION", "VIRTUAL_MACHINE"})),
       st.lists(EVENTS, max_size=12, unique_by=order), st.randoms(use_true_random=False))
@settings(max_examples=examples(80), deadline=None)
def test_any_events_whatever_give_one_record_in_every_order(jobtype, events, rng):
    events = [*events, told("RegJob", NS, SequenceCode(ns=1), jobtype=jobtype)]
    expected = fold(events)
    rng.shuffle(events)
    assert stored([*events, *events]) == expected


@given(st.lists(EVENTS, max_size=8))
@settings(max_examples=examples(100), deadline=None)
def test_a_step_leaves_its_argument_alone(events):
    record = fold(happy().events)
    for event in events:
        before = msgspec.msgpack.encode(record)
        after, verdict = step(record, event)
        assert msgspec.msgpack.encode(record) == before
        assert is_late(record, event) == (verdict is Verdict.LATE)
        record = after


@given(st.sampled_from((cleared, cancel_running, cancel_waiting, expired, given_up)), EVENTS)
@settings(max_examples=examples(150), deadline=None)
def test_terminal_states_absorb(story, event):
    record = fold(story().events)
    assert record.state in TERMINAL
    after, verdict = step(record, event)
    if event.type == "Abort" and event.source == WM:
        assert after.state is JobState.ABORTED
    elif not (event.type == "CollectionState" and record.state is JobState.ABORTED):
        assert (after.state, verdict is Verdict.OK) == (record.state, False)


def test_a_record_of_another_version_must_be_folded_anew():
    record = fold(waiting().events)
    record.version = "0"
    assert not in_order(record, waiting().tell("Pending", WM, reason="no CE").events[-1])


def test_events_before_the_registration_wait_for_it():
    first, *others = waiting().events
    record = stored(others)
    assert (record.state, record.jobtype) == (JobState.UNDEFINED, JobType.NONE)
    assert not in_order(record, first)
    assert stored([*others, first]) == fold([first, *others])
