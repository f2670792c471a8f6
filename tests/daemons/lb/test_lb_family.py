"""Collections: embryonic children, histograms, and a state that no order of arrival changes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import sqlalchemy as sa
from book_builders import JANE, JOHN, START_TIME, Book, settled, url
from family_builders import (
    ABORTED,
    CANCELLED,
    CLEARED,
    DONE,
    FAILED,
    LM,
    NS,
    PARENT,
    RESUBMITTED,
    RUNNING,
    WM,
    Told,
    child,
    counted,
    history,
    lives,
    record,
    recounted,
    registered,
    told,
    transitions,
)

from lb import family
from lb.service import followers
from lb.state.record import public
from lb.store import Change
from lb.tables import histograms, jobs
from lb.waiting import Waiters
from wms import queue
from wms.consumer import Handle
from wms.errors import Unavailable
from wms.event import Event
from wms.jobstatus import JobState, JobType
from wms.messages.topics import LB_CHILDREN


def states(book: Book, unique: str = PARENT) -> list[str]:
    rows = book.rows(sa.select(jobs.c.state).where(jobs.c.parent == unique))
    return sorted(list(JobState)[row["state"]].value for row in rows)


def test_point_10_a_registration_makes_its_children(book: Book) -> None:
    with book.running():
        book.log(registered(family.PORTION + 3))
    assert states(book) == ["Submitted"] * (family.PORTION + 3)
    one = record(book, child(family.PORTION + 1))
    assert (one.owner, one.parent_job, one.jobtype, one.state_enter_time) == (
        JANE, url(PARENT), JobType.SIMPLE, START_TIME)
    assert [(event.source, event.priority) for event in history(book, child(0))] == [("LBServer", 32)]
    assert record(book).state is JobState.SUBMITTED
    assert book.rows(sa.select(queue.messages)) == []


def test_children_of_transfers_are_transfers_and_those_of_a_dag_jobs(book: Book) -> None:
    with book.running():
        book.log(registered(1, "transfers", jobtype="FILE_TRANSFER_COLLECTION"))
        book.log(registered(1, "dag", jobtype="DAG"))
        book.log(registered(0, "none"))
    assert record(book, child(0, "transfers")).jobtype is JobType.FILE_TRANSFER
    assert record(book, child(0, "dag")).jobtype is JobType.SIMPLE
    assert len(book.contents()) == 5


def test_a_million_children_are_acknowledged_like_one(book: Book) -> None:
    """What the registration itself stores does not depend on their number."""
    book.follow(registered(1_000_000))
    assert len(book.contents()) == 1
    assert [row["topic"] for row in book.rows(sa.select(queue.messages))] == [LB_CHILDREN]


def test_a_repetition_makes_nothing_again(book: Book) -> None:
    with book.running():
        book.log(registered(3))
        before = [row for row in book.contents() if row["parent"]]
        book.log(registered(3))
        book.log(registered(3, at=5.0))
    assert [row for row in book.contents() if row["parent"]] == before
    assert [row["version"] for row in before] == [1, 1, 1]


def test_an_earlier_registration_is_the_one_that_counts(book: Book) -> None:
    other = Book()
    for this, arriving in ((book, [0.0, -5.0]), (other, [-5.0, 0.0])):
        with this.running():
            for at in arriving:
                this.log(registered(2, at=at))
    first, second = (public(record(one, child(1))) for one in (book, other))
    assert (first, first.state_enter_time) == (second, START_TIME - 5)


def test_a_child_that_was_heard_of_first_keeps_what_it_said(book: Book) -> None:
    with book.running():
        book.log(lives(0, RUNNING)[1:])
        assert record(book, child(0)).jobtype is JobType.NONE
        book.log(registered(2))
        assert record(book, child(0)).state is JobState.RUNNING
        book.log(lives(0, RUNNING)[:1])
    assert (record(book, child(0)).state, record(book, child(0)).jdl) == (JobState.RUNNING, "[]")
    assert record(book).state is JobState.RUNNING


def test_a_portion_that_fails_leaves_nothing_and_comes_again(book: Book) -> None:
    """As after kill -9: children and what is still to be made are one transaction."""
    def fails(conn: sa.Connection, changes: Sequence[Change], now: float) -> Sequence[Event]:
        raise Unavailable("the machine stops here")

    book.follow(registered(5))
    before = book.rows(sa.select(queue.messages))
    for broken in (True, False, True, False, True, False, False):
        listeners = (*followers(book.kit), *([fails] if broken else []))
        make = family.expander(Waiters(book.clock), listeners, portion=2)
        try:
            settled(book.database.transact(portion, make))
        except Unavailable:
            assert book.rows(sa.select(queue.messages)) == before
        before = book.rows(sa.select(queue.messages))
    assert states(book) == ["Submitted"] * 5
    assert before == []


def portion(conn: sa.Connection, make: Handle) -> None:
    """As the consumer does it."""
    found = queue.peek_due(conn, LB_CHILDREN, 1, now=START_TIME * 2)
    make(conn, found, START_TIME)
    queue.done(conn, [message.id for message in found])


def test_the_expansion_of_a_job_that_was_purged_ends(book: Book) -> None:
    book.follow(registered(3))
    with book.database.engine.begin() as conn:
        conn.execute(jobs.delete())
    with book.running():
        pass
    assert book.contents() == []


def test_the_parent_follows_its_children_and_says_so(book: Book) -> None:
    with book.running():
        book.log(registered(2))
        seen = []
        for news in (lives(0, RUNNING), lives(0, RUNNING, DONE)[2:], lives(1, RUNNING), lives(1, RUNNING, DONE)[2:],
                     lives(0, RUNNING, DONE, CLEARED)[3:], lives(1, RUNNING, DONE, CLEARED)[3:]):
            book.log(news)
            seen.append(record(book).state.value)
            assert counted(book) == recounted(book)
    assert seen == ["Running", "Waiting", "Running", "Done", "Done", "Cleared"]
    assert transitions(history(book)) == ["Running", "Waiting", "Running", "Done", "Cleared"]
    said = history(book)[1]
    assert (said.fields["child"], said.fields["child_event"], said.user) == (
        url(child(0)), "Running", "/CN=lb.example")
    assert "Running=1" in said.fields["histogram"]


def test_a_parent_that_is_registered_last(book: Book) -> None:
    with book.running():
        book.log([*lives(0, RUNNING, DONE), *lives(1, RUNNING)])
        book.log(registered(2))
    assert record(book).state is JobState.RUNNING
    assert counted(book) == {"Running": 1, "Done": 1}


@pytest.mark.parametrize(("fates", "expected"), [
    ([DONE, FAILED], "Waiting"), ([ABORTED, DONE], "Aborted"), ([CANCELLED, CANCELLED], "Cleared"),
    ([CANCELLED, DONE], "Done"), ([RUNNING, ABORTED], "Running")])
def test_states(book: Book, fates: list[Told], expected: str) -> None:
    with book.running():
        book.log(registered(2))
        for index, fate in enumerate(fates):
            book.log(lives(index, fate))
    assert record(book).state.value == expected


def test_an_aborted_collection_may_run_again(book: Book) -> None:
    with book.running():
        book.log(registered(1))
        book.log(lives(0, ABORTED))
        assert record(book).state is JobState.ABORTED
        book.log(lives(1, RUNNING))
    assert record(book).state is JobState.RUNNING


def test_a_collection_that_was_aborted_itself_waits_for_nobody(book: Book) -> None:
    with book.running():
        book.log(registered(2))
        book.log(lives(0, RUNNING, RESUBMITTED))
        book.log(told(PARENT, 50.0, RESUBMITTED, ABORTED)[1:])
        assert record(book).state is JobState.ABORTED
        book.log(lives(1, RUNNING))
        assert record(book).state is JobState.RUNNING
        book.log(lives(1, RUNNING, RESUBMITTED)[-1:])
    assert record(book).state is JobState.ABORTED


def test_what_its_own_events_settled_no_child_moves(book: Book) -> None:
    with book.running():
        book.log(registered(1))
        book.log(lives(0, RUNNING))
        book.log(told(PARENT, 50.0, (NS, "Accepted", {"from": "UserInterface", "from_host": "ui"}),
                      (WM, "Cancel", {"status_code": "DONE", "reason": "by user"})))
        assert record(book).state is JobState.CANCELLED
        book.log(lives(0, RUNNING, DONE)[-1:])
    assert record(book).state is JobState.CANCELLED
    assert counted(book) == {"Done": 1}


def test_its_own_events_move_a_collection_no_longer_once_its_children_have(book: Book) -> None:
    with book.running():
        book.log(registered(1))
        book.log(lives(0, RUNNING))
        book.log(told(PARENT, 1.0, (NS, "Accepted", {"from": "UserInterface", "from_host": "ui"}),
                      (WM, "Match", {"dest_id": "ce"}))[1:])
    assert (record(book).state, record(book).own_state) == (JobState.RUNNING, JobState.WAITING)
    assert transitions(history(book)) == ["Running"]
    assert record(book).state_enter_time == book.clock.seconds()


def test_collections_of_collections(book: Book) -> None:
    top, middle = "top", child(0, "top")
    with book.running():
        book.log(registered(1, top))
        book.log(registered(2, middle, at=10.0, parent=url(top)))
        assert record(book, middle).jobtype is JobType.COLLECTION
        assert states(book, middle) == ["Submitted", "Submitted"]
        book.log(lives(0, RUNNING, unique=middle))
        assert [record(book, unique).state.value for unique in (middle, top)] == ["Running", "Running"]
        book.log([*lives(0, RUNNING, DONE, unique=middle), *lives(1, DONE, unique=middle)])
    assert [record(book, unique).state.value for unique in (middle, top)] == ["Done", "Done"]


def test_a_dag_follows_its_own_events(book: Book) -> None:
    with book.running():
        book.log(registered(1, jobtype="DAG"))
        book.log(lives(0, RUNNING))
    assert (record(book).state, transitions(history(book))) == (JobState.SUBMITTED, [])
    assert counted(book) == {"Running": 1}


def test_a_collection_of_transfers(book: Book) -> None:
    with book.running():
        book.log(registered(2, jobtype="FILE_TRANSFER_COLLECTION"))
        for index, result in enumerate(("OK", "START")):
            book.log(told(child(index), 9.0, (NS, "FileTransfer", {"result": result})))
    assert record(book).state is JobState.RUNNING


def test_a_child_that_moves_to_another_parent_counts_there(book: Book) -> None:
    with book.running():
        book.log(registered(1))
        book.log(lives(0, RUNNING))
        elsewhere = (NS, "RegJob", {"jobtype": "SIMPLE", "ns": "ns.example", "parent": url("other")})
        book.log(told(child(0), 500.0, elsewhere, elsewhere, elsewhere)[2:])
        assert record(book, child(0)).parent_job == url("other")
    assert [counted(book, unique) for unique in (PARENT, "other")] == [
        recounted(book, unique) for unique in (PARENT, "other")]


def test_histograms_go_with_their_jobs(book: Book) -> None:
    with book.running():
        book.log([*registered(1), *lives(0, RUNNING)])
    settled(book.database.transact(family.forget, [PARENT]))
    settled(book.database.transact(family.forget, []))
    assert book.rows(sa.select(histograms)) == []


# -- connections -----------------------------------------------------------------------------------------


def test_a_connection_is_known_at_both_ends_and_listenersonce(book: Book) -> None:
    connected = (NS, "ConnectJob", {"dest_jobid": url("b")})
    reg = (NS, "RegJob", {"jobtype": "SIMPLE", "ns": "ns.example"})
    with book.running():
        book.log(told("a", 0.0, reg, connected))
        book.log(told("b", 0.0, reg, owner=JOHN))
        assert record(book, "b").related == [{"job": url("a"), "state": "ACTIVE"}]
        book.log(told("a", 0.0, reg, connected, (NS, "DisconnectJob", {"dest_jobid": url("b")}))[2:])
    assert [record(book, unique).related[0]["state"] for unique in "ab"] == ["CANCELLED"] * 2
    assert [len(history(book, unique)) for unique in "ab"] == [3, 3]
    assert [event.source for event in history(book, "b")] == ["LBServer", "LBServer", "NetworkServer"]


def test_a_connection_that_is_listenersbefore_the_job(book: Book) -> None:
    with book.running():
        reg = (NS, "RegJob", {"jobtype": "SIMPLE", "ns": "ns.example"})
        both = told("a", 0.0, reg, (NS, "ConnectJob", {"dest_jobid": url("b")}))
        book.log(both[1:])
        book.log(told("b", 0.0, reg))
        assert record(book, "b").related == []
        book.log(both[:1])
    assert record(book, "b").related == [{"job": url("a"), "state": "ACTIVE"}]


def test_jobs_of_other_servers_are_not_told(book: Book) -> None:
    far = "https://far.example:9000/b"
    with book.running():
        reg = (NS, "RegJob", {"jobtype": "SIMPLE", "ns": "n"})
        book.log(told("a", 0.0, reg, (LM, "ConnectJob", {"dest_jobid": far})))
    assert len(book.contents()) == 1
    assert record(book, "a").related == [{"job": far, "state": "ACTIVE"}]
