"""A database a suite may open as often as it wants, and the reactor that the test's own thread plays.

Not fixtures: those are the plugin `databases`.
"""

from __future__ import annotations

import queue as threads_queue
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import sqlalchemy as sa
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from wms import queue
from wms.database import Database, metadata

T = TypeVar("T")
GIVE_UP_S = 60
KINDS = ("sqlite-file", "sqlite-memory", "postgresql")
SHARED = ("sqlite-file", "postgresql")
"""Kinds that several processes may use."""

counter = sa.Table("test_counter", sa.MetaData(), sa.Column("n", sa.Integer, nullable=False))


class Turns(Clock):
    """A reactor of one thread, the test's: `callFromThread` waits for its turn, time jumps to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: threads_queue.SimpleQueue[Callable[[], object]] = threads_queue.SimpleQueue()
        self.waits: list[float] = []

    def callFromThread(self, call: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        self._calls.put(lambda: call(*args, **kwargs))

    def turn(self) -> None:
        """Do the next thing: a call from a thread, else the next timer."""
        timers = self.getDelayedCalls()
        if self._calls.empty() and timers:
            self.waits.append(min(timer.getTime() for timer in timers) - self.seconds())
            self.advance(self.waits[-1])
        else:
            self._calls.get(timeout=GIVE_UP_S)()

    def result(self, deferred: Deferred[T]) -> T:
        """What the Deferred fires with; raises what it fails with."""
        found: list[Any] = []
        deferred.addBoth(found.append)
        while not found:
            self.turn()
        if isinstance(found[0], Failure):
            found[0].raiseException()
        value: T = found[0]
        return value

    def outcome(self, deferred: Deferred[Any]) -> Any:
        """Its result, or the exception it fails with, as a value."""
        try:
            return self.result(deferred)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error


@dataclass
class Place:
    """One empty database with the queue and a counter at 0; `database()` opens it (again)."""

    kind: str
    url: str
    turns: Turns = field(default_factory=Turns)
    opened: list[Database] = field(default_factory=list)

    def database(self) -> Database:
        made = Database(self.url, self.turns, inline=self.kind == "sqlite-memory")
        self.opened.append(made)
        return made

    def close(self) -> None:
        for database in self.opened:
            database.close()
        assert self.turns.getDelayedCalls() == []


def fill(engine: sa.Engine) -> None:
    """The queue, and the counter at 0."""
    metadata.create_all(engine, [queue.messages])
    counter.metadata.create_all(engine)
    with engine.begin() as conn:
        conn.execute(counter.insert().values(n=0))
