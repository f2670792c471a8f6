"""A ledger: the final status of each job of a log, in any order, with the children that nobody speaks of."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lb_jobs import JOB, LM, LRMS, NS, STORIES, USER, told

from lb.state.embryos import births, expansions
from lb.state.machine import Record, fold
from lb.state.record import public
from lb.upkeep.ledger import Ledger
from tests.examples import examples
from wms.event import Event
from wms.jobid import JobId
from wms.jobstatus import DoneCode, JobState, JobType
from wms.seqcode import START

PARENT = JobId.parse("https://lb.example:9000/parent")


def of(job: str | JobId, events: list[Event]) -> list[Event]:
    return [msgspec.structs.replace(event, job=str(job)) for event in events]


def registered(number: int, jobtype: str = "COLLECTION", job: JobId = PARENT, **fields: object) -> list[Event]:
    return of(job, [told("RegJob", NS, START.advanced(NS), 1e9, jobtype=jobtype, nsubjobs=number, seed="S", **fields)])


def child(index: int, parent: JobId = PARENT) -> JobId:
    return parent.subjob("S", index)


def lives(index: int, *news: tuple[str, dict[str, object]], parent: JobId = PARENT) -> list[Event]:
    """What happens to a child, a second after the other."""
    code, events = START, []
    for second, (type, fields) in enumerate(news):
        source = LM if type in ("Done", "Abort") else LRMS
        code = code.advanced(source)
        events.append(told(type, source, code, 1e9 + 100 * index + second, **fields))
    return of(child(index, parent), events)


RUNNING = ("Running", {"node": "wn"})
DONE = ("Done", {"status_code": "OK"})
FAILED = ("Done", {"status_code": "FAILED"})
CANCELLED = ("Done", {"status_code": "CANCELLED"})
ABORTED = ("Abort", {"reason": "over"})


def ledger(log: list[Event], most: int = 100) -> tuple[list[Record], int]:
    """The records, and how many children were left out."""
    made = Ledger()
    for place, event in enumerate(log):
        made.take(event, place)
    return list(made.records(log.__getitem__, most)), made.unnamed


def by_job(log: list[Event], most: int = 100) -> dict[str, Record]:
    return {record.job_id: record for record in ledger(log, most)[0]}


STORED = [event for number, tell in enumerate(STORIES) for event in of(f"{JOB}{number}", tell().events)]
WHOLE = [*STORED, *registered(3), *lives(0, RUNNING, DONE), *lives(1, RUNNING)]
REFERENCE = [msgspec.msgpack.encode(record) for record in ledger(WHOLE)[0]]


def test_each_job_has_the_record_of_its_whole_fold_sorted() -> None:
    found = ledger(STORED)[0]
    assert [record.job_id for record in found] == sorted(record.job_id for record in found)
    assert found == [fold(of(f"{JOB}{number}", tell().events)) for number, tell in enumerate(STORIES)]


@given(st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=examples(30))
def test_order_and_repetition_make_no_difference(rng: random.Random) -> None:
    log = [*WHOLE, *rng.choices(WHOLE, k=9)]
    rng.shuffle(log)
    assert [msgspec.msgpack.encode(record) for record in ledger(log)[0]] == REFERENCE


def test_a_job_that_nobody_registered_has_no_state() -> None:
    assert by_job(of(JOB, [told("Running", LRMS)]))[JOB].state is JobState.UNDEFINED


def test_children_that_nobody_speaks_of_are_there() -> None:
    found = by_job(registered(3))
    assert set(found) == {str(PARENT), *(str(child(index)) for index in range(3))}
    one = found[str(child(2))]
    assert (one.state, one.owner, one.parent_job, one.jobtype) == (
        JobState.SUBMITTED, USER, str(PARENT), JobType.SIMPLE)
    assert found[str(PARENT)].state is JobState.SUBMITTED


def test_a_child_learns_of_its_parent() -> None:
    one = by_job([*registered(2), *lives(1, RUNNING)])[str(child(1))]
    assert (one.state, one.parent_job, one.owner) == (JobState.RUNNING, str(PARENT), USER)


def test_a_child_that_the_log_has_made_is_left_as_it_is() -> None:
    log = registered(1)
    born = births(expansions(log, log)[0], 1)[0]
    found = by_job([*log, *born, *lives(0, RUNNING)])
    assert found[str(child(0))] == fold([*born, *lives(0, RUNNING)])


def test_a_parent_that_has_no_children_counts_none() -> None:
    plain = of(PARENT, [told("RegJob", NS)])
    one = of("https://lb.example:9000/one", [told("RegJob", NS, parent=str(PARENT))])
    assert by_job([*plain, *one])[str(PARENT)].children_hist == {}


@pytest.mark.parametrize(("stories", "state", "histogram"), [
    ([(RUNNING,), (RUNNING, DONE)], "Running", {"Running": 1, "Done": 1}),
    ([(RUNNING, DONE), (DONE,)], "Done", {"Done": 2}),
    ([(RUNNING, DONE), (ABORTED,)], "Aborted", {"Done": 1, "Aborted": 1}),
    ([(CANCELLED,), (CANCELLED,)], "Cleared", {"Cleared": 2}),
    ([(RUNNING, FAILED), ()], "Waiting", {"Unknown": 2}),
    ([(), ()], "Submitted", {"Unknown": 2}),
])
def test_collections_have_the_state_of_their_children(
        stories: list[tuple[tuple[str, dict[str, object]], ...]], state: str, histogram: dict[str, int]) -> None:
    log = [*registered(2), *(event for index, story in enumerate(stories) for event in lives(index, *story))]
    parent = by_job(log)[str(PARENT)]
    assert (parent.state.value, parent.children_hist) == (state, histogram)
    assert parent.all_cancelled == (histogram == {"Cleared": 2})


def test_a_dag_follows_its_own_events_and_has_a_histogram() -> None:
    parent = by_job([*registered(2, "DAG"), *lives(0, RUNNING, DONE)])[str(PARENT)]
    assert (parent.state, parent.children_hist) == (JobState.SUBMITTED, {"Done": 1, "Unknown": 1})


def test_a_state_that_was_recorded_is_not_told_again() -> None:
    recorded = of(PARENT, [told("CollectionState", NS, START.advanced(NS).advanced(NS), 1e9 + 500, state="Done",
                                done_code=0)])
    lbs = [msgspec.structs.replace(event, source="LBServer") for event in recorded]
    parent = by_job([*registered(1), *lives(0, RUNNING, DONE), *lbs])[str(PARENT)]
    assert (parent.state, parent.done_code, parent.state_enter_time) == (JobState.DONE, DoneCode.OK, 1e9 + 500)


def test_collections_of_collections() -> None:
    top = JobId.parse("https://lb.example:9000/top")
    log = [*registered(1, job=top), *registered(1, parent=str(top)), *lives(0, RUNNING, DONE)]
    found = by_job(log)
    assert {found[str(job)].state for job in (top, PARENT, child(0))} >= {JobState.DONE}


def test_a_circle_of_parents_ends() -> None:
    a, b = (JobId.parse(f"https://lb.example:9000/{name}") for name in "ab")
    found = by_job([*registered(1, job=a, parent=str(b)), *registered(1, job=b, parent=str(a))])
    assert {str(a), str(b)} <= set(found)


def test_connections_are_known_at_both_ends() -> None:
    other = JobId.parse("https://lb.example:9000/other")
    told_one = of(JOB, [told("RegJob", NS), told("ConnectJob", NS, START.advanced(NS), dest_jobid=other),
                        told("ConnectJob", NS, START.advanced(LM), dest_jobid=JobId.parse("https://lb.example:9000/gone"))])
    found = by_job([*told_one, *of(other, [told("RegJob", NS), told("Done", LM, status_code="OK")])])
    assert found[str(other)].related == [{"job": JOB, "state": "ACTIVE"}]
    assert {"job": str(other), "state": "INACTIVE"} in found[JOB].related


def test_more_children_than_anybody_wants_are_only_counted() -> None:
    found, left_out = ledger([*registered(1_000_000), *registered(5, job=JobId.parse(JOB))], most=3)
    assert (len(found), left_out) == (2 + 3, 1_000_000 - 3 + 5)


def test_a_registration_of_a_thousand_million_children_costs_nothing() -> None:
    found, left_out = ledger(registered(1_000_000_000), most=1000)
    assert [public(one).children_num for one in found] == [left_out] == [1_000_000_000]
