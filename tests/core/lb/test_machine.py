"""The fold: what the daemons log gives the state a user expects, in whatever order it arrives."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lb_jobs import (
    EVENTS,
    FINISHED,
    JC,
    JOB,
    LBS,
    LM,
    LRMS,
    NS,
    PAYLOAD,
    RUNNING,
    STORIES,
    UI,
    WM,
    Story,
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

from lb.machine import MACHINE_VERSION, Record, Verdict, fold, in_order, is_late, step
from lb.order import order
from lb.record import public
from lb.transitions import GLITE, TABLES, diagram, expanded, results
from wms.event import EVENT_TYPES, Source
from wms.jobstatus import TERMINAL, DoneCode, JobState, JobStatus, JobType, SandboxRetrieved, WrapperStatus
from wms.seqcode import SequenceCode

EARLY = pytest.mark.parametrize("early", [False, True], ids=["code of the transfer", "code before the transfer"])


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
    assert (record.condor_id, record.ui_host, record.network_server) == ("condor.1", "ui.example", "ns.example")
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
    assert (running.state, running.done_code, running.payload_running) == (JobState.RUNNING, DoneCode.FAILED, True)


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
    assert set(fold(happy(early=True).events).state_enter_times) >= {"Scheduled", "Running"}


def test_a_tag_from_outside_the_job_is_kept_although_its_code_is_older_than_the_registration():
    early = told("UserTag", Source.APPLICATION, SequenceCode(app=1), name="Colour", value="red")
    record = stored([*happy().events, early])
    assert (record.state, record.user_tags) == (JobState.DONE, {"colour": "red"})


def test_a_registration_repeated_with_a_newer_code_submits_anew():
    story = waiting().tell("RegJob", NS, ns="other", jdl="[new]")
    assert (fold(story.events).state, fold(story.events).jdl) == (JobState.SUBMITTED, "[new]")


# -- order and repetition --------------------------------------------------------------------------------


@given(st.sampled_from(STORIES), st.booleans(), st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_order_and_repetition_of_arrival_do_not_matter(story, early, seed):
    events = story(early).events
    assert stored(shuffled(events, seed)) == stored(events) == fold(events)


@given(st.sampled_from(sorted({"SIMPLE", "COLLECTION", "CREAM", "PBS", "CONDOR", "FILE_TRANSFER",
                               "FILE_TRANSFER_COLLECTION", "VIRTUAL_MACHINE"})),
       st.lists(EVENTS, max_size=12, unique_by=order), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_any_events_whatever_give_one_record_in_every_order(jobtype, events, rng):
    events = [*events, told("RegJob", NS, SequenceCode(ns=1), jobtype=jobtype)]
    expected = fold(events)
    rng.shuffle(events)
    assert stored([*events, *events]) == expected


@given(st.lists(EVENTS, max_size=8))
@settings(max_examples=100, deadline=None)
def test_a_step_leaves_its_argument_alone(events):
    record = fold(happy().events)
    for event in events:
        before = msgspec.msgpack.encode(record)
        after, verdict = step(record, event)
        assert msgspec.msgpack.encode(record) == before
        assert is_late(record, event) == (verdict is Verdict.LATE)
        record = after


@given(st.sampled_from((cleared, cancel_running, cancel_waiting, expired, given_up)), EVENTS)
@settings(max_examples=300, deadline=None)
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
    assert (record.state, record.jobtype, in_order(record, first)) == (JobState.UNDEFINED, JobType.NONE, False)
    assert stored([*others, first]) == fold([first, *others])


# -- the record ------------------------------------------------------------------------------------------


def test_a_record_survives_storage():
    record = fold(deep().events)
    for codec in (msgspec.json, msgspec.msgpack):
        assert codec.decode(codec.encode(record), type=Record) == record
    assert record.version == MACHINE_VERSION


def test_the_public_part_has_the_names_of_the_service_and_nothing_private():
    shown = msgspec.to_builtins(public(fold(happy().events)))
    assert shown["jobId"] == JOB
    assert {"stateEnterTime", "lastUpdateTime", "condorId", "cpuTime"} <= shown.keys()
    assert not {"newest", "version", "branches", "usage"} & shown.keys()
    assert isinstance(public(Record()), JobStatus)


# -- the table -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobtype", sorted(TABLES))
def test_every_event_has_a_rule_or_is_named_ignored_or_suspect(jobtype):
    rules = expanded(TABLES[jobtype])
    assert [(row.name, source.value, result) for row in EVENT_TYPES.values() for source in Source
            for result in results(row) if (row.name, source.value, result) not in rules] == []


def test_every_row_of_the_table_is_about_an_event_that_exists():
    for table in TABLES.values():
        for name, source, result in table:
            assert source == "*" or source in list(Source)
            assert result == "*" or result in results(EVENT_TYPES[name])


def test_every_job_type_has_a_table():
    assert TABLES.keys() == set(JobType) - {JobType.NONE}


def test_the_diagram_shows_every_state_and_every_event_that_moves_one():
    drawn = diagram()
    for (name, _, _), rule in GLITE.items():
        if rule.state is not None:
            assert rule.state.value in drawn
            assert name in drawn
    assert "Cancelled --> Aborted : Abort (WorkloadManager)" in drawn


# -- more of single rules --------------------------------------------------------------------------------


def after_happy(type, source, **fields):
    story = waiting().matched("ce1")
    story.on_node(story.submitted(), RUNNING, PAYLOAD)
    return fold(story.tell(type, source, **fields).events)


def test_killed_by_the_wrapper_is_failed_with_its_exit_code():
    record = after_happy("Done", LM, status_code="KILLED", exit_code=137)
    assert (record.state, record.done_code, record.exit_code) == (JobState.DONE, DoneCode.FAILED, 137)
    assert (record.killed, record.wrapper_exit_code) == (True, 137)


def test_failed_has_exit_code_0_and_the_wrapper_s_own_besides():
    record = after_happy("Done", LM, status_code="FAILED", exit_code=1)
    assert (record.exit_code, record.wrapper_exit_code, record.killed) == (0, 1, False)


def test_equal_failures_one_after_the_other_are_told_once():
    story = waiting().matched("ce1")
    story.submitted()
    story.ended("FAILED", reason="lost").ended("FAILED", reason="lost")
    assert fold(story.events).failure_reasons == "lost [ce1]"


def test_a_late_failure_says_that_its_destination_is_unreliable():
    record, verdict = step(fold(happy().events), told("Done", LM, SequenceCode(), status_code="FAILED",
                                                      reason="lost"))
    assert (verdict, record.done_code) == (Verdict.LATE, DoneCode.FAILED)
    assert record.failure_reasons == "lost [delayed event, destination unreliable]"


def test_suspended_only_while_running():
    assert after_happy("Suspend", LM, reason="full").suspend_reason == "full"
    story = waiting().matched("ce1")
    story.on_node(story.submitted(), RUNNING).tell("Suspend", LM).tell("Resume", LM, reason="empty")
    assert (fold(story.events).suspended, fold(story.events).suspend_reason) == (False, "empty")
    assert not fold(waiting().tell("Suspend", LM).events).suspended
    assert not fold(waiting().tell("Resume", LM, reason="no").events).suspend_reason


def test_a_tag_keeps_the_value_with_the_newest_code():
    story = waiting().tell("UserTag", UI, name="A", value="1").tell("UserTag", UI, name="a", value="2")
    old = told("UserTag", UI, SequenceCode(), name="a", value="0")
    assert step(fold(story.events), old)[0].user_tags == {"a": "2"}


def test_the_payload_changes_hands_when_granted_and_taken_in_either_order():
    grant = {"payload_owner": "/DC=org/CN=Pilot/Email=p@x"}
    taker = "/DC=org/CN=Pilot/emailAddress=p@x"
    base = fold(waiting().events)
    code = base.last_seqcode
    given = step(base, told("GrantPayloadOwnership", UI, code, **grant))[0]
    taken = step(base, told("TakePayloadOwnership", UI, code, user=taker))[0]
    assert given.payload_owner == taken.payload_owner == ""
    for record in (step(given, told("TakePayloadOwnership", UI, code, user=taker))[0],
                   step(taken, told("GrantPayloadOwnership", UI, code, **grant))[0]):
        assert (record.payload_owner, record.last_seqcode) == (taker, code)
    stranger = step(given, told("TakePayloadOwnership", UI, code, user="/CN=Mallory"))[0]
    assert step(stranger, told("TakePayloadOwnership", UI, code, user=taker))[0].payload_owner == taker


def test_sandboxes_are_linked():
    story = waiting().tell("Sandbox", NS, sandbox_type="INPUT", transfer_job=JOB)
    record = fold(story.tell("Sandbox", NS, sandbox_type="OUTPUT", transfer_job=JOB + "2").events)
    assert (record.isb_transfer, record.osb_transfer) == (JOB, JOB + "2")


def test_processor_time_is_user_and_system_time():
    story = waiting()
    for name, seconds in (("real", 9.0), ("user", 2.0), ("sys", 0.5), ("user", 3.0)):
        story.tell("ResourceUsage", LRMS, resource=name, quantity=seconds, unit="s")
    assert fold(story.events).cpu_time == 3.5


def test_a_collection_follows_its_children_out_of_aborted():
    story = Story(jobtype="COLLECTION", nsubjobs=3, seed="s").tell("Abort", NS, reason="children")
    record = fold(story.events)
    assert (record.children_hist, record.children_num, record.seed) == ({"Unknown": 3}, 3, "s")
    story.tell("CollectionState", LBS, state="done", done_code=0, histogram="h", child=JOB, child_event="Done")
    assert (fold(story.events).state, fold(story.events).done_code) == (JobState.DONE, DoneCode.OK)
    story.tell("CollectionState", LBS, state="Lost", histogram="h", child=JOB, child_event="Done")
    assert (fold(story.events).state, step(fold(story.events), story.events[-1])[1]) == (
        JobState.DONE, Verdict.SUSPECT)


def test_the_log_monitor_may_tell_which_attempt_runs():
    story = waiting().matched("ce1")
    wrapper = story.submitted()
    story.tell("ReallyRunning", LM, wn_seq=str(wrapper))
    record = fold(story.events)
    assert (record.state, record.branch_tag_seqcode, record.payload_running) == (JobState.RUNNING, wrapper, True)
    again = told("ReallyRunning", LM, story.code.advanced(LM), wn_seq="")
    assert step(record, again)[1] is Verdict.OK
    story = waiting().matched("ce1")
    story.submitted()
    story.tell("ReallyRunning", LM, wn_seq="unreadable")
    assert step(fold(story.events[:-1]), story.events[-1])[1] is Verdict.SUSPECT
    assert fold(story.events).state is JobState.SCHEDULED


def test_a_late_payload_of_the_attempt_that_was_heard_last_is_believed():
    story = waiting().matched("ce1")
    wrapper = story.submitted()
    story.on_node(wrapper, RUNNING).ended("OK", exit_code=0)
    done = fold(story.events)
    record, verdict = step(done, told("ReallyRunning", LRMS, wrapper.advanced(LRMS).advanced(LRMS)))
    assert (verdict, record.state) == (Verdict.LATE, JobState.DONE)
    assert (record.payload_running, record.last_branch_seqcode) == (True, done.last_seqcode)


def test_a_payload_given_up_is_not_believed():
    record = fold(deep().events[:-6])
    old = told("ReallyRunning", LRMS, SequenceCode(ns=3, wm=3, jss=9, lrms=9))
    told_by_lm = told("ReallyRunning", LM, SequenceCode(ns=3, wm=3, jss=9, lm=9), wn_seq=old.seqcode)
    for event in (old, told_by_lm):
        after, verdict = step(record, event)
        assert (verdict, after.branch_tag_seqcode) == (Verdict.LATE, record.branch_tag_seqcode)


def test_the_user_s_own_transfer_gives_the_description():
    story = Story()
    story.events.clear()
    story.tell("RegJob", UI, ns="ns").tell("Transfer", UI, destination=NS, dest_host="ns", job="[t]", result="START")
    assert fold(story.events).jdl == "[t]"
    story.tell("EnQueued", NS, queue="wm", job="[q]", result="START")
    assert fold(story.events).jdl == "[t]"
    story.tell("EnQueued", NS, queue="wm", job="[q]", result="OK")
    assert fold(story.events).jdl == "[q]"


def test_places_are_named():
    story = waiting().tell("HelperCall", WM, helper_name="Broker", src_role="CALLING")
    assert fold(story.events).location == "Broker/host/"
    story.tell("HelperReturn", WM, helper_name="Broker", src_role="CALLING")
    assert fold(story.events).location == "WorkloadManager/host/"
    story.tell("Accepted", LRMS, from_=LM, from_host="h", local_jobid="g1").tell("Running", LRMS, node="wn")
    assert (fold(story.events).location, fold(story.events).globus_id) == ("LRMS/worknode/wn", "g1")
    story.tell("Refused", LM, from_=JC, from_host="jc", from_instance="1", reason="no")
    assert (fold(story.events).location, fold(story.events).reason) == ("JobController/jc/1", "no")
