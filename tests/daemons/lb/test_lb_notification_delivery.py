"""Delivery: in order, at least once, and a dead receiver delays nobody; queues are bounded and say what is lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
import pytest
import sqlalchemy as sa
from book_builders import Book, settled, story
from notification_builders import Subscriber, Told, short
from twisted.internet.defer import CancelledError, Deferred

from lb.notices import notification_store
from lb.notices.board import Board
from lb.notices.delivery import NARROW, WIDE, Carried, Delivery, retry_s
from lb.notices.notifications import Notice, Registration
from lb.tables import notices, registrations
from wms.operations.notifications import Destination, Notification

DEAD, GOOD = "test://dead", "test://good"


class Receivers:
    """What arrives where; those that hang answer nothing, those that are down refuse."""

    name = "receivers"
    scheme = "test://"
    longest_pause_s = 300.0

    def __init__(self) -> None:
        self.got: defaultdict[str, list[int]] = defaultdict(list)
        self.tries: defaultdict[str, int] = defaultdict(int)
        self.down: set[str] = set()
        self.hanging: set[str] = set()
        self.takes: dict[str, int] = {}
        self.stopped = False

    async def carry(self, registration: Registration, notices: Sequence[Notice]) -> Carried:
        to = registration.destination
        self.tries[to] += 1
        if to in self.hanging:
            try:
                await Deferred()
            except CancelledError:
                return Carried(0, "given up")
        if to in self.down:
            return Carried(0, "nobody is there")
        taken = notices[:self.takes.get(to, len(notices))]
        self.got[to] += [notice.id for notice in taken]
        return Carried(len(taken), "" if len(taken) == len(notices) else "no more")

    async def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def receivers() -> Receivers:
    return Receivers()


@pytest.fixture
def jane(book: Book) -> Subscriber:
    return Subscriber(book)


@pytest.fixture
def told(book: Book) -> Told:
    return Told(book)


def bound(book: Book, jane: Subscriber, destination: str) -> Notification:
    """A registration for this destination, as if the settings allowed it."""
    given = jane.new()
    found = settled(book.database.read(notification_store.get, short(given), book.clock.seconds()))
    settled(book.database.transact(
        notification_store.put, msgspec.structs.replace(found, destination=destination), f"{destination}{given.id}"))
    return given


@contextmanager
def delivering(book: Book, receivers: Receivers) -> Iterator[Delivery]:
    """Delivery at work until the end of the block."""
    board = Board(book.kit)
    delivery = Delivery(book.kit, board, receivers)
    settled(Deferred.fromCoroutine(delivery.start()))
    settled(Deferred.fromCoroutine(board.start()))
    yield delivery
    settled(Deferred.fromCoroutine(board.stop()))
    settled(Deferred.fromCoroutine(delivery.stop()))
    assert receivers.stopped


def left(book: Book) -> int:
    return len(book.rows(sa.select(notices)))


def test_notices_go_out_in_order_and_are_gone(book: Book, jane: Subscriber, told: Told, receivers: Receivers) -> None:
    bound(book, jane, GOOD)
    told(story("a", length=4))
    with delivering(book, receivers):
        assert receivers.got[GOOD] == [1, 2, 3, 4]
        told(story("a"))
    assert (receivers.got[GOOD], left(book)) == (list(range(1, 11)), 0)


def test_a_dead_receiver_delays_nobody(book: Book, jane: Subscriber, told: Told, receivers: Receivers) -> None:
    receivers.hanging = {DEAD}
    bound(book, jane, DEAD)
    bound(book, jane, GOOD)
    with delivering(book, receivers):
        for event in story("a"):
            told([event])
        assert len(receivers.got[GOOD]) == 10
    assert left(book) == 10


def test_one_that_comes_back_gets_everything_in_order(
        book: Book, jane: Subscriber, told: Told, receivers: Receivers) -> None:
    receivers.down = {DEAD}
    bound(book, jane, DEAD)
    with delivering(book, receivers) as delivery:
        told(story("a"))
        book.clock.pump([10.0] * 20)
        assert (receivers.got[DEAD], delivery.failed > 3) == ([], True)
        receivers.down = set()
        book.clock.pump([10.0] * 30)
        assert receivers.got[DEAD] == list(range(1, 11))


def test_what_was_sent_before_a_failure_is_not_sent_again(
        book: Book, jane: Subscriber, told: Told, receivers: Receivers) -> None:
    receivers.takes = {GOOD: 3}
    bound(book, jane, GOOD)
    with delivering(book, receivers):
        told(story("a"))
        book.clock.pump([1.0] * 200)
    assert receivers.got[GOOD] == list(range(1, 11))


def test_killed_before_it_was_noted_a_notice_comes_again_with_its_id(
        book: Book, jane: Subscriber, told: Told, receivers: Receivers) -> None:
    bound(book, jane, GOOD)
    told(story("a", length=3))
    rows = book.rows(sa.select(notices))
    with delivering(book, receivers):
        pass
    settled(book.database.transact(lambda conn: conn.execute(notices.insert(), rows)))
    with delivering(book, Receivers()) as delivery:
        assert delivery._carrier.got[GOOD] == [1, 2, 3]  # type: ignore[attr-defined]


def test_bound_to_another_destination_it_goes_there_at_once(
        book: Book, jane: Subscriber, told: Told, receivers: Receivers) -> None:
    receivers.down = {DEAD}
    given = bound(book, jane, DEAD)
    with delivering(book, receivers):
        told(story("a"))
        book.clock.pump([1.0] * 300)
        found = settled(book.database.read(notification_store.get, short(given), book.clock.seconds()))
        moved = msgspec.structs.replace(found, destination=GOOD)
        settled(book.database.transact(notification_store.put, moved, "another token"))
        assert len(receivers.got[GOOD]) == 10


def test_bound_to_a_stream_it_is_no_longer_sent(
        book: Book, jane: Subscriber, told: Told, receivers: Receivers) -> None:
    receivers.down = {DEAD}
    given = bound(book, jane, DEAD)
    with delivering(book, receivers):
        told(story("a"))
        jane.answer("lb.notify_bind", id=short(given), body=Destination())
        receivers.down = set()
        book.clock.pump([10.0] * 60)
        assert (receivers.got, len(jane.taken(given))) == ({}, 10)


def test_those_that_failed_share_a_narrow_lane(book: Book, jane: Subscriber, told: Told, receivers: Receivers) -> None:
    dead = [f"{DEAD}{number}" for number in range(WIDE - 1)]
    for destination in dead:
        bound(book, jane, destination)
    bound(book, jane, GOOD)
    receivers.down = set(dead)
    with delivering(book, receivers):
        told(story("a", length=1))
        receivers.hanging = set(dead)
        book.clock.advance(2)
        told(story("a"))
        assert sum(count > 1 for count in receivers.tries.values()) == NARROW + 1
        assert len(receivers.got[GOOD]) == 10


def test_no_notice_goes_to_a_registration_that_is_over(
        book: Book, jane: Subscriber, told: Told, receivers: Receivers) -> None:
    bound(book, jane, GOOD)
    told(story("a"))
    book.clock.advance(book.kit.settings.lb.notify_s)
    with delivering(book, receivers):
        assert receivers.got == {}


@pytest.mark.parametrize(("failures", "pause"), [(1, 1.0), (2, 2.0), (9, 256.0), (10, 300.0), (5000, 300.0)])
def test_pauses_grow_to_a_limit(failures: int, pause: float) -> None:
    assert retry_s(failures, 300.0, 0.0) == pause
    assert 0.75 * pause <= retry_s(failures, 300.0, 0.99) < pause


# -- bounds ----------------------------------------------------------------------------------------------


def lost(book: Book, given: Notification) -> list[int]:
    """Notices given up, as the queue says."""
    bodies = [msgspec.json.decode(row["body"]) for row in book.rows(sa.select(notices).order_by(notices.c.id))]
    return [body["lost"] for body in bodies if "lost" in body]


def test_a_queue_that_grows_too_long_says_how_much_it_lost(book: Book, jane: Subscriber, told: Told) -> None:
    given = jane.new()
    for number in range(10):
        told(story(f"job{number}"))
    size = sum(len(row["body"]) for row in book.rows(sa.select(notices)))

    def shorten(most: int) -> int:
        number: int = settled(book.database.transact(notification_store.shorten, short(given), most))
        return number

    assert settled(book.database.read(notification_store.too_long, size)) == []
    assert settled(book.database.read(notification_store.too_long, size - 1)) == [short(given)]
    first = shorten(size)
    assert (lost(book, given), left(book)) == ([first], 101 - first)
    assert 49 <= first <= 52
    for number in range(10, 15):
        told(story(f"job{number}"))
    shorten(size)
    (number,) = lost(book, given)
    assert number + left(book) - 1 == 150
    found = jane.taken(given)
    assert (found[0], len(found)) == ({"lost": number}, 151 - number)


def test_notices_of_nobody_are_deleted(book: Book, jane: Subscriber, told: Told) -> None:
    jane.new()
    told(story("a"))
    settled(book.database.transact(lambda conn: conn.execute(registrations.delete())))
    with book.running():
        assert left(book) == 0
