"""A connection to a STOMP 1.2 broker that publishes and waits for receipts. Frames are in lb.notices.stomp."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from lb.notices.stomp import BEAT, Frame, beats, decode, encode
from wms.errors import Unavailable

BEAT_MS = 10_000
PATIENCE = 2.5
"""A broker that misses this many of its beats is gone."""


class StompConnection(Protocol):
    """`ready` fires when the broker has let us in. Times are those of `clock`."""

    def __init__(self, clock: IReactorTime, host: str, user: str, password: str) -> None:
        self._clock = clock
        self._greeting = {"accept-version": "1.2", "host": host, "heart-beat": f"{BEAT_MS},{BEAT_MS}"}
        if user:
            self._greeting |= {"login": user, "passcode": password}
        self.ready: Deferred[None] = Deferred()
        self.open = False
        self._rest = b""
        self._sent = 0
        self._receipts: dict[str, Deferred[None]] = {}
        self._beating: LoopingCall | None = None
        self._deaf: IDelayedCall | None = None
        self._patience_s = 0.0

    # -- what is asked of it -----------------------------------------------------------------------------

    def publish(self, topic: str, body: bytes, headers: Mapping[str, str]) -> Deferred[None]:
        """Fires when the broker has the message."""
        done: Deferred[None] = Deferred()
        self._sent += 1
        receipt = str(self._sent)
        self._receipts[receipt] = done
        self._send(Frame("SEND", {"destination": f"/topic/{topic}", "receipt": receipt, "persistent": "true",
                                  **headers}, body))
        return done

    def close(self) -> None:
        """Hang up; messages without a receipt fail."""
        if self.open:
            self._send(Frame("DISCONNECT"))
        if self.transport is not None:
            self.transport.loseConnection()

    # -- what happens to it ------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        self._send(Frame("CONNECT", self._greeting))

    def dataReceived(self, data: bytes) -> None:
        if self._deaf is not None:
            self._deaf.reset(self._patience_s)
        try:
            frames, self._rest = decode(self._rest + data)
        except Unavailable as error:
            self._fail(error)
            return
        for frame in frames:
            self._heard(frame)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.open = False
        if self._beating is not None and self._beating.running:
            self._beating.stop()
        if self._deaf is not None and self._deaf.active():
            self._deaf.cancel()
        self._give_up(Unavailable(f"The connection to the broker ended: {reason.getErrorMessage()}"))

    def _heard(self, frame: Frame) -> None:
        if frame.command == "CONNECTED" and not self.ready.called:
            self.open = True
            self._beat(frame.headers.get("heart-beat", ""))
            self.ready.callback(None)
        elif frame.command == "RECEIPT":
            if (done := self._receipts.pop(frame.headers.get("receipt-id", ""), None)) is not None:
                done.callback(None)
        elif frame.command == "ERROR":
            why = f"{frame.headers.get('message', '')} {frame.body[:200].decode(errors='replace')}".strip()
            error = Unavailable(f"The broker refuses: {why}")
            if (done := self._receipts.pop(frame.headers.get("receipt-id", ""), None)) is not None:
                done.errback(error)
            self._fail(error)

    def _beat(self, theirs: str) -> None:
        send_s, hear_s = beats((BEAT_MS, BEAT_MS), theirs)
        if send_s:
            self._beating = LoopingCall(self._write, BEAT)
            self._beating.clock = self._clock
            _ = self._beating.start(send_s, now=False)
        if hear_s:
            self._patience_s = hear_s * PATIENCE
            self._deaf = self._clock.callLater(
                self._patience_s, self._fail, Unavailable("The broker does not answer."))

    def _fail(self, error: Unavailable) -> None:
        self.open = False
        self._give_up(error)
        if self.transport is not None:
            self.transport.loseConnection()

    def _give_up(self, error: Unavailable) -> None:
        waiting, self._receipts = list(self._receipts.values()), {}
        for done in [*waiting, *([] if self.ready.called else [self.ready])]:
            done.errback(error)

    def _send(self, frame: Frame) -> None:
        self._write(encode(frame))

    def _write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)
