"""Replies that grow while their client reads: pieces are asked for one by one, never faster than they are taken.

A client that stops reading holds one piece and is left after a while. Not the pieces: those come from handlers.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IPushProducer, IReactorTime
from zope.interface import implementer

from wms.errors import TimedOut

STALLED_S = 60.0


@dataclass(frozen=True, slots=True)
class StreamReply:
    """A reply in pieces. When the client leaves, `pieces` is closed; what it awaits is cancelled."""

    pieces: AsyncGenerator[bytes, None]
    content_type: str = "application/x-ndjson"


@implementer(IPushProducer)
class Flow:
    """Tells whether the connection takes more, as the transport's producer."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._paused = False
        self._waiting: Deferred[None] | None = None

    async def ready(self) -> None:
        """When the next piece may be written; raises TimedOut for a client that takes nothing for STALLED_S."""
        if self._paused:
            self._waiting = Deferred()
            try:
                await self._waiting.addTimeout(STALLED_S, self._clock)
            except TimeoutError:
                raise TimedOut(f"The client took nothing for {STALLED_S:g} s.") from None

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.called:
            waiting.callback(None)

    def stopProducing(self) -> None:
        self.resumeProducing()
