"""Single rules of the state table, the table as a whole, and the record it makes."""

from __future__ import annotations

from itertools import product

import msgspec
import pytest
from lb_jobs import (
    JC,
    JOB,
    LBS,
    LM,
    LRMS,
    NS,
    PAYLOAD,
    RUNNING,
    UI,
    WM,
    Story,
    deep,
    happy,
    told,
    waiting,
)

from lb.state.machine import MACHINE_VERSION, Record, Verdict, fold, step
from lb.state.record import public
from lb.state.transitions import GLITE, TABLES, diagram, results, rule_of
from wms.event import EVENT_TYPES, Source
from wms.jobstatus import DoneCode, JobState, JobStatus, JobType
from wms.seqcode import SequenceCode

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
    for row in EVENT_TYPES.values():
        for source, result in product(Source, results(row)):
            exact = [key for key in product((row.name,), (source, "*"), (result, "*")) if key in TABLES[jobtype]]
            assert rule_of(jobtype, row.name, source, result) is TABLES[jobtype][exact[0]]


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
    story.tell("CollectionState", LBS, state="done", done_code=0, histogram="h", child=JOB)
    assert (fold(story.events).state, fold(story.events).done_code) == (JobState.DONE, DoneCode.OK)
    story.tell("CollectionState", LBS, state="Lost", histogram="h", child=JOB)
    assert (fold(story.events).state, step(fold(story.events), story.events[-1])[1]) == (
        JobState.DONE, Verdict.SUSPECT)


def test_the_log_monitor_may_tell_which_attempt_runs():
    story = waiting().matched("ce1")
    wrapper = story.submitted()
    story.tell("ReallyRunning", LM, wn_seq=str(wrapper))
    record = fold(story.events)
    assert (record.state, record.payload_running) == (JobState.RUNNING, True)
    assert record.branch_tag_seqcode == wrapper
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
    story.tell("RegJob", UI, ns="ns")
    story.tell("Transfer", UI, destination=NS, dest_host="ns", job="[t]", result="START")
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
