"""News of a job as server-sent events: one at each change, a beat in silence, the end when the job has ended."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from book_builders import JOHN, Book, settled, story
from test_lb_page_family import ingest, registration, told
from twisted.internet.defer import Deferred

from lb.pages import live
from wms.errors import NotAuthorized, Overloaded
from wms.event import Source, event
from wms.seqcode import SequenceCode
from wms.streaming import StreamReply

BEAT, END = live.BEAT, live.END


class Watcher:
    """Reads one piece after another, as a browser does."""

    def __init__(self, book: Book, unique: str, **who: Any) -> None:
        reply = book.answer("lb.live", unique=unique, **who)
        assert isinstance(reply, StreamReply)
        assert reply.content_type == "text/event-stream"
        self.pieces = reply.pieces

    def next(self) -> Deferred[bytes]:
        return Deferred.fromCoroutine(anext(self.pieces))  # type: ignore[arg-type]

    def leave(self) -> None:
        settled(Deferred.fromCoroutine(self.pieces.aclose()))  # type: ignore[arg-type]


def news(piece: bytes) -> dict[str, Any]:
    id, data, *_rest = piece.decode().splitlines()
    found: dict[str, Any] = msgspec.json.decode(data.removeprefix("data: "))
    assert id == f"id: {found['version']}"
    return found


def test_first_what_is_known_then_each_change(book: Book) -> None:
    with book.running():
        book.log(story("a", length=8))
        watcher = Watcher(book, "a")
        assert news(settled(watcher.next())) == {"version": 8, "state": "Running", "histogram": {}}
        waiting = watcher.next()
        assert not waiting.called
        book.log(story("a")[8:])
        book.clock.advance(live.GATHER_S)
        assert news(settled(waiting)) == {"version": 10, "state": "Done", "histogram": {}}
        watcher.leave()


def test_silence_is_told_by_beats(book: Book) -> None:
    with book.running():
        book.log(story("a", length=8))
        watcher = Watcher(book, "a")
        settled(watcher.next())
        waiting = watcher.next()
        for _second in range(15):
            book.clock.advance(1)
        assert settled(waiting) == BEAT
        watcher.leave()


def test_a_job_that_has_ended_has_no_more_news(book: Book) -> None:
    *events, done = story("a")
    cancelled = msgspec.structs.replace(done, fields={"status_code": "CANCELLED", "exit_code": -1})
    book.ingest([*events, cancelled])
    watcher = Watcher(book, "a")
    assert news(settled(watcher.next()))["state"] == "Cancelled"
    assert settled(watcher.next()) == END
    with pytest.raises(StopAsyncIteration):
        settled(watcher.next())


def test_many_watchers_and_one_look(book: Book) -> None:
    with book.running():
        book.log(story("a", length=8))
        watchers = [Watcher(book, "a") for _ in range(20)]
        for watcher in watchers:
            settled(watcher.next())
        looks: list[str] = []
        reads, read = 0, book.database.read

        def counting(unit: Any, *args: Any, **kwargs: Any) -> Deferred[Any]:
            nonlocal reads
            reads += unit is live.pulse
            return read(unit, *args, **kwargs)

        book.database.read = counting  # type: ignore[assignment]
        waiting = [watcher.next() for watcher in watchers]
        book.log(story("a")[8:])
        book.clock.advance(live.GATHER_S)
        looks += [news(settled(one))["state"] for one in waiting]
        assert looks == ["Done"] * 20
        assert reads == 1
        for watcher in watchers:
            watcher.leave()


def test_changes_that_come_together_are_told_together(book: Book) -> None:
    with book.running():
        book.log(story("a", length=3))
        watcher = Watcher(book, "a")
        settled(watcher.next())
        waiting = watcher.next()
        for length in range(4, 9):
            book.log(story("a", length=length))
        book.clock.advance(live.GATHER_S)
        assert news(settled(waiting))["version"] == 8
        watcher.leave()


def test_a_collection_tells_when_its_children_move(book: Book) -> None:
    with book.running():
        ingest(book, [registration(3)])
        watcher = Watcher(book, "all")
        assert news(settled(watcher.next()))["histogram"] == {"Submitted": 3}
        waiting = watcher.next()
        book.log(told(1, length=8))
        book.clock.advance(live.GATHER_S)
        assert news(settled(waiting))["histogram"] == {"Submitted": 2, "Running": 1}
        watcher.leave()


def test_news_of_another_process_are_found_after_a_while(book: Book) -> None:
    with book.running():
        book.log(story("a", length=8))
        watcher = Watcher(book, "a")
        settled(watcher.next())
        waiting = watcher.next()
        book.ingest(story("a")[8:])
        book.clock.advance(live.GATHER_S)
        assert not waiting.called
        book.clock.advance(live.LOOK_AGAIN_S)
        assert news(settled(waiting))["version"] == 10
        watcher.leave()


def test_watchers_are_sent_away_when_the_service_stops(book: Book) -> None:
    with book.running():
        book.log(story("a", length=8))
        watcher = Watcher(book, "a")
        settled(watcher.next())
        waiting = watcher.next()
        book.clock.advance(live.GATHER_S)
    with pytest.raises(StopAsyncIteration):
        settled(waiting)


def test_only_who_may_see_the_job_may_watch_it(book: Book) -> None:
    book.ingest(story("a"))
    with pytest.raises(NotAuthorized):
        Watcher(book, "a", dn=JOHN)


def test_too_many_watchers(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_WATCHERS", 1)
    with book.running():
        book.log(story("a", length=8))
        first = Watcher(book, "a")
        settled(first.next())
        with pytest.raises(Overloaded):
            Watcher(book, "a")
        first.leave()
        again = Watcher(book, "a")
        settled(again.next())
        again.leave()


def test_a_tag_is_news_too(book: Book) -> None:
    with book.running():
        book.log(story("a", length=8))
        watcher = Watcher(book, "a")
        settled(watcher.next())
        waiting = watcher.next()
        book.log([event("UserTag", story("a")[0].job, Source.APPLICATION, SequenceCode(ns=9), 1.7e9 + 900, "h",
                        "/DC=org/CN=Jane", name="x", value="y")])
        book.clock.advance(live.GATHER_S)
        assert news(settled(waiting))["version"] == 9
        watcher.leave()
