"""Ingest: no order and no repetition of arrivals makes a difference, and a bad event harms nobody else."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from book_builders import JOHN, START_TIME, Book, story
from hypothesis import given, settings
from hypothesis import strategies as st

from lb import store
from lb.state.machine import fold
from wms.event import Event, Source, event
from wms.seqcode import START

EVENTS = [*story("a"), *story("b", JOHN, START_TIME + 3, 6)]


@st.composite
def deliveries(draw: st.DrawFn) -> list[list[Event]]:
    """All events in any order, some of them again, cut into batches."""
    again = draw(st.lists(st.sampled_from(EVENTS), max_size=6))
    order = draw(st.permutations([*EVENTS, *again]))
    cuts = sorted(draw(st.sets(st.integers(1, len(order) - 1), max_size=8)))
    return [order[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(order)], strict=True)]


def in_order() -> Book:
    book = Book()
    book.ingest(EVENTS)
    return book


REFERENCE = in_order()


@settings(max_examples=40, deadline=None)
@given(deliveries())
def test_every_order_and_repetition_gives_the_same_rows(batches: list[list[Event]]) -> None:
    book = Book()
    stored = sum(book.ingest(batch).stored for batch in batches)
    assert stored == len(EVENTS)
    assert book.contents() == REFERENCE.contents()
    assert book.event_rows() == REFERENCE.event_rows()
    book.database.close()


def test_the_state_is_that_of_the_whole_fold(book: Book) -> None:
    for one in EVENTS:
        book.ingest([one])
    record = msgspec.msgpack.encode(fold(story("a")))
    assert book.contents()[0]["record"] == record


def test_a_repetition_is_success_and_changes_nothing(book: Book) -> None:
    book.ingest(EVENTS)
    before = book.contents()
    again = book.ingest(EVENTS)
    assert (again.stored, again.duplicates, again.refused, again.changed) == (0, len(EVENTS), [], {})
    assert book.contents() == before


def test_events_before_the_registration_are_kept(book: Book) -> None:
    registration, *others = story("a")
    book.ingest(others)
    assert [(row["state"], row["type"], row["version"]) for row in book.contents()] == [(0, "", len(others))]
    changed = book.ingest([registration]).changed
    assert changed["a"].state == "Done"
    assert book.contents() == [row for row in REFERENCE.contents() if row["job"] == "a"]


def test_a_record_of_an_older_machine_is_made_anew(book: Book) -> None:
    book.ingest(story("a", length=9))
    old = fold(story("a", length=3))
    old.version = "0"
    with book.database.engine.begin() as conn:
        conn.execute(store.jobs.update().values(record=msgspec.msgpack.encode(old)))
    book.ingest(story("a")[9:])
    assert book.contents()[0] == REFERENCE.contents()[0]


def test_an_event_that_breaks_the_rules_is_refused_alone(book: Book) -> None:
    good = story("a")
    bad = [msgspec.structs.replace(good[3], type="Nonsense"), msgspec.structs.replace(good[3], seqcode="x"),
           msgspec.structs.replace(good[3], fields={}), msgspec.structs.replace(good[3], job="job")]
    ingested = book.ingest([*good[:5], *bad, *good[5:]])
    assert ingested.stored == len(good)
    assert [refusal.event for refusal in ingested.refused] == bad
    assert "Match without dest_id" in [refusal.reason for refusal in ingested.refused]


def test_a_unique_part_belongs_to_one_server(book: Book) -> None:
    book.ingest(story("a", length=2))
    elsewhere = "https://other.example:9000/a"
    stranger = event("Pending", elsewhere, Source.WORKLOAD_MANAGER, START, 1.0, "h", reason="?")
    ingested = book.ingest([stranger])
    assert [refusal.reason for refusal in ingested.refused] == ["a is a job of lb.example:9000"]
    assert book.contents()[0]["version"] == 2


def test_numbers_in_a_job_have_no_gaps(book: Book) -> None:
    for one in reversed(story("a")):
        book.ingest([one, one])
    numbers = [row["number"] for row in book.rows(sa.select(store.events).order_by(store.events.c.number))]
    assert numbers == list(range(len(story("a"))))


def test_an_empty_batch_is_no_work(book: Book) -> None:
    assert book.ingest([]) == (0, 0, [], [])


# -- through the queue -----------------------------------------------------------------------------------


def test_the_daemon_takes_what_others_log(book: Book) -> None:
    with book.running():
        book.log(story("a", length=4))
        book.log([*story("a")[4:], *story("b", JOHN, START_TIME + 3, 6)])
    assert book.contents() == REFERENCE.contents()
    assert book.refusals() == []


def test_what_cannot_be_read_is_set_aside_and_the_rest_is_stored(book: Book) -> None:
    events = msgspec.to_builtins(story("a"))
    broken = {**events[2], "timestamp": "yesterday"}
    unknown = {**events[2], "type": "Nonsense"}
    with book.running():
        book.put_raw([*events[:2], broken, 42, unknown, *events[2:]])
        book.put_raw({"not": "a list"})
        book.log(story("b", JOHN, START_TIME + 3, 6))
    assert book.contents() == REFERENCE.contents()
    assert [type(msgspec.json.decode(body)) for body, _reason in book.refusals()] == [dict, int, dict, dict]
    assert "Nonsense" in book.refusals()[3][1] or "Nonsense" in book.refusals()[2][1]


def test_a_number_no_column_holds_is_refused(book: Book) -> None:
    events = msgspec.to_builtins(story("a"))
    with book.running():
        book.put_raw([*events, {**events[3], "priority": 1 << 70, "timestamp": START_TIME + 31}])
    assert book.contents() == REFERENCE.contents()[:1]
    assert len(book.refusals()) == 1


def test_bytes_that_are_no_json_are_kept_as_they_came(book: Book) -> None:
    broken = [b'[{"type": ', b'["\xff"]', b'{"type": "\\ud800"}']
    with book.running():
        for body in broken:
            book.put_raw(msgspec.Raw(body))
        book.log(story("a"))
    assert book.contents() == REFERENCE.contents()[:1]
    assert [body for body, _reason in book.refusals()] == [broken[0], b'"\xff"', broken[2]]
