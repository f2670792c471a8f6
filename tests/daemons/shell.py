"""A kit on SQLite in memory with a hand-moved clock: `Shell.kit()`; `close` fails when a timer is left."""

from __future__ import annotations

import random
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import sqlalchemy as sa
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.python.failure import Failure

from wms import queue
from wms.config import parse
from wms.database import Database, metadata
from wms.service import Kit

T = TypeVar("T")


def fired(work: Awaitable[T] | Deferred[T]) -> list[Any]:
    """What it has fired with so far: [], [result] or [Failure]."""
    async def run() -> T:
        return await work

    found: list[Any] = []
    Deferred.fromCoroutine(run()).addBoth(found.append)
    return found


def result(work: Awaitable[T] | Deferred[T]) -> T:
    """Its result, which must be there at once; raises what it failed with."""
    (found,) = fired(work)
    if isinstance(found, Failure):
        found.raiseException()
    value: T = found
    return value


@dataclass
class Shell:
    """A process without daemons."""

    clock: Clock = field(default_factory=Clock)
    logged: list[Any] = field(default_factory=list)
    database: Database = field(default_factory=lambda: Database("sqlite://", None, inline=True))
    settings: str = ""

    def __post_init__(self) -> None:
        metadata.create_all(self.database.engine, [queue.messages])

    def kit(self, instance: str = "here") -> Kit:
        return Kit(parse(self.settings), self.database, self.clock, random.Random(1), {},
                   Logger(observer=self.logged.append), "wms.example.org", ("lb.example.org", 9000), b"s" * 32,
                   instance=instance)

    def advance(self, seconds: float, steps: int = 1) -> None:
        self.clock.pump([seconds / steps] * steps)

    def put(self, topic: str, *bodies: Any, delay_s: float = 0.0) -> None:
        result(self.database.transact(queue.put_many, topic, [("", body) for body in bodies],
                                      now=self.clock.seconds(), delay_s=delay_s))

    def rows(self) -> list[Any]:
        """What is in the queue, by id."""
        return list(result(self.database.read(
            lambda conn: conn.execute(sa.select(queue.messages).order_by(queue.messages.c.id)).all())))

    def said(self, level: str) -> list[str]:
        """Formats of what was logged at a level."""
        return [event["log_format"] for event in self.logged if event["log_level"].name == level]

    def close(self) -> None:
        left = self.clock.getDelayedCalls()
        self.database.close()
        assert not left, left
