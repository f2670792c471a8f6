"""Queries as operations: the index rule, policies of limits, what is not told, lines, flags, children."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import Any

import msgspec
import pytest
from book_builders import JANE, JOHN, START_TIME, STORY, Book, settled, story, url
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from lb import zombies
from lb.queries.flags import NAMES, read_flags
from lb.service import make
from lb.zombies import Zombie
from wms.config import Lb, Settings
from wms.errors import JobPurged, NoIndex, NoSuchJob, NotAuthorized, NothingFound, Refused, TooManyResults
from wms.event import Source, event
from wms.operations import JobIds
from wms.operations.bookkeeping import EventQuery, Given, JobQuery
from wms.seqcode import START
from wms.streaming import StreamReply

ADMIN = "/CN=Admin"


def with_settings(book: Book, **lb: Any) -> Book:
    """The same daemon on the same database with other settings."""
    book.kit = replace(book.kit, settings=Settings(lb=Lb(**lb)))
    book.daemon = make(book.kit)
    return book


def jobs(book: Book, query: str = "", **more: Any) -> list[str]:
    """Unique parts of the identifiers in the answer."""
    call = {name: more.pop(name) for name in ("dn",) if name in more}
    return names(book.answer("lb.query_jobs", body=JobQuery(query=query, **more), **call).jobs)


def names(records: Sequence[Any]) -> list[str]:
    return [found["jobId"].rpartition("/")[2] for found in map(decoded, records)]


def decoded(record: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(bytes(record))
    return found


def text_of(reply: StreamReply) -> bytes:
    async def gathered() -> bytes:
        return b"".join([piece async for piece in reply.pieces])

    found: bytes = settled(Deferred.fromCoroutine(gathered()))
    return found


def streamed(book: Book, name: str, body: Any) -> list[dict[str, Any]]:
    reply = book.answer(name, body=body, query={"stream": ""})
    assert reply.content_type == "application/x-ndjson"
    return [msgspec.json.decode(line) for line in text_of(reply).splitlines()]


@pytest.fixture
def several(book: Book) -> Book:
    """Six jobs of Jane, every second of them running, and one of John."""
    for number in range(6):
        book.ingest(story(f"j{number}", at=START_TIME + number, length=8 if number % 2 else len(STORY)))
    book.ingest(story("other", JOHN))
    return book


# -- the index rule and what is not there (point 16) -------------------------------------------------------


def test_point_16_a_query_touches_an_index_or_is_refused(several: Book) -> None:
    for query in ("", "status=Running", "exit_code=3", "jdl:Executable=a", "time:Running>5", "resubmitted=0"):
        with pytest.raises(NoIndex) as refused:
            jobs(several, query)
        assert {"jobid", "parent_job", "owner", "destination"} <= set(refused.value.details["attributes"])
        assert refused.value.details["lb_code"] == 1416
        assert "owner" in refused.value.hint
    for query in ("owner=", "destination=ce.example/long", "lastupdatetime>0", "usertag:step<>x", "location<>x"):
        assert jobs(several, f"{query}&status=Running") == ["j5", "j3", "j1"]


def test_events_of_a_time_need_no_other_index(several: Book) -> None:
    about = ((Given("time", ">", START_TIME + 92),), (Given("event_type", "=", "Done"),))
    found = several.answer("lb.query_events", body=EventQuery(event_conditions=about))
    assert [decoded(one)["job"].rpartition("/")[2] for one in found.events] == ["j4"]
    with pytest.raises(NoIndex):
        several.answer("lb.query_events", body=EventQuery(event_conditions=about[1:]))


@pytest.mark.parametrize(("rule", "dn", "free"), [
    ("everybody", ADMIN, False), ("users", ADMIN, True), ("users", JANE, False), ("nobody", JANE, True)])
def test_who_need_not_ask_by_an_index(several: Book, rule: str, dn: str, free: bool) -> None:
    book = with_settings(several, index_rule=rule, super_users=(ADMIN,))
    if free:
        assert set(jobs(book, "status=Running", dn=dn)) == {"j1", "j3", "j5"}
    else:
        with pytest.raises(NoIndex):
            jobs(book, "status=Running", dn=dn)


def test_jobs_of_others_are_left_out_in_silence(several: Book) -> None:
    query = "destination=ce.example/long"
    assert "other" not in jobs(several, query)
    assert jobs(several, query, dn=JOHN) == ["other"]
    found = several.answer("lb.query_events", body=EventQuery(query=query), dn=JOHN)
    assert {decoded(one)["job"] for one in found.events} == {url("other")}


def test_nothing_left_is_an_error_of_its_own(several: Book) -> None:
    for query in ("owner=&status=Aborted", f"owner={JOHN}", f"jobid={url('none')}",
                  f"jobid={url('other')}|={url('none')}"):
        with pytest.raises(NothingFound):
            jobs(several, query)
    with pytest.raises(NothingFound):
        several.answer("lb.query_events", body=EventQuery(query="owner=", event_lines="event_type = Abort"))
    with pytest.raises(NothingFound):
        streamed(several, "lb.query_jobs", JobQuery(query="owner=&status=Aborted"))


def test_a_single_job_of_somebody_else_is_refused(several: Book) -> None:
    with pytest.raises(NotAuthorized):
        jobs(several, f"jobid={url('other')}")
    with pytest.raises(NotAuthorized):
        streamed(several, "lb.query_events", EventQuery(query=f"jobid={url('other')}"))


def test_a_purged_job_is_told_apart_but_not_to_who_may_not_read_the_rest(several: Book) -> None:
    settled(several.database.transact(zombies.add, [Zombie("gone", "lb.example:9000", JANE, START_TIME)]))
    with pytest.raises(JobPurged):
        jobs(several, f"jobid={url('gone')}")
    with pytest.raises(NothingFound):
        jobs(several, f"jobid={url('gone')}|={url('other')}")
    for name in ("lb.status", "lb.events"):
        with pytest.raises(JobPurged):
            several.answer(name, unique="gone")
    with pytest.raises(NoSuchJob):
        several.answer("lb.status", unique="never")
    problems = several.answer("lb.statuses", body=JobIds((url("gone"), url("never")))).problems
    assert [problem["code"] for problem in problems.values()] == ["LB_JOB_PURGED", "NS_NO_SUCH_JOB"]


# -- conditions (point 17) -----------------------------------------------------------------------------------


def test_point_17_conditions_are_an_and_of_or_groups_about_one_attribute_each(several: Book) -> None:
    either = (Given("status", "=", "Running"), Given("status", "=", "Done"))
    owner, code = (Given("owner"),), (Given("exit_code", ">", 2),)
    assert sorted(jobs(several, conditions=(owner, either))) == [f"j{n}" for n in range(6)]
    assert jobs(several, conditions=(owner, either, code)) == ["j4", "j2", "j0"]
    assert jobs(several, "owner=", lines="status = Running\nlast_update_time > 1700000074") == ["j5"]
    mixed = (Given("status", "=", "Done"), Given("exit_code", "=", 3))
    tags = (Given("usertag", "=", "1", name="a"), Given("usertag", "=", "1", name="b"))
    for group in (mixed, tags, ()):
        with pytest.raises(Refused, match="group 2"):
            jobs(several, conditions=(owner, group))


def test_an_owner_not_given_is_the_caller(several: Book) -> None:
    assert jobs(several, "owner=", dn=JOHN) == jobs(several, lines="owner = NULL", dn=JOHN) == ["other"]


# -- limits (point 18) ---------------------------------------------------------------------------------------


def test_point_18_limits_have_three_policies(several: Book) -> None:
    book = with_settings(several, max_jobs=4)
    everything = ["j5", "j4", "j3", "j2", "j1", "j0"]
    limited = book.answer("lb.query_jobs", body=JobQuery(query="owner=", limit=2))
    assert (names(limited.jobs), bool(limited.cursor)) == (everything[:2], True)
    assert jobs(book, "owner=", limit=100) == everything[:4]
    for limit in (0, 3, 5):
        with pytest.raises(TooManyResults):
            jobs(book, "owner=", limit=limit, policy="none")
    assert jobs(book, f"jobid={url('j1')}|={url('j2')}", policy="none", limit=2) == ["j2", "j1"]
    whole = msgspec.json.decode(text_of(book.answer("lb.query_jobs", body=JobQuery(query="owner=", policy="all"))))
    assert ([job["jobId"] for job in whole["jobs"]], whole["cursor"]) == ([url(name) for name in everything], "")
    with pytest.raises(TooManyResults):
        jobs(book, "destination=ce.example/long", policy="all")


def test_limits_of_events(several: Book) -> None:
    book, one = with_settings(several, max_events=7), f"jobid={url('j0')}"
    first = book.answer("lb.query_events", body=EventQuery(query=one))
    second = book.answer("lb.query_events", body=EventQuery(query=one, cursor=first.cursor))
    told = [decoded(found)["type"] for page in (first, second) for found in page.events]
    assert (len(first.events), told, second.cursor) == (7, [type for _source, type, _fields in STORY], "")
    with pytest.raises(TooManyResults):
        book.answer("lb.query_events", body=EventQuery(query=one, policy="none"))
    with pytest.raises(TooManyResults):
        book.answer("lb.query_events", body=EventQuery(query="owner=", policy="all"))
    reply = book.answer("lb.query_events", body=EventQuery(query=one, policy="all"))
    assert len(msgspec.json.decode(text_of(reply))["events"]) == len(STORY)


def test_pages_make_the_whole(several: Book) -> None:
    found, cursor = [], ""
    while True:
        page = several.answer("lb.query_jobs", body=JobQuery(query="owner=", limit=1, cursor=cursor))
        found += names(page.jobs)
        if not (cursor := page.cursor):
            break
    assert found == ["j5", "j4", "j3", "j2", "j1", "j0"]
    end = several.answer("lb.query_jobs", body=JobQuery(query="owner=", limit=6))
    assert end.cursor == ""


# -- lines ---------------------------------------------------------------------------------------------------


def test_lines_hold_everything_and_end_with_the_cursor(several: Book) -> None:
    book = with_settings(several, max_jobs=2, max_events=3)
    found = streamed(book, "lb.query_jobs", JobQuery(query="owner="))
    assert [one["jobId"] for one in found[:-1]] == [url(f"j{number}") for number in (5, 4, 3, 2, 1, 0)]
    assert found[-1] == {"cursor": ""}
    some = streamed(book, "lb.query_jobs", JobQuery(query="owner=", limit=4))
    rest = streamed(book, "lb.query_jobs", JobQuery(query="owner=", cursor=some[-1]["cursor"]))
    assert some[:-1] + rest[:-1] == found[:-1]
    events = streamed(book, "lb.query_events", EventQuery(query="owner="))
    assert len(events) == 3 * (8 + len(STORY)) + 1


def test_lines_are_asked_for_by_the_header_too(several: Book) -> None:
    reply = several.answer("lb.query_jobs", body=JobQuery(query="owner="), accept="application/x-ndjson")
    assert text_of(reply).count(b"\n") == 7


def test_a_client_who_leaves_in_the_middle_leaves_nothing(several: Book) -> None:
    for body, name in ((JobQuery(query="owner="), "lb.query_jobs"), (EventQuery(query="owner="), "lb.query_events"),
                       (JobQuery(query="owner=", policy="all"), "lb.query_jobs")):
        reply = several.answer(name, body=body, query={} if "all" in str(body) else {"stream": ""})

        async def taste(reply: StreamReply = reply) -> None:
            await anext(reply.pieces)
            await reply.pieces.aclose()

        settled(Deferred.fromCoroutine(taste()))


# -- flags and children --------------------------------------------------------------------------------------


def family(book: Book, number: int = 3) -> None:
    parent = event("RegJob", url("parent"), Source.USER_INTERFACE, START.advanced(Source.USER_INTERFACE), START_TIME,
                   "ui", JANE, jobtype="COLLECTION", ns="ns.example", nsubjobs=number, seed="s")
    with book.running():
        book.log([parent])
        book.clock.advance(5)


def test_descriptions_are_told_on_request(several: Book) -> None:
    asked = JobQuery(query=f"jobid={url('j0')}")
    (plain,) = several.answer("lb.query_jobs", body=asked).jobs
    (full,) = several.answer("lb.query_jobs", body=msgspec.structs.replace(asked, flags=("classadd",))).jobs
    assert ("jdl" in decoded(plain), decoded(full)["jdl"]) == (False, '[ Executable = "a" ]')
    assert "jdl" in several.answer("lb.status", unique="j0", query={"flags": "history"})


def test_what_flags_add_and_leave_out(several: Book) -> None:
    status = several.answer("lb.status", unique="j0", query={"flags": "history+anonymized"})
    assert [one["type"] for one in status["history"]] == [type for _source, type, _fields in STORY]
    assert JANE not in str({**status, "jdl": ""})
    (only,) = several.answer("lb.query_jobs", body=JobQuery(query=f"jobid={url('j0')}", flags=("no_states",))).jobs
    assert decoded(only) == {"jobId": url("j0")}
    (rest,) = several.answer("lb.query_jobs", body=JobQuery(query=f"jobid={url('j0')}", flags=("no_jobs",))).jobs
    assert "jobId" not in decoded(rest)
    with pytest.raises(Refused, match="no flag"):
        jobs(several, "owner=", flags=("everything",))


def test_names_of_flags() -> None:
    assert read_flags(["Classadd+children", "history no_jobs"]) == {"classads", "children", "history", "no_jobs"}
    assert read_flags(NAMES) == set(NAMES)


def test_children_on_request(book: Book) -> None:
    family(book)
    plain = book.answer("lb.children", unique="parent")
    first = book.answer("lb.children", unique="parent", query={"limit": "2"})
    second = book.answer("lb.children", unique="parent", query={"limit": "2", "cursor": first.cursor})
    assert (len(plain.children), plain.cursor, first.children + second.children) == (3, "", plain.children)
    states = book.answer("lb.children", unique="parent", query={"flags": "childstat"})
    assert [decoded(one)["state"] for one in states.jobs] == ["Submitted"] * 3
    flags = "children+childstat+childhist_thorough"
    status = book.answer("lb.status", unique="parent", query={"flags": flags})
    assert status["children"] == list(plain.children)
    assert [one["jobId"] for one in status["children_states"]] == list(plain.children)
    assert status["children_hist"] == {"Submitted": 3}
    (found,) = book.answer("lb.query_jobs", body=JobQuery(query=f"jobid={url('parent')}")).jobs
    (mine,) = (job for job in book.answer("lb.jobs").jobs if job["jobId"] == url("parent"))
    assert decoded(found)["children_hist"] == mine["children_hist"] == {"Unknown": 3}
    assert jobs(book, f"parent={url('parent')}") == [name.rpartition("/")[2] for name in plain.children]


def test_histograms_fast_and_thorough(book: Book) -> None:
    family(book)
    assert book.answer("lb.histogram", unique="parent").histogram == {"Unknown": 3}
    thorough = book.answer("lb.histogram", unique="parent", query={"thorough": ""})
    assert (thorough.histogram, thorough.thorough) == ({"Submitted": 3}, True)
    fast = book.answer("lb.status", unique="parent", query={"flags": "childhist_fast"})
    assert fast["children_hist"] == {"Unknown": 3}


def test_children_are_for_readers(book: Book) -> None:
    family(book)
    for name in ("lb.children", "lb.histogram"):
        with pytest.raises(NotAuthorized):
            book.answer(name, unique="parent", dn=JOHN)
        with pytest.raises(NoSuchJob):
            book.answer(name, unique="none")
    with pytest.raises(Refused):
        book.answer("lb.children", unique="parent", query={"limit": "x"})


def test_more_children_than_are_told_at_once(book: Book) -> None:
    family(book)
    small = with_settings(book, max_jobs=2, max_events=1)
    for flags in ("children", "childstat"):
        with pytest.raises(TooManyResults):
            small.answer("lb.status", unique="parent", query={"flags": flags})
    small.ingest(story("a"))
    with pytest.raises(TooManyResults):
        small.answer("lb.status", unique="a", query={"flags": "history"})


# -- hostile input -------------------------------------------------------------------------------------------

scalar = st.one_of(st.none(), st.booleans(), st.integers(-(1 << 70), 1 << 70), st.floats(), st.text(max_size=8))
attributes = st.sampled_from(["jobid", "owner", "status", "usertag", "time", "last_update_time", "location", "jdl",
                              "exit_code", "type", "level", "host", "x"])
signs = st.sampled_from(["=", "<>", "<", ">", "within", "changed", "?"])
given_conditions = st.lists(st.lists(st.builds(
    Given, attributes, signs, scalar, scalar, st.one_of(st.just(""), st.just("Done"), st.text(max_size=5))),
    max_size=2).map(tuple), max_size=3).map(tuple)
bodies = st.builds(JobQuery, given_conditions, st.text(max_size=20), st.text(max_size=20), st.just(()),
                   st.integers(0, 3), st.sampled_from(["none", "limited", "all"]), st.text(max_size=30))
event_bodies = st.builds(EventQuery, given_conditions, st.just("owner="), st.just(""), given_conditions,
                         st.text(max_size=20), st.integers(0, 3), st.sampled_from(["none", "limited", "all"]),
                         st.sampled_from(["", "AAAA", "A" * 24, "A" * 48]))


@settings(max_examples=150, deadline=None)
@given(st.one_of(bodies, event_bodies), st.integers())
def test_any_question_is_answered_or_refused(body: JobQuery | EventQuery, seed: int) -> None:
    book = asked_often()
    name = "lb.query_jobs" if isinstance(body, JobQuery) else "lb.query_events"
    with suppress(Refused):
        reply = book.answer(name, body=body, query=random.Random(seed).choice([{}, {"stream": ""}]))
        if isinstance(reply, StreamReply):
            text_of(reply)


@lru_cache
def asked_often() -> Book:
    """One daemon for many questions."""
    book = Book()
    book.ingest([*story("a"), *story("b", length=3)])
    return book
