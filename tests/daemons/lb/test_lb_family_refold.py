"""Records of an older machine: made anew behind the daemon, and with them columns, tags and histograms."""

from __future__ import annotations

import msgspec
import pytest
import sqlalchemy as sa
from book_builders import START_TIME, Book, settled, story
from family_builders import DONE, RUNNING, counted, history, lives, record, recounted, registered, transitions

from lb import marks, refold, store
from lb.service import make
from lb.state.record import MACHINE_VERSION
from lb.tables import histograms, jobs, tags
from wms.errors import Unavailable
from wms.jobstatus import JobState


def aged(book: Book, version: str = "1") -> None:
    """As an older release left it: records of its machine, nothing in what came later."""
    with book.database.engine.begin() as conn:
        for row in conn.execute(sa.select(jobs.c.id, jobs.c.record)).all():
            old = msgspec.msgpack.decode(row.record)
            conn.execute(jobs.update().where(jobs.c.id == row.id).values(
                record=msgspec.msgpack.encode({**old, "version": version}), destination="", entered=0.0))
        conn.execute(histograms.delete())
        conn.execute(tags.delete())
    book.daemon = make(book.kit)


def tag_rows(book: Book) -> list[tuple[str, str]]:
    return [(row["name"], row["value"]) for row in book.rows(sa.select(tags))]


def test_everything_is_as_if_this_machine_had_made_it(book: Book) -> None:
    with book.running():
        book.log([*story("a"), *registered(2), *lives(0, RUNNING), *lives(1, RUNNING, DONE)])
    before, told = book.contents(), tag_rows(book)
    aged(book)
    settled(book.database.transact(marks.put, refold.MACHINE, "1"))
    with book.running():
        book.clock.advance(1)
    assert book.contents() == before
    assert tag_rows(book) == told == [("step", "<b>1</b>")]
    assert counted(book) == recounted(book) == {"Running": 1, "Done": 1}
    assert settled(book.database.read(marks.get, refold.MACHINE)) == MACHINE_VERSION


def test_collections_get_the_state_that_an_older_machine_did_not_give(book: Book) -> None:
    book.ingest([*registered(1), *lives(0, RUNNING)])
    aged(book)
    with book.running():
        book.clock.advance(1)
    assert (record(book).state, transitions(history(book))) == (JobState.RUNNING, ["Running"])


def test_records_that_were_counted_are_not_counted_again(book: Book) -> None:
    with book.running():
        book.log([*registered(1), *lives(0, RUNNING)])
    rows = book.rows(sa.select(histograms))
    aged(book, "2.5")
    with book.database.engine.begin() as conn:
        conn.execute(histograms.insert(), rows)
    settled(book.database.transact(marks.put, refold.MACHINE, "2.5"))
    with book.running():
        book.clock.advance(1)
    assert counted(book) == recounted(book)


def test_many_jobs_are_made_anew_in_portions(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refold, "PORTION", 2)
    for number in range(5):
        book.ingest(story(f"j{number}", at=START_TIME + number))
    before = book.contents()
    aged(book)
    with book.running():
        assert book.contents() != before
        for _step in range(4):
            book.clock.advance(refold.PAUSE_S)
        assert book.contents() == before


def test_nothing_is_looked_at_once_all_is_done(book: Book) -> None:
    with book.running():
        book.clock.advance(1)
    book.ingest(story())
    aged(book)
    before = book.contents()
    with book.running():
        book.clock.advance(1)
    assert book.contents() == before


def test_a_failure_is_tried_again(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    book.ingest(story())
    before = book.contents()
    aged(book)

    def fails(*_any: object) -> None:
        raise Unavailable("the database does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(store, "refold", fails)
        with book.running():
            assert book.contents() != before
            patch.undo()
            book.clock.advance(refold.RETRY_S)
            assert book.contents() == before
