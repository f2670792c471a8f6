"""Statistics and counters of a daemon: kept over restarts, moved to coarser slots, answered and refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from book_builders import HOST, JANE, PORT, STORY, Book, settled, story
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.internet.defer import Deferred

from lb import tables
from lb.figures import counters, statistics_store
from lb.figures.about import lines, without_password
from lb.figures.statistics import ALL, PHASES, RINGS, Sums, interval, rate
from lb.service import make
from wms.errors import NothingFound, NotPermitted, Refused
from wms.operations.figures import Configuration, Counts, Series, Statistics

CE = "ce.example/long"
SPAN = RINGS[-1].span


@pytest.fixture
def book() -> Iterator[Book]:
    made = Book()
    yield made
    made.database.close()


def run_jobs(book: Book, *uniques: str, length: int = len(STORY), ago: float = 200.0) -> None:
    """Jobs that have gone this far, their events ten seconds apart; the clock goes on until all is stored."""
    for unique in uniques:
        book.log(story(unique, at=book.clock.seconds() - ago, length=length))
    book.daemon = make(book.kit)
    with book.running():
        book.clock.advance(1)


def with_settings(book: Book, **changes: Any) -> None:
    settings = replace(book.kit.settings, lb=replace(book.kit.settings.lb, **changes))
    book.kit = dataclasses.replace(book.kit, settings=settings)
    book.daemon = make(book.kit)


def ask(book: Book, **query: str) -> Statistics:
    found = book.answer("lb.statistics", query=query)
    assert isinstance(found, Statistics)
    return found


def test_rate(book: Book) -> None:
    run_jobs(book, "a", "b")
    found = ask(book, kind="rate", state="Running")
    assert (found.samples, found.destination, found.resolution_s, found.state) == (2, ALL, 10, "Running")
    assert found.value == pytest.approx(2 / (found.until - found.since))
    assert ask(book, state="done", destination=CE).samples == 2
    assert ask(book, state="Done_FAILED").samples == 0


def test_durations_and_dwell_times(book: Book) -> None:
    run_jobs(book, "a", "b")
    found = ask(book, kind="duration", from_state="Submitted", to_state="Running", destination=CE)
    assert (found.samples, found.value, found.deviation) == (2, 70.0, 0.0)
    assert ask(book, kind="duration", from_state="running", to_state="Done").value == 20.0
    assert (ask(book, kind="dwell", state="Ready").value, ask(book, kind="dwell", state="Waiting").samples) == (20.0, 2)


def test_the_interval_really_used_is_told(book: Book) -> None:
    run_jobs(book, "a")
    now = book.clock.seconds()
    found = ask(book, state="Running", since=str(now - 5000), until=str(now + 99))
    assert (found.resolution_s, found.until, found.since % 900) == (900, now, 0)
    assert found.samples == 1


@pytest.mark.parametrize("query", [
    {"kind": "speed", "state": "Running"}, {"state": "Sleeping"}, {"kind": "rate"},
    {"kind": "duration", "from_state": "Ready", "to_state": "Waiting"},
    {"state": "Running", "since": "now"}, {"state": "Running", "since": "20", "until": "20"}])
def test_what_makes_no_sense_is_refused(book: Book, query: dict[str, str]) -> None:
    with pytest.raises(Refused):
        book.answer("lb.statistics", query=query)


def test_unknown_destinations_and_times_are_not_found(book: Book) -> None:
    run_jobs(book, "a")
    with pytest.raises(NothingFound):
        ask(book, state="Running", destination="nowhere.example/q")
    with pytest.raises(NothingFound):
        ask(book, state="Running", since="1", until="2")
    assert ask(book, state="Aborted", destination=CE).samples == 0


def test_a_series_is_without_gaps(book: Book) -> None:
    run_jobs(book, "a", "b")
    found = book.answer("lb.statistics_series", query={"kind": "dwell", "state": "Scheduled", "resolution": "60"})
    assert isinstance(found, Series)
    assert [slot.at for slot in found.slots] == [found.slots[0].at + 60 * index for index in range(30)]
    assert [(slot.samples, slot.value) for slot in found.slots if slot.samples] == [(2, 10.0)]
    with pytest.raises(Refused):
        book.answer("lb.statistics_series", query={"state": "Running", "resolution": "7"})
    with pytest.raises(NothingFound):
        book.answer("lb.statistics_series", query={"state": "Running", "destination": "nowhere"})
    assert book.answer("lb.statistics_destinations").destinations == (CE,)


def test_point_23_statistics_by_destination_survive_a_restart_and_count_repetition_once(book: Book) -> None:
    run_jobs(book, "a")
    first = ask(book, state="Running")
    book.log(story("a", at=book.clock.seconds() - 201))
    book.daemon = make(book.kit)
    with book.running():
        book.clock.advance(0)
    assert ask(book, state="Running", destination=CE).samples == first.samples == 1
    assert [(ring.seconds, ring.slots) for ring in RINGS] == [(10, 60), (60, 30), (900, 12), (3600, 168)]


@examples(max_examples=12)
@given(st.lists(st.tuples(st.floats(0, 2 * SPAN), st.booleans()), min_size=1, max_size=12))
def test_sums_are_found_however_old_until_they_are_too_old(moments: list[tuple[float, bool]]) -> None:
    """Jobs enter Running at these ages; what is told does not depend on when slots were moved."""
    book, kinds = Book(), rate("Running")
    try:
        for index, (wait, roll) in enumerate(moments):
            run_jobs(book, f"j{index}", length=8, ago=75.0)
            book.clock.advance(wait)
            if roll:
                settled(book.database.transact(statistics_store.roll, book.clock.seconds()))
        now = book.clock.seconds()
        settled(book.database.transact(statistics_store.roll, now))
        entered = _running(book)
        assert len(entered) == len(moments)
        for ring in RINGS:
            used = interval(now - ring.span, now, now)
            expected = sum(used.begin <= at < used.end for at in entered)
            with book.database.engine.connect() as conn:
                found = statistics_store.summed(conn, kinds, CE, used)
                everywhere = statistics_store.summed(conn, kinds, ALL, used)
                points = statistics_store.series(conn, kinds, CE, ring, now)
            assert found.number == everywhere.number == expected
            assert found == pytest.approx(everywhere)
            drawn = sum(points[0].at <= at for at in entered)
            assert sum(point.sums.number for point in points) == drawn
            assert sum(point.rate * point.seconds for point in points) == pytest.approx(drawn)
    finally:
        book.database.close()


def _running(book: Book) -> list[float]:
    """When the jobs entered Running, which is what they entered last."""
    return [row["entered"] for row in book.rows(sa.select(tables.jobs.c.entered))]


def test_what_is_too_old_leaves_the_table(book: Book) -> None:
    run_jobs(book, "a")
    book.clock.advance(SPAN + 3600)
    for _step in RINGS:
        settled(book.database.transact(statistics_store.roll, book.clock.seconds()))
    assert book.rows(sa.select(tables.samples)) == []


def test_late_events_are_counted_where_they_belong(book: Book) -> None:
    run_jobs(book, "a", ago=SPAN - 3600)
    run_jobs(book, "b", ago=5000)
    now = book.clock.seconds()
    assert ask(book, state="Running", since=str(now - 900), until=str(now)).samples == 0
    assert ask(book, state="Running", since=str(now - 5400), until=str(now)).samples == 1
    assert ask(book, state="Running", since=str(now - SPAN + 1), until=str(now)).samples == 2
    assert {row["ring"] for row in book.rows(sa.select(tables.samples))} == {900, 3600}
    run_jobs(book, "c", ago=2 * SPAN)
    run_jobs(book, "d", ago=-2 * SPAN)
    assert ask(book, state="Running", since="0", until=str(now + SPAN)).samples == 2


def test_figures_may_be_kept_for_administrators(book: Book) -> None:
    with_settings(book, statistics="administrators")
    for name in ("lb.statistics", "lb.statistics_series", "lb.statistics_destinations", "lb.counters"):
        with pytest.raises(NotPermitted):
            book.answer(name, query={"state": "Running"})
    with_settings(book, statistics="administrators", super_users=(JANE,))
    run_jobs(book, "a")
    assert ask(book, state="Running").samples == 1


# -- counters ----------------------------------------------------------------------------------------------


def counts(book: Book) -> dict[str, int]:
    found = book.answer("lb.counters")
    assert isinstance(found, Counts)
    return {name: one.value for name, one in found.counters.items() if one.value}


def test_jobs_and_events_are_counted_once(book: Book) -> None:
    run_jobs(book, "a", "b")
    book.log(story("a", at=book.clock.seconds() - 201))
    with book.running():
        book.clock.advance(1)
        found = counts(book)
    assert (found["glite_jobs"], found["events"]) == (2, 2 * len(STORY))


def test_queries_are_counted_by_their_form_and_over_restarts(book: Book) -> None:
    run_jobs(book, "a")
    with book.running():
        book.answer("lb.status", unique="a")
        book.answer("lb.page", unique="a", accept="text/html")
        book.answer("lb.page", unique="a", query={"text": ""})
        first = counts(book)
    book.clock.advance(500)
    book.daemon = make(book.kit)
    with book.running():
        again = book.answer("lb.counters").counters
    assert (first["queries_api"], first["queries_html"], first["queries_text"]) == (1, 1, 1)
    assert again["queries_api"].value == 2
    assert {one.since for name, one in again.items() if name in counters.NAMES} == {again["events"].since}
    assert list(again)[:len(counters.NAMES)] == list(counters.NAMES)


def test_refusals_are_counted_by_action(book: Book) -> None:
    run_jobs(book, "a")
    with book.running():
        with pytest.raises(Exception, match="belongs to somebody else"):
            book.answer("lb.status", unique="a", dn="/DC=org/CN=Nosy")
        assert counts(book)["denied_READ"] == 1
        book.clock.advance(counters.FLUSH_S)
        assert counts(book)["denied_READ"] == 1
    with book.database.engine.connect() as conn:
        assert counters.stored(conn)["denied_READ"].value == 1


def test_what_could_not_be_written_is_written_later(book: Book) -> None:
    counted = counters.Counters(book.kit, {})
    settled(book.database.transact(lambda conn: conn.execute(sa.text("ALTER TABLE lb_counters RENAME TO hidden"))))
    counted.add("queries_api", 3)
    with pytest.raises(sa.exc.OperationalError):
        settled(_started(counted.flush()))
    settled(book.database.transact(lambda conn: conn.execute(sa.text("ALTER TABLE hidden RENAME TO lb_counters"))))
    settled(_started(counted.flush()))
    with book.database.engine.connect() as conn:
        assert counters.stored(conn)["queries_api"].value == 3


def _started(work: Coroutine[Any, Any, None]) -> Deferred[None]:
    return Deferred.fromCoroutine(work)


# -- about itself ------------------------------------------------------------------------------------------


def test_configuration_tells_administrators_more(book: Book) -> None:
    with_settings(book, brokers=("stomp://user:secret@mq.example:61613",))
    plain = book.answer("lb.configuration")
    assert isinstance(plain, Configuration)
    assert (plain.client_identity, plain.msg_brokers) == (JANE, ("stomp://mq.example:61613",))
    assert plain.database_name is plain.admins is None
    with_settings(book, super_users=(JANE,))
    full = book.answer("lb.configuration")
    assert full.admins == (JANE,)
    assert full.dump_end == 0.0
    assert "secret" not in repr(full)


def test_no_password_leaves() -> None:
    assert without_password("amqp://a:b@h:1/v@w") == "amqp://h:1/v@w"
    assert without_password("host") == "host"
    assert lines([("a", ("b", 1)), ("c", None)]) == "a=b,1\nc=None\n"


def test_version_and_openapi(book: Book) -> None:
    assert book.answer("lb.version").server == f"{HOST}:{PORT}"
    assert "/lb/v1/statistics" in book.answer("lb.openapi")["paths"]
    assert len(PHASES) == 10
    assert Sums() == Sums(0, 0.0, 0.0)
