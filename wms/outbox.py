"""What a transaction says to others: events and messages gathered while it runs, sent in one statement at its end.

`with Outbox(conn, now) as out:` inside a unit; leaving it writes, so that all joins the same commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa

from wms import queue
from wms.event import Event
from wms.messages.topics import LB
from wms.queue import Parcel

EVENTS_TOGETHER = 500


class Outbox:
    """The voice of one transaction at time `now` (epoch s). An error inside sends nothing."""

    def __init__(self, conn: sa.Connection, now: float) -> None:
        self.conn = conn
        self.now = now
        self._events: list[Event] = []
        self._parcels: list[Parcel] = []

    def log(self, events: Sequence[Event]) -> None:
        """Events for Logging & Bookkeeping, of one or several jobs."""
        self._events += events

    def send(self, topic: str, record: Any, job: str = "", *, delay_s: float = 0.0) -> None:
        """A message for the daemon that reads `topic`."""
        self._parcels.append(Parcel(topic, job, record, delay_s))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _value: BaseException | None,
                 _traceback: TracebackType | None) -> None:
        if kind is None:
            groups = (self._events[k:k + EVENTS_TOGETHER] for k in range(0, len(self._events), EVENTS_TOGETHER))
            news = [Parcel(LB, group[0].job, group) for group in groups]
            queue.post(self.conn, [*news, *self._parcels], now=self.now)
