"""Notices as a stream: they come as they happen, stay until they are acknowledged, and have one listener."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from book_builders import Book, settled, story
from notification_builders import Subscriber, Told, closed, lines, short
from twisted.internet.defer import Deferred

from lb.notices.notification_stream import BEAT_S
from lb.tables import counters
from wms.errors import NotAllowedNow, Refused
from wms.operations.notifications import Acknowledgement, Destination, Notification
from wms.streaming import StreamReply


class Listener:
    """A client that reads a stream as fast as it comes."""

    def __init__(self, reply: StreamReply) -> None:
        self.reply = reply
        self.heard: list[bytes] = []
        self.over = False
        self.reading = Deferred.fromCoroutine(self._read())

    async def _read(self) -> None:
        async for piece in self.reply.pieces:
            self.heard.append(piece)
        self.over = True

    @property
    def text(self) -> bytes:
        return b"".join(self.heard)


@pytest.fixture
def jane(book: Book) -> Subscriber:
    return Subscriber(book)


@pytest.fixture
def told(book: Book) -> Told:
    return Told(book)


def listen(jane: Subscriber, given: Notification, **query: str) -> Listener:
    return Listener(jane.answer("lb.notify_stream", id=short(given), query=query))


def ids(jane: Subscriber, given: Notification, **query: str) -> list[int]:
    return [one["id"] for one in lines(jane.answer("lb.notify_stream", id=short(given), query=query).pieces)]


def test_notices_come_as_they_happen(book: Book, jane: Subscriber, told: Told) -> None:
    given = jane.new()
    with book.running():
        listener = listen(jane, given)
        assert listener.heard == [b"\n"]
        told(story("a", length=1))
        assert b'"stateName":"Submitted"' in listener.heard[-2]
        told(story("a", length=2))
        assert b'"stateName":"Waiting"' in listener.heard[-2]
    assert listener.over


def test_server_sent_events(book: Book, jane: Subscriber, told: Told) -> None:
    given = jane.new()
    told(story("a", length=1))
    for how in ({"query": {"sse": ""}}, {"accept": "text/event-stream"}):
        reply = jane.answer("lb.notify_stream", id=short(given), **how)
        piece = settled(Deferred.fromCoroutine(anext(reply.pieces)))
        head, data, *end = piece.decode().split("\n")
        assert reply.content_type == "text/event-stream"
        assert (head, data[:16], end) == ("id: 1", 'data: {"jobid":"', ["", ""])
        settled(Deferred.fromCoroutine(closed(reply.pieces)))


def test_a_quiet_stream_beats(book: Book, jane: Subscriber) -> None:
    listener = listen(jane, jane.new())
    book.clock.pump([BEAT_S] * 3)
    assert listener.heard == [b"\n"] * 4
    listener.reading.cancel()
    listener.reading.addErrback(lambda _cancelled: None)


def test_what_is_not_acknowledged_comes_again_with_the_same_ids(jane: Subscriber, told: Told) -> None:
    given = jane.new()
    told(story("a", length=5))
    assert ids(jane, given) == ids(jane, given) == [1, 2, 3, 4, 5]
    assert ids(jane, given, after="2") == ids(jane, given) == [3, 4, 5]
    jane.answer("lb.notify_acknowledge", id=short(given), body=Acknowledgement(4))
    assert ids(jane, given) == [5]
    counted = {row["name"]: row["value"] for row in jane.book.rows(sa.select(counters))}
    assert counted["notifs_legacy"] == 4


def test_the_listener_that_came_last_is_the_one(book: Book, jane: Subscriber, told: Told) -> None:
    given = jane.new()
    with book.running():
        first = listen(jane, given)
        second = listen(jane, given)
        assert (first.over, second.over) == (True, False)
        assert first.text.endswith(b'{"taken":true}\n')
        assert b"taken" not in second.text
        told(story("a", length=1))
        assert (first.text.count(b"jobid"), second.text.count(b"jobid")) == (0, 1)


def test_a_listener_that_does_not_read_delays_nobody(book: Book, jane: Subscriber, told: Told) -> None:
    slow, quick = jane.new(), jane.new()
    with book.running():
        pieces = jane.answer("lb.notify_stream", id=short(slow)).pieces
        settled(Deferred.fromCoroutine(anext(pieces)))
        listener = listen(jane, quick)
        told(story("a"))
        assert listener.text.count(b"jobid") == 10
        settled(Deferred.fromCoroutine(closed(pieces)))


def test_a_stream_ends_with_its_registration(book: Book, jane: Subscriber) -> None:
    timed, dropped = jane.new(validity_s=20), jane.new()
    with book.running():
        listeners = [listen(jane, timed), listen(jane, dropped)]
        jane.answer("lb.notify_drop", id=short(dropped))
        assert [one.over for one in listeners] == [False, True]
        book.clock.pump([5.0] * 5)
        assert [one.over for one in listeners] == [True, True]


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "9" * 19, "²"])
def test_an_id_is_a_number(jane: Subscriber, after: str) -> None:
    given = jane.new()
    with pytest.raises(Refused):
        jane.answer("lb.notify_stream", id=short(given), query={"after": after})


def test_more_than_a_portion_comes_whole_and_in_order(book: Book, jane: Subscriber, told: Told) -> None:
    given = jane.new()
    for number in range(30):
        told(story(f"job{number}"))
    assert ids(jane, given) == list(range(1, 301))



def test_destinations_and_streams_exclude_each_other(book: Book, jane: Subscriber) -> None:
    given = jane.new()
    book.database.transact(lambda conn: conn.exec_driver_sql("UPDATE lb_registrations SET destination = 'x-msg://t'"))
    with pytest.raises(NotAllowedNow):
        jane.answer("lb.notify_stream", id=short(given))
    jane.answer("lb.notify_bind", id=short(given), body=Destination())
    jane.answer("lb.notify_stream", id=short(given))
