"""Children made by a registration, connections between jobs, and a collection under the state of its children."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lb_jobs import JOB, LBS, LM, NS, UI, WM, Story, stored, told, waiting
from msgspec.structs import replace

from lb.state.edges import mirrors, standing
from lb.state.embryos import MOST_CHILDREN, births, expansions
from lb.state.machine import Verdict, fold, step
from lb.state.record import Record, public
from tests.examples import examples
from wms.jobid import JobId
from wms.jobstatus import DoneCode, JobState, JobType
from wms.messages.submission import Expand
from wms.seqcode import START

PARENT = "https://lb.example:9000/parent"
OTHER = "https://lb.example:9000/other"


def registration(at=1e9, code=START._replace(ns=1), jobtype="COLLECTION", **fields):
    return told("RegJob", NS, code, at, ns="ns.example", jobtype=jobtype, **fields)


def embryo(at=5e8, jobtype="SIMPLE"):
    return told("RegJob", LBS, START, at, ns="ns.parent", parent=PARENT, jobtype=jobtype, user="/CN=Owner")


def state(name, code, at=2e9, **fields):
    return told("CollectionState", LBS, code, at, state=name, histogram="h", child=OTHER, done_code=0, **fields)


# -- embryos ---------------------------------------------------------------------------------------------


def test_children_are_a_function_of_the_registration():
    expand, = expansions([registration(nsubjobs=3, seed="S")], [registration(nsubjobs=3, seed="S")])
    assert expand == Expand(JOB, "COLLECTION", 3, 1e9, "host", "ns.example", "/DC=org/CN=Jane", "S")
    first, rest = births(expand, 2)
    last, nothing = births(rest, 2)
    parent = JobId.parse(JOB)
    assert [one.job for one in (*first, *last)] == [str(parent.subjob("S", index)) for index in range(3)]
    assert (rest.next, nothing, births(expand, 2)) == (2, None, (first, rest))
    assert {(one.type, one.source, one.seqcode, one.timestamp, one.priority, one.user) for one in first} == {
        ("RegJob", "LBServer", str(START), 1e9, 32, "/DC=org/CN=Jane")}


@pytest.mark.parametrize(("jobtype", "child"), [
    ("COLLECTION", "SIMPLE"), ("DAG", "SIMPLE"), ("PARTITIONED", "SIMPLE"),
    ("FILE_TRANSFER_COLLECTION", "FILE_TRANSFER")])
def test_the_type_of_children(jobtype, child):
    one = registration(jobtype=jobtype, nsubjobs=1)
    (born,), _ = births(*expansions([one], [one]), 9)
    assert born.fields == {"jobtype": child, "ns": "ns.example", "parent": JOB}
    assert born.job == str(JobId.parse(JOB).subjob(None, 0))


def test_what_makes_no_children():
    others = [registration(), registration(nsubjobs=0), registration(nsubjobs=-1), told("Pending", WM),
              registration(jobtype="SIMPLE", nsubjobs=2), registration(nsubjobs=MOST_CHILDREN + 1)]
    assert expansions(others, others) == []


def test_of_equal_registrations_the_first_makes_the_children():
    early, late, more = (registration(at, nsubjobs=number) for at, number in ((1.0, 2), (2.0, 2), (3.0, 4)))
    assert expansions([late], [late])[0].at == 2.0
    assert expansions([late, early], [early])[0].at == 1.0
    assert expansions([early, late], [late]) == []
    assert [one.number for one in expansions([early, late, more], [more])] == [4]


def test_an_embryo_is_a_submitted_job():
    record = fold([embryo()])
    assert (record.state, record.owner, record.parent_job, record.jobtype, record.network_server) == (
        JobState.SUBMITTED, "/CN=Owner", PARENT, JobType.SIMPLE, "ns.parent")
    assert (record.state_enter_time, record.last_update_time, record.last_seqcode) == (5e8, 5e8, None)


def test_its_own_registration_tells_more_and_its_type():
    record = fold([embryo(), registration(nsubjobs=2, seed="S", jdl="[]")])
    assert (record.jobtype, record.children_num, record.jdl, record.parent_job, record.owner) == (
        JobType.COLLECTION, 2, "[]", PARENT, "/CN=Owner")
    again = registration(2e9, START._replace(ns=2), "DAG")
    assert fold([embryo(), registration(), again]).jobtype is JobType.COLLECTION


def test_a_second_embryo_tells_nothing():
    assert public(fold([embryo(), embryo(6e8)])) == public(fold([embryo()]))


@given(st.permutations([embryo(), *waiting().matched("ce1").events]))
@settings(max_examples=examples(60), deadline=None)
def test_an_embryo_may_come_at_any_time(arriving):
    whole = fold(arriving)
    assert stored(arriving) == whole
    assert (whole.state, whole.parent_job, whole.owner) == (JobState.READY, PARENT, "/CN=Owner")


def test_an_embryo_of_a_job_of_foreign_clocks():
    arriving = [embryo(), told("RegJob", UI, at=6e8, jobtype="CREAM", ns="ce"),
                told("CREAMStatus", UI, at=7e8, new_state="RUNNING", result="DONE")]
    for order in permutations(arriving):
        assert (stored(order), stored(order).state) == (fold(arriving), JobState.RUNNING)


# -- a collection and its own events ---------------------------------------------------------------------


def collection(*events):
    return fold([registration(nsubjobs=2), *events])


def test_the_state_of_the_children_shows_and_that_of_its_own_goes_on():
    record = collection(state("Running", START._replace(ns=1, lbs=1)), told("Accepted", NS, START._replace(ns=2), 3e9))
    assert (record.state, record.own_state, record.state_enter_time) == (JobState.RUNNING, JobState.WAITING, 2e9)
    aborted, _ = step(record, told("Abort", NS, START._replace(ns=3), 4e9))
    assert (aborted.state, aborted.own_state) == (JobState.RUNNING, JobState.ABORTED)
    cleared, _ = step(record, told("Clear", NS, START._replace(ns=3), 4e9, reason="USER"))
    assert (cleared.state, cleared.state_enter_time) == (JobState.CLEARED, 4e9)
    assert step(cleared, state("Done", START._replace(ns=3, lbs=1)))[1] is Verdict.LATE


def test_a_cleared_collection_runs_again_with_its_children():
    record = collection(state("Cleared", START._replace(ns=1, lbs=1)))
    assert (record.state, record.done_code) == (JobState.CLEARED, DoneCode.OK)
    again, verdict = step(record, state("Aborted", START._replace(ns=1, lbs=2)))
    assert (again.state, again.done_code, verdict) == (JobState.ABORTED, DoneCode.NONE, Verdict.OK)


def test_an_older_state_of_the_children_is_late():
    record = collection(state("Done", START._replace(ns=1, lbs=2)))
    assert step(record, state("Running", START._replace(ns=1, lbs=1)))[1] is Verdict.LATE


# -- connections -----------------------------------------------------------------------------------------


def connected(type="ConnectJob", source=NS, at=2e9, job=JOB, dest=OTHER):
    return replace(told(type, source, START._replace(ns=2), at, dest_jobid=dest), job=job)


def test_the_newest_word_on_a_connection_counts():
    for events in permutations([registration(), connected(), connected("DisconnectJob", at=3e9)]):
        assert fold(events).related == [{"job": OTHER, "state": "CANCELLED"}]
    assert fold([registration(), connected(at=4e9), connected("DisconnectJob", LM, 3e9)]).related == [
        {"job": OTHER, "state": "ACTIVE"}]


def test_the_other_end_is_told_once():
    record = fold([registration(), connected()])
    mirror, = mirrors(None, record)
    assert (mirror.job, mirror.type, mirror.timestamp, mirror.fields) == (OTHER, "ConnectJob", 2e9, {"dest_jobid": JOB})
    assert list(mirrors(record, record)) == []
    other = fold([replace(registration(), job=OTHER), mirror])
    assert other.related == [{"job": JOB, "state": "ACTIVE"}]
    assert list(mirrors(None, other)) == []
    ended = fold([registration(), connected(), connected("DisconnectJob", at=3e9)])
    assert [one.type for one in mirrors(record, ended)] == ["DisconnectJob"]
    assert list(mirrors(None, Record())) == []


def test_jobs_of_other_servers_are_not_told():
    assert list(mirrors(None, fold([registration(), connected(dest="https://far.example:9000/x")]))) == []


def test_how_connections_stand():
    related = [{"job": OTHER, "state": "ACTIVE"}, {"job": PARENT, "state": "CANCELLED"},
               {"job": JOB, "state": "ACTIVE"}]
    states = {OTHER: JobState.DONE, PARENT: JobState.DONE, JOB: JobState.RUNNING}
    assert [edge["state"] for edge in standing(related, states)] == ["INACTIVE", "CANCELLED", "ACTIVE"]
    assert standing(related, {})[0]["state"] == "ACTIVE"
    assert standing(related, {OTHER: JobState.PURGED})[0]["state"] == "INACTIVE"


def test_what_the_server_says_of_a_job_does_not_move_its_clock():
    record = fold(Story().events)
    for one in (embryo(), connected(source=LBS, at=9e9)):
        after, verdict = step(record, one)
        assert (verdict, after.last_update_time, after.state) == (
            Verdict.IGNORED, record.last_update_time, record.state)
