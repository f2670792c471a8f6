"""Notices as signed posts to web servers, one at a time for each registration.

No redirects, short times, answers are not looked at. Where a post may go is in lb.notices.destinations and
lb.notices.outside.
"""

from __future__ import annotations

from collections.abc import Sequence

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from lb.notices.delivery import Carried
from lb.notices.destinations import hook
from lb.notices.notifications import WEBHOOK, Notice, Registration, name_of
from lb.notices.outside import Outside
from lb.notices.signatures import HEADER, signature
from wms.errors import Refused, TimedOut, Unavailable
from wms.fetch import Body
from wms.service import Kit, within
from wms.version import VERSION

ATTEMPT_S = 10.0
CONNECTIONS = 4
LONGEST_ANSWER = 65_536
_PROBLEMS = (ConnectError, ConnectionClosed, ResponseFailed, SSL.Error)


class WebhookCarrier:
    """The carrier."""

    name = "web hooks"
    scheme = WEBHOOK
    longest_pause_s = 300.0

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._pool = HTTPConnectionPool(kit.clock, persistent=True)
        self._pool.maxPersistentPerHost = CONNECTIONS
        self._pool.retryAutomatically = False
        self._agent = Agent.usingEndpointFactory(kit.clock, Outside(kit), self._pool)

    async def carry(self, registration: Registration, notices: Sequence[Notice]) -> Carried:
        """One after the other; the first that does not arrive ends it."""
        for number, notice in enumerate(notices):
            try:
                hook(registration.destination, self._kit.settings.lb.webhook_hosts)
                code = await within(self._kit.clock, ATTEMPT_S, self._post(registration, notice))
            except (Refused, Unavailable, TimedOut) as error:
                return Carried(number, error.message)
            except _PROBLEMS as error:
                return Carried(number, f"{type(error).__name__}: {error}"[:300])
            if not 200 <= code < 300:
                return Carried(number, f"the answer is {code}")
        return Carried(len(notices))

    async def stop(self) -> None:
        await self._pool.closeCachedConnections()

    async def _post(self, registration: Registration, notice: Notice) -> int:
        """The status of the answer."""
        headers = Headers({
            "Content-Type": ["application/json"], "User-Agent": [f"wms/{VERSION}"],
            "LB-Notification": [name_of(registration.id, self._kit.lb_address)], "LB-Notice": [str(notice.id)],
            HEADER: [signature(registration.secret, self._kit.now(), notice.body)]})
        answer = await self._agent.request(b"POST", registration.destination.encode(), headers, Body(notice.body))
        await discarded(answer)
        return int(answer.code)


def discarded(answer: IResponse) -> Deferred[None]:
    """Fires when the answer is over, or was longer than anybody should send; cancelled, it is given up."""
    reader = _Discarding()
    answer.deliverBody(reader)
    return reader.over


class _Discarding(Protocol):
    """Reads and forgets."""

    def __init__(self) -> None:
        self.over: Deferred[None] = Deferred(lambda _: self._abort())
        self._left = LONGEST_ANSWER

    def dataReceived(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            self._abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.over.called:
            self.over.callback(None)

    def _abort(self) -> None:
        if (abort := getattr(self.transport, "abortConnection", None)) is not None:
            abort()
