"""A search gives what a look at every record would give, page by page or at once, whatever is asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from book_builders import settled
from hypothesis import given, settings
from hypothesis import strategies as st
from search_builders import (
    ASKED,
    EVERYTHING,
    HIDING,
    NOW,
    PEOPLE,
    event_questions,
    histories,
    job_questions,
    sight,
    told,
    url,
)
from twisted.internet.defer import Deferred

from lb import store, tables
from lb.access.rights import Policy, View, view
from lb.access.views import shown, shown_events
from lb.queries.condition_texts import from_url
from lb.queries.conditions import EVENTS, Conditions, matches, matches_event
from lb.queries.found_events import AT_ONCE, EventHit, EventPlace
from lb.queries.found_events import cursor as event_cursor
from lb.queries.found_events import read_cursor as read_event_cursor
from lb.queries.search import START as BEGINNING
from lb.queries.search import Hit, Place, Search, Sight, Step, cursor, page, read_cursor
from lb.queries.search_events import EventSearch, event_search
from lb.queries.search_plan import plan, shortest
from lb.state.machine import fold
from lb.state.order import order
from lb.state.record import public
from wms.database import Database, metadata
from wms.errors import Refused
from wms.event import Event, Source, event
from wms.seqcode import START


@contextmanager
def stored(jobs: Sequence[Sequence[Event]]) -> Iterator[Database]:
    database = Database("sqlite://", None, inline=True)
    metadata.create_all(database.engine, [tables.jobs, tables.events, tables.tags, tables.histograms])
    for events in jobs:
        settled(database.transact(store.ingest, events, 0.0))
    yield database
    database.close()


def one_page(steps: AsyncGenerator[Step[Any, Any], None], limit: int,
             ended: Callable[[], bool] = lambda: False) -> Step[Any, Any]:
    found: Step[Any, Any] = settled(Deferred.fromCoroutine(page(steps, limit, ended)))
    assert len(found.hits) <= limit
    return found


def all_jobs(search: Search, limit: int) -> list[Hit]:
    """By pages, each from the text of the cursor before."""
    hits, text = [], ""
    while True:
        found = one_page(search.steps(read_cursor(text, search.plan), limit), limit)
        hits += found.hits
        text = cursor(found.place)
        if not text:
            return hits


def all_events(search: EventSearch, limit: int) -> list[EventHit]:
    hits, text = [], ""
    while True:
        found = one_page(search.steps(read_event_cursor(text, search.parts)), limit)
        hits += found.hits
        text = event_cursor(found.place)
        if not text:
            return hits


def expected_jobs(jobs: Sequence[Sequence[Event]], asked: Conditions, who: Sight) -> set[str]:
    """Every record looked at, as its caller sees it."""
    statuses = [public(fold(events)) for events in jobs]
    seen = [(status, view(who.policy, who.who, status)) for status in statuses if matches(asked, status)]
    return {status.job_id for status, view in seen
            if view is not View.NONE and matches(asked, shown(status, view, who.salt))}


@settings(max_examples=150, deadline=None)
@given(histories, job_questions, st.integers(1, 6), st.sampled_from(PEOPLE), st.sampled_from([EVERYTHING, HIDING]))
def test_a_search_finds_what_a_look_at_every_record_finds(
        jobs: list[list[Event]], asked: Conditions, limit: int, who: str, policy: Policy) -> None:
    with stored(jobs) as database:
        search = Search(database, plan(asked), sight(who, policy))
        found = all_jobs(search, limit)
        assert sorted(hit.found.status.job_id for hit in found) == sorted(expected_jobs(jobs, asked, search.sight))
        assert [hit.found for hit in one_page(search.steps(BEGINNING, 7), 100).hits] == [hit.found for hit in found]


@settings(max_examples=150, deadline=None)
@given(histories, job_questions, event_questions, st.integers(1, 8), st.sampled_from(PEOPLE),
       st.sampled_from([EVERYTHING, HIDING]))
def test_a_search_of_events_finds_them_all(
        jobs: list[list[Event]], asked: Conditions, about: Conditions, limit: int, who: str, policy: Policy) -> None:
    with stored(jobs) as database:
        search = event_search(Search(database, plan(asked), sight(who, policy)), about)
        found = [(hit.event.job, order(hit.event)) for hit in all_events(search, limit)]
        readable = expected_jobs(jobs, asked, search.search.sight)
        expected = [
            (one.job, order(one)) for events in jobs if events[0].job in readable
            for one in shown_events(events, view(policy, search.search.sight.who, public(fold(events))), b"salt")
            if matches_event(about, one)]
        assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("text", ["x", "é", "AAAA", "A" * 20, "AAE" + "A" * 21, "=" * 24])
def test_a_cursor_of_another_question_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        read_cursor(text, plan(()))
    for other in (text, event_cursor(EventPlace(Place(0), 1, 1 << 31)), event_cursor(EventPlace(Place(1)))):
        with pytest.raises(Refused):
            read_event_cursor(other, 1)


def test_a_job_with_more_events_than_are_read_at_once() -> None:
    """Pages of any size come out of stretches of any size."""
    few, many = told(0, PEOPLE[0], "ce", 3, 0, "1", 0, "SIMPLE"), told(1, PEOPLE[0], "ce", 1, 0, "1", 1, "SIMPLE")
    many += [event("UserTag", url(1), Source.APPLICATION, START, NOW + number, "h", name="n", value=str(number))
             for number in range(2 * AT_ONCE + 5)]
    with stored([few, many, told(2, PEOPLE[0], "ce", 2, 0, "1", 2, "SIMPLE")]) as database:
        asked = from_url("owner=", ASKED)
        search = event_search(Search(database, plan(asked), sight()), ())
        for limit in (700, AT_ONCE, 10_000):
            found = [hit.event for hit in all_events(search, limit)]
            assert len(found) == len({order(one) for one in found}) == len(many) + 5
        tags = event_search(search.search, from_url("type=UserTag", ASKED, table=EVENTS))
        assert [int(hit.event.fields["value"]) for hit in all_events(tags, 900)] == list(range(2 * AT_ONCE + 5))


@pytest.mark.parametrize(("text", "way"), [
    (f"owner=&lastupdatetime>{NOW + 145}", 1), (f"owner=&lastupdatetime>{NOW}", 0),
    ("owner=/CN=John&destination=ce", 0),
    ("owner=&destination=ce2", 1), ("exit_code=3", 0), ("destination=ce|=ce2&owner=", 0)])
def test_the_shortest_way_is_taken(text: str, way: int) -> None:
    jobs = [told(number, PEOPLE[0], "ce", 2, 0, "1", number, "SIMPLE") for number in range(30)]
    with stored([*jobs, told(30, PEOPLE[1], "ce2", 2, 0, "1", 30, "SIMPLE")]) as database:
        ways = plan(from_url(text, ASKED))
        assert settled(database.read(shortest, ways)) == ways.begins[way]
        found = all_jobs(Search(database, ways, sight()), 3)
        assert {hit.place.segment for hit in found} <= {ways.begins[way]}


def test_time_is_up() -> None:
    with stored([told(number, PEOPLE[0], "ce", 1, 0, "1", number, "SIMPLE") for number in range(120)]) as database:
        search = Search(database, plan(from_url("exit_code=5", ASKED)), sight())
        found = one_page(search.steps(Place(), 1), 1, lambda: True)
        assert (found.hits, found.place is None) == ([], False)
        assert found.place is not None
        assert one_page(search.steps(found.place, 1), 1).place is None


@given(st.integers(0, 9), st.floats(0, 1e9), st.integers(0, 1 << 40), st.integers(-1, 1 << 40), st.integers(-1, 99))
def test_places_have_texts(segment: int, key: float, id: int, job: int, number: int) -> None:
    place = EventPlace(Place(segment, key, id), job, number)
    assert read_event_cursor(event_cursor(place), 10) == place
    assert read_event_cursor("", 0) == EventPlace()
