"""Queries: what a caller gets, what is refused, who is woken, and how pages of jobs follow each other."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from book_builders import JANE, JOHN, START_TIME, STORY, Book, settled, story, url
from twisted.internet.defer import CancelledError

from wms.errors import NoSuchJob, NotAuthorized, Refused, TooManyResults, Unauthenticated, WmsError
from wms.event import Event
from wms.jobstatus import JobStatus
from wms.operations import JobIds


def test_the_owner_sees_status_and_version(book: Book) -> None:
    book.ingest(story("a"))
    answer = book.answer("lb.status", unique="a")
    assert answer.pop("version") == len(STORY)
    status = msgspec.convert(answer, JobStatus)
    assert (status.state, status.exit_code, status.owner, status.job_id) == ("Done", 3, JANE, url("a"))
    assert "newest" not in answer


def test_names_are_compared_as_the_grid_spells_them(book: Book) -> None:
    book.ingest(story("a", owner="/CN=Jane/Email=jane@example"))
    assert book.answer("lb.status", unique="a", dn="/CN=Jane/emailAddress=jane@example")["state"] == "Done"
    assert len(book.answer("lb.jobs", dn="/CN=Jane/E=jane@example").jobs) == 1


@pytest.mark.parametrize(("dn", "unique", "error"), [
    (JOHN, "a", NotAuthorized), (JANE, "b", NoSuchJob), (JANE, "early", NoSuchJob),
    (None, "a", Unauthenticated)])
@pytest.mark.parametrize("name", ["lb.status", "lb.events"])
def test_a_single_job_is_refused_with_the_reason(
        book: Book, name: str, dn: str | None, unique: str, error: type[WmsError]) -> None:
    book.ingest([*story("a"), *story("early")[1:]])
    with pytest.raises(error):
        book.answer(name, unique=unique, dn=dn)


def test_many_jobs_in_one_call(book: Book) -> None:
    book.ingest([*story("a"), *story("b", JOHN), *story("c", length=4)])
    other = "https://other.example:9000/a"
    asked = (url("a"), url("a"), url("b"), url("c"), url("none"), "nonsense", other)
    answer = book.answer("lb.statuses", body=JobIds(asked))
    assert [(s["jobId"], s["state"], s["version"]) for s in answer.statuses] == [
        (url("a"), "Done", len(STORY)), (url("c"), "Waiting", 4)]
    assert {text: problem["code"] for text, problem in answer.problems.items()} == {
        url("b"): "NS_NOT_OWNER", url("none"): "NS_NO_SUCH_JOB", "nonsense": "UI_WRONG_JOBID_FORMAT",
        other: "NS_NO_SUCH_JOB"}


def test_too_many_jobs_in_one_call(book: Book) -> None:
    most = book.kit.settings.lb.max_jobs
    with pytest.raises(TooManyResults):
        book.answer("lb.statuses", body=JobIds(tuple(url(f"j{n}") for n in range(most + 1))))


def test_events_come_in_logical_order_as_they_were_logged(book: Book) -> None:
    book.ingest(reversed(story("a")))
    answer = book.answer("lb.events", unique="a")
    assert answer.job == url("a")
    events = [msgspec.convert(one, Event) for one in answer.events]
    assert {one.arrived for one in events} == {book.clock.seconds()}
    assert [msgspec.structs.replace(one, arrived=0.0) for one in events] == story("a")


# -- the caller's jobs -----------------------------------------------------------------------------------


def pages(book: Book, **query: str) -> list[list[str]]:
    found, cursor = [], ""
    while True:
        page = book.answer("lb.jobs", query={**query, "cursor": cursor})
        found.append([job["jobId"] for job in page.jobs])
        cursor = page.cursor
        if not cursor:
            return found


def test_pages_are_complete_and_without_repetition(book: Book) -> None:
    times = [START_TIME + n // 3 for n in range(10)]
    for n, at in enumerate(times):
        book.ingest([*story(f"j{n}", at=at, length=3), *story(f"other{n}", JOHN, at)])
    newest_first = [url(f"j{n}") for n in (9, 8, 7, 6, 5, 4, 3, 2, 1, 0)]
    for limit in (1, 3, 4, 9, 10, 11):
        found = pages(book, limit=str(limit))
        assert [job for page in found for job in page] == newest_first
        assert all(len(page) == limit for page in found[:-1])


def test_jobs_that_come_meanwhile_disturb_no_page(book: Book) -> None:
    for n in range(4):
        book.ingest(story(f"j{n}", at=START_TIME + n))
    first = book.answer("lb.jobs", query={"limit": "2"})
    book.ingest(story("new", at=START_TIME + 50))
    second = book.answer("lb.jobs", query={"limit": "2", "cursor": first.cursor})
    assert [job["jobId"] for job in second.jobs] == [url("j1"), url("j0")]
    assert second.cursor == ""


def test_jobs_of_one_state_without_their_descriptions(book: Book) -> None:
    book.ingest([*story("done"), *story("waiting", length=3), *story("unregistered")[1:]])
    (job,) = book.answer("lb.jobs", query={"state": "waiting"}).jobs
    assert (job["jobId"], "jdl" in job) == (url("waiting"), False)
    assert book.answer("lb.jobs", query={"state": "Aborted"}).jobs == ()


@pytest.mark.parametrize("query", [
    {"limit": "many"}, {"limit": "-1"}, {"limit": "nan"}, {"cursor": "x"}, {"cursor": "é"},
    {"cursor": "AAAA"}, {"state": "Lost"}])
def test_parameters_that_make_no_sense(book: Book, query: dict[str, str]) -> None:
    with pytest.raises(Refused):
        book.answer("lb.jobs", query=query)


# -- waiting for news ------------------------------------------------------------------------------------


def waiting(book: Book, wait_s: int = 30, **query: str) -> list[Any]:
    """Answers as they come to a query that waits."""
    answers: list[Any] = []
    asked = book.ask("lb.status", unique="a", query={"wait_s": str(wait_s), **query})
    asked.addErrback(lambda failure: failure.value).addCallback(answers.append)
    return answers


def test_a_waiting_query_is_answered_with_the_commit_of_news(book: Book) -> None:
    book.ingest(story("a", length=3))
    with book.running():
        answers = waiting(book, newer_than="3")
        book.log(story("b"))
        assert answers == []
        book.log(story("a", length=4))
        assert [answer["version"] for answer in answers] == [4]


def test_without_a_version_it_waits_for_the_next_event(book: Book) -> None:
    book.ingest(story("a", length=3))
    with book.running():
        answers = waiting(book)
        assert answers == []
        book.log(story("a", length=5))
        assert [answer["version"] for answer in answers] == [5]


def test_old_news_are_told_at_once(book: Book) -> None:
    book.ingest(story("a", length=3))
    assert [answer["version"] for answer in waiting(book, newer_than="2")] == [3]


def test_time_is_up_without_news(book: Book) -> None:
    book.ingest(story("a", length=3))
    answers = waiting(book, wait_s=30)
    book.clock.pump([0.5] * 59)
    assert answers == []
    book.clock.pump([0.5] * 2)
    assert [answer["version"] for answer in answers] == [3]


def test_nobody_waits_longer_than_the_site_allows(book: Book) -> None:
    book.ingest(story("a", length=3))
    answers = waiting(book, wait_s=100_000)
    book.clock.pump([1.0] * int(book.kit.settings.lb.max_wait_s + 1))
    assert len(answers) == 1


def test_news_of_another_process_are_found_after_a_second(book: Book) -> None:
    book.ingest(story("a", length=3))
    answers = waiting(book)
    book.ingest(story("a", length=4))
    book.clock.pump([0.5] * 3)
    assert [answer["version"] for answer in answers] == [4]


def test_a_job_just_submitted_is_waited_for(book: Book) -> None:
    with book.running():
        answers = waiting(book)
        book.log(story("a", length=3))
        book.clock.advance(30)
    assert [answer["version"] for answer in answers] == [3]


def test_waiting_is_for_the_owner_only(book: Book) -> None:
    book.ingest(story("a", owner=JOHN))
    (answer,) = waiting(book)
    assert isinstance(answer, NotAuthorized)


def test_a_caller_who_goes_away_leaves_nothing(book: Book) -> None:
    book.ingest(story("a", length=3))
    asked = book.ask("lb.status", unique="a", query={"wait_s": "30"})
    asked.cancel()
    with pytest.raises(CancelledError):
        settled(asked)


def test_a_daemon_that_stops_answers_who_waits(book: Book) -> None:
    book.ingest(story("a", length=3))
    with book.running():
        answers = waiting(book)
    assert [answer["version"] for answer in answers] == [3]


def test_two_who_wait_for_one_job_are_both_answered(book: Book) -> None:
    book.ingest(story("a", length=3))
    with book.running():
        first, second = waiting(book), waiting(book, wait_s=5)
        book.clock.advance(6)
        assert (first, [answer["version"] for answer in second]) == ([], [3])
        book.log(story("a", length=4))
    assert [answer["version"] for answer in first] == [4]


# -- who has just submitted ------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "more"), [
    ("lb.status", {"unique": "a"}), ("lb.statuses", {"body": JobIds((url("a"),))}), ("lb.jobs", {}),
    ("lb.events", {"unique": "a"})])
def test_a_question_waits_for_the_events_that_are_on_their_way(book: Book, name: str, more: dict[str, Any]) -> None:
    book.log(story("a", length=3))
    asked = book.ask(name, **more)
    assert not asked.called
    with book.running():
        assert "a" in str(settled(asked))


def test_a_question_does_not_wait_for_ever(book: Book) -> None:
    book.log(story("a", length=3))
    asked = book.ask("lb.status", unique="a")
    book.clock.pump([1.0] * 6)
    with pytest.raises(NoSuchJob):
        settled(asked)
    assert book.clock.getDelayedCalls() == []
