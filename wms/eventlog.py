"""`log(conn, events)`: events join the transaction that causes them and reach Logging & Bookkeeping after it.

Not the bookkeeping itself: this only puts them on the `lb` topic, one message for all events of a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from wms import queue
from wms.event import Event, Source, event
from wms.messages.topics import LB
from wms.seqcode import SequenceCode

decode_events = msgspec.json.Decoder(list[Event]).decode


def log(conn: sa.Connection, events: Sequence[Event], *, now: float) -> None:
    """Send events (of one or several jobs) to LB, in the caller's transaction."""
    if events:
        queue.put(conn, LB, list(events), now=now, job=events[0].job)


class Journal:
    """Makes the events of one source about one job, each with the next sequence code.

    `code` is the code to hand over with the job; `events` what there is to log.
    """

    def __init__(self, source: str, job: str, code: str, now: float, host: str, user: str = "",
                 instance: str = "") -> None:
        self._source = source
        self._job = job
        self._code = SequenceCode.parse(code)
        self._now = now
        self._host = host
        self._user = user
        self._instance = instance
        self.events: list[Event] = []

    @property
    def code(self) -> str:
        return str(self._code)

    def add(self, type: str, **fields: Any) -> None:
        """One more event, a microsecond after the one before."""
        self._code = self._code.advanced(Source(self._source))
        at = self._now + len(self.events) * 1e-6
        self.events.append(event(type, self._job, self._source, self.code, at, self._host, self._user,
                                 instance=self._instance, **fields))
