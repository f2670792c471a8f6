"""Somebody with registrations at a bookkeeping daemon, as requests and answers."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import Any

import msgspec
from book_builders import JANE, START_TIME, Book, settled
from twisted.internet.defer import Deferred

from lb.access.denials import Gate
from lb.keeper import keep
from lb.notices.notification_follower import Notifier
from lb.notices.notifications import PREFIX
from wms.event import Event
from wms.httpd import Call
from wms.identity import Identity
from wms.operations import OPERATIONS
from wms.operations.notifications import Acknowledgement, Asked, AskedConditions, NewNotification, Notification

OWNED: AskedConditions = ((Asked("owner"),),)
"""The caller's own jobs."""


def condition(attribute: str, operator: str = "=", value: Any = None, **more: Any) -> tuple[Asked, ...]:
    return (Asked(attribute, operator, value, **more),)


class Subscriber:
    """One person. Credentials end at `not_after` (epoch s)."""

    def __init__(self, book: Book, dn: str = JANE, not_after: float = START_TIME * 2) -> None:
        self.book = book
        self.who = Identity(dn, not_after=not_after)

    def call(self, name: str, *, body: Any = None, key: str = "", query: dict[str, str] | None = None,
             accept: str = "", **params: str) -> Deferred[Any]:
        call = Call(OPERATIONS[name], params, query or {}, self.who, (), None, body, key, BytesIO(), 0, "", accept, "")
        return Deferred.fromCoroutine(self.book.daemon.operations[name](call))  # type: ignore[arg-type]

    def answer(self, name: str, **more: Any) -> Any:
        return settled(self.call(name, **more))

    def new(self, conditions: AskedConditions = OWNED, key: str = "", **more: Any) -> Notification:
        key = key or f"key{self.book.kit.rng.random()}"
        found: Notification = self.answer("lb.notify_new", key=key, body=NewNotification(conditions, **more))
        return found

    def taken(self, given: Notification, acknowledge: bool = True) -> list[dict[str, Any]]:
        """What waits for a registration; no longer afterwards."""
        found = lines(self.answer("lb.notify_stream", id=short(given)).pieces)
        if found and acknowledge:
            self.answer("lb.notify_acknowledge", id=short(given), body=Acknowledgement(found[-1]["id"]))
        return [one["notice"] for one in found]

    def states(self, given: Notification) -> list[str]:
        return [one["stateName"] for one in self.taken(given)]


def short(given: Notification) -> str:
    """The last part of an identifier."""
    return given.id.rpartition("/")[2].removeprefix(PREFIX)


def lines(pieces: Any) -> list[dict[str, Any]]:
    """The notices of a stream until it would wait; then it is left."""
    found = []
    while (piece := settled(Deferred.fromCoroutine(anext(pieces)))).strip():
        found.append(msgspec.json.decode(piece))
    settled(Deferred.fromCoroutine(closed(pieces)))
    return found


async def closed(pieces: Any) -> bool:
    await pieces.aclose()
    return True


class Told:
    """Stores events with a follower of its own, as another process would."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.notifier = Notifier(Gate(book.kit))

    def __call__(self, events: Iterable[Event]) -> None:
        settled(self.book.database.transact(
            keep, list(events), self.book.clock.seconds(), (self.notifier.follow,)))
