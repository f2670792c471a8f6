"""Collections: the state that the classes of the children give, and the event that says so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lb_jobs import JOB, NS, RUNNING, Story, waiting

from lb.state.machine import Verdict, fold, step
from lb.state.parents import (
    Cause,
    all_cancelled,
    collection_event,
    collection_state,
    completed,
    histogram,
    moved,
    place,
    slot,
    text,
    transfers_state,
)
from wms.jobstatus import DoneCode, JobState
from wms.seqcode import START

CHILDREN = st.tuples(st.sampled_from(JobState), st.sampled_from(DoneCode))
CAUSE = Cause(JOB, "Done")


def collection(number, jobtype="COLLECTION"):
    return fold(Story(jobtype=jobtype, nsubjobs=number).events)


@pytest.mark.parametrize(("state", "done_code", "expected"), [
    ("Running", DoneCode.NONE, "Running"), ("Done", DoneCode.OK, "Done"),
    ("Done", DoneCode.FAILED, "Unknown"), ("Cleared", DoneCode.OK, "Cleared"),
    ("Cancelled", DoneCode.CANCELLED, "Cleared"), ("Aborted", DoneCode.FAILED, "Aborted"),
    ("Scheduled", DoneCode.OK, "Unknown"),
    ("Submitted", DoneCode.NONE, "Unknown")])
def test_classes(state, done_code, expected):
    assert slot(JobState(state), done_code) == expected


@pytest.mark.parametrize(("counted", "of_jobs", "of_transfers"), [
    ({"Unknown": 4}, "Waiting", "Waiting"),
    ({"Unknown": 3, "Running": 1}, "Running", "Running"),
    ({"Cleared": 4}, "Cleared", "Waiting"),
    ({"Done": 4}, "Done", "Done"),
    ({"Done": 1, "Cleared": 3}, "Done", "Waiting"),
    ({"Done": 3, "Aborted": 1}, "Aborted", "Aborted"),
    ({"Done": 2, "Aborted": 1, "Cleared": 1}, "Aborted", "Waiting"),
    ({"Done": 3, "Aborted": 1, "Running": 1}, "Running", "Running"),
    ({"Done": 3, "Unknown": 1}, "Waiting", "Waiting"),
])
def test_states(counted, of_jobs, of_transfers):
    number = sum(counted.values())
    assert collection_state(counted, number).value == of_jobs
    assert transfers_state(counted, number).value == of_transfers


@given(st.lists(CHILDREN, max_size=8), st.integers(0, 3), st.data())
def test_one_child_moved_is_the_histogram_counted_anew(children, silent, data):
    number = len(children) + silent
    counted = histogram(children, number)
    assert sum(counted.values()) == number
    if children:
        which, now = data.draw(st.integers(0, len(children) - 1)), data.draw(CHILDREN)
        again = histogram([*children[:which], now, *children[which + 1:]], number)
        assert moved(counted, slot(*children[which]), slot(*now)) == again


def test_the_event_moves_the_parent_and_is_not_said_twice():
    parent = collection(2)
    said = collection_event(parent, {"Done": 2}, CAUSE, 2e9, "lb", "/CN=lb")
    assert (said.fields["child"], said.fields["child_event"], said.source) == (JOB, "Done", "LBServer")
    record, verdict = step(parent, said)
    assert (record.state, record.done_code, verdict) == (JobState.DONE, DoneCode.OK, Verdict.OK)
    assert collection_event(record, {"Done": 2}, CAUSE, 2e9, "lb", "/CN=lb") is None


@given(st.lists(st.lists(CHILDREN, min_size=3, max_size=3), max_size=6))
def test_the_parent_follows_its_children_until_it_is_cleared(histories):
    parent = collection(3)
    for children in histories:
        counted = histogram(children, 3)
        said = collection_event(parent, counted, CAUSE, 2e9, "lb", "/CN=lb")
        if said is not None:
            parent, verdict = step(parent, said)
            assert verdict is Verdict.OK
        assert parent.state in (collection_state(counted, 3), JobState.CLEARED)


def test_others_than_collections_follow_their_own_events():
    for record in (collection(2, "DAG"), fold(waiting().events)):
        assert collection_event(record, {"Running": 1}, CAUSE, 2e9, "lb", "/CN=lb") is None
    transfers = collection(2, "FILE_TRANSFER_COLLECTION")
    said = collection_event(transfers, {"Running": 1, "Unknown": 1}, CAUSE, 2e9, "lb", "/CN=lb")
    assert step(transfers, said)[0].state is JobState.RUNNING


def test_a_collection_of_cancelled_jobs_is_told_from_one_of_cleared_jobs():
    assert all_cancelled([JobState.CANCELLED, JobState.CANCELLED])
    assert not all_cancelled([JobState.CANCELLED, JobState.CLEARED])
    assert not all_cancelled([])


def test_the_text_of_a_histogram():
    assert text({"Done": 2}) == (
        "Submitted=0, Waiting=0, Ready=0, Scheduled=0, Running=0, Done=2, Cleared=0, Aborted=0, Cancelled=0, "
        "Unknown=0, Purged=0")


def test_where_a_job_counts():
    child = fold(Story(parent=JOB).on_node(START._replace(ns=1), RUNNING).events)
    assert place(child) == ("job", "Running", True)
    assert place(fold(Story(parent=JOB).events)) == ("job", "Unknown", False)
    child.version = "1"
    assert place(child) == place(None) == place(fold(waiting().events)) == ("", "Unknown", False)


def test_the_rest_completes_a_histogram():
    assert completed({"Running": 1, "Done": 0}, 3) == {"Running": 1, "Unknown": 2}
    assert completed({"Running": 3}, 2) == {"Running": 3}


def test_children_that_were_not_registered_with_their_parent_count_too():
    assert collection_event(collection(1), {"Done": 2}, CAUSE, 2e9, "lb", "").fields["state"] == "Done"
    assert collection_event(collection(0), {"Done": 2}, CAUSE, 2e9, "lb", "") is None


def test_a_collection_aborted_by_itself_waits_for_nobody():
    own = Story(jobtype="COLLECTION", nsubjobs=2).tell("Abort", NS, reason="no")
    parent = fold(own.events)
    assert collection_event(parent, {"Done": 1}, CAUSE, 2e9, "lb", "") is None
    running = step(parent, collection_event(parent, {"Running": 1}, CAUSE, 2e9, "lb", ""))[0]
    assert collection_event(running, {"Done": 1}, CAUSE, 2e9, "lb", "").fields["state"] == "Aborted"
