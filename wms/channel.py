"""The bytes of HTTP/1.1 before they are a request: what is none is refused like anything else, with a code and a line
in the log, and nobody may take for ever. What requests mean is `wms.httpd`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http

from wms.errors import BadRequest, RequestTooSlow, WmsError

PATIENCE_S = 90
"""For the whole of a request, and a second more for each LEAST_BYTES of it."""
LEAST_BYTES = 1000


class Channel(http.HTTPChannel):
    """One connection. Twisted has no public place for its own refusals: those of parsing come by
    `_respondToBadRequestAndDisconnect`.
    """

    transport: Any
    requestFactory: Any

    def __init__(self, clock: IReactorTime, log: Logger, make: Callable[[http.HTTPChannel], http.Request]) -> None:
        super().__init__()
        self.requestFactory = lambda channel, *_queued: make(channel)
        self._clock, self._logger = clock, log
        self._began, self._taken, self._refused = 0.0, 0, False

    def dataReceived(self, data: bytes) -> None:
        """What comes after a refusal is not looked at."""
        if self._refused:
            return
        if not self._taken:
            self._began = self._clock.seconds()
        self._taken += len(data)
        late = self._clock.seconds() - self._began - PATIENCE_S - self._taken / LEAST_BYTES
        if late > 0 and not self._handlingRequest:
            self.turn_away(RequestTooSlow("The request came too slowly.", bytes=self._taken))
        else:
            super().dataReceived(data)

    def allContentReceived(self) -> None:
        self._taken = 0
        super().allContentReceived()

    def lineReceived(self, line: bytes) -> None:
        """Lines that go on with the one before are not taken (RFC 9112, 5.2)."""
        if line[:1] in (b" ", b"\t"):
            self._respondToBadRequestAndDisconnect()
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        self._respondToBadRequestAndDisconnect()

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.turn_away(BadRequest("This is no well-formed HTTP request, or its header is too long."))

    def turn_away(self, error: WmsError) -> None:
        """Answer before the end of a request that nobody wants, once, and hang up."""
        if self._refused:
            return
        self._note(error)
        body = msgspec.json.encode(error.record())
        reason = http.RESPONSES.get(error.status, b"Refused")
        self.transport.write(
            b"HTTP/1.1 %d %b\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (error.status, reason, len(body), body))
        self.loseConnection()

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:
        if self._taken and not self._refused and not self._handlingRequest:
            self._note(BadRequest("The connection ended in the middle of a request."))
        super().connectionLost(reason)

    def _note(self, error: WmsError) -> None:
        self._refused = True
        self._logger.info("{error} for {peer}: {reason}", error=error.code, reason=error.message,
                          peer=str(getattr(self.transport.getPeer(), "host", "-")))
