"""Questions about children, and what the status of a job tells of its kin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from book_builders import Book, url
from family_builders import (
    ABORTED,
    CANCELLED,
    CLEARED,
    DONE,
    FAILED,
    NS,
    PARENT,
    RUNNING,
    child,
    lives,
    registered,
    told,
)

from lb import children, query
from lb.upkeep import purge
from wms.errors import NoSuchJob
from wms.jobstatus import JobStatus

REGISTERED = (NS, "RegJob", {"jobtype": "SIMPLE", "ns": "ns.example"})


def ask(book: Book, question: Callable[..., Any], *args: Any, **more: Any) -> Any:
    with book.database.engine.connect() as conn:
        return question(conn, *args, **more)


def status(book: Book, unique: str = PARENT) -> JobStatus:
    found: JobStatus = ask(book, query.status, unique).status
    return found


def test_histograms(book: Book) -> None:
    with book.running():
        book.log(registered(7))
        for index, fate in enumerate((RUNNING, DONE, FAILED, CANCELLED, CLEARED, ABORTED)):
            book.log(lives(index, fate))
    assert ask(book, children.histogram, PARENT, False) == {
        "Running": 1, "Done": 1, "Cleared": 2, "Aborted": 1, "Unknown": 2}
    assert ask(book, children.histogram, PARENT, True) == {
        "Running": 1, "Done": 2, "Cancelled": 1, "Cleared": 1, "Aborted": 1, "Submitted": 1}
    assert status(book).children_hist == ask(book, children.histogram, PARENT, False)
    with pytest.raises(NoSuchJob):
        ask(book, children.histogram, "nobody", False)


def test_children_that_are_still_to_be_made_are_counted(book: Book) -> None:
    book.follow(registered(5))
    assert ask(book, children.histogram, PARENT, False) == status(book).children_hist == {"Unknown": 5}
    assert ask(book, children.histogram, PARENT, True) == {"Submitted": 5}


def test_identifiers_and_records_come_in_pages(book: Book) -> None:
    with book.running():
        book.log(registered(5))
    for question, of in ((children.ids, list), (children.records, lambda jobs: [job.status.job_id for job in jobs])):
        found, cursor = [], ""
        while True:
            page = ask(book, question, PARENT, limit=2, cursor=cursor)
            found += of(page[0])
            if not (cursor := page.cursor):
                break
        assert sorted(found) == sorted(url(child(index)) for index in range(5))
    assert ask(book, children.ids, child(0), limit=2) == ([], "")


def test_all_cancelled_is_told_from_cleared(book: Book) -> None:
    with book.running():
        for unique, fates in (("a", (CANCELLED, CANCELLED)), ("b", (CANCELLED, CLEARED))):
            book.log(registered(2, unique))
            book.log([one for index, fate in enumerate(fates) for one in lives(index, fate, unique=unique)])
    assert [(status(book, unique).state.value, status(book, unique).all_cancelled) for unique in "ab"] == [
        ("Cleared", True), ("Cleared", False)]
    many = ask(book, query.statuses, ["a", "b", child(0, "a")])
    assert {unique: job.status.all_cancelled for unique, job in many.items()} == {
        "a": True, "b": False, child(0, "a"): False}


def test_a_connection_rests_when_the_other_end_has_finished(book: Book) -> None:
    with book.running():
        book.log(told("a", 0.0, REGISTERED, (NS, "ConnectJob", {"dest_jobid": url("b")}),
                      (NS, "ConnectJob", {"dest_jobid": "https://far.example:9000/c"})))
        book.log(told("b", 0.0, REGISTERED))
        assert [edge["state"] for edge in status(book, "a").related] == ["ACTIVE", "ACTIVE"]
        book.log(told("b", 0.0, REGISTERED, DONE)[1:])
    assert [(edge["job"], edge["state"]) for edge in status(book, "a").related] == [
        ("https://far.example:9000/c", "ACTIVE"), (url("b"), "INACTIVE")]
    assert [edge["state"] for edge in status(book, "b").related] == ["ACTIVE"]


def test_a_connection_to_a_job_that_is_gone_rests(book: Book) -> None:
    with book.running():
        book.log(told("a", 0.0, REGISTERED, (NS, "ConnectJob", {"dest_jobid": url("b")})))
        book.log(told("b", 0.0, REGISTERED))
        assert [edge["state"] for edge in status(book, "a").related] == ["ACTIVE"]
        with book.database.engine.begin() as conn:
            purge.bury(conn, [purge.named(conn, ["b"]).free], 0.0)
    assert [edge["state"] for edge in status(book, "a").related] == ["INACTIVE"]
