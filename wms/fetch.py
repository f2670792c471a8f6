"""HTTP requests of a daemon to servers its configuration names: bounded in time and bytes, no redirects.

Over https the server's certificate is checked against the system's CAs and those of the grid; ours is not shown.
Not for URLs that users may choose (lb.notices.outside).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from OpenSSL import SSL
from twisted.internet._sslverify import IOpenSSLTrustRoot
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import IConsumer, IOpenSSLClientConnectionCreator
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import optionsForClientTLS
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    HTTPConnectionPool,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer, IPolicyForHTTPS, IResponse
from zope.interface import implementer

from wms.errors import Unavailable
from wms.service import Kit, within
from wms.version import VERSION

CONNECT_S = 10.0
CONNECTIONS = 4
MOST_BYTES = 8_000_000


class Answer(NamedTuple):
    status: int
    body: bytes


class Fetch:
    """`await fetch("POST", url, body, {"Content-Type": ...}, seconds)`; a part, so that its connections end."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._pool = HTTPConnectionPool(kit.clock)
        self._pool.maxPersistentPerHost = CONNECTIONS
        self._agent = Agent(kit.clock, Policy(kit.settings.tls.ca_dir), CONNECT_S, pool=self._pool)

    async def start(self) -> None:
        """Connections are made when there is something to ask."""

    async def stop(self) -> None:
        await self._pool.closeCachedConnections()

    async def __call__(self, method: str, url: str, body: bytes, headers: Mapping[str, str],
                       seconds: float) -> Answer:
        """Whatever the server answers; Unavailable or TimedOut when it does not."""
        try:
            return await within(self._kit.clock, seconds, self._exchange(method, url, body, headers))
        except PROBLEMS as error:
            raise Unavailable(reason(error)[:300]) from None

    async def _exchange(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        given = {"User-Agent": f"wms/{VERSION}", **headers}
        response = await self._agent.request(
            method.encode("ascii"), url.encode("ascii"), Headers({name: [text] for name, text in given.items()}),
            Body(body) if body else None)
        return Answer(int(response.code), await content(response))


PROBLEMS = (ConnectError, ConnectionClosed, DNSLookupError, RequestGenerationFailed, RequestTransmissionFailed,
            ResponseFailed, SSL.Error, UnicodeEncodeError, OSError)


def reason(error: BaseException) -> str:
    """In words; what went wrong below a request that failed."""
    inner = getattr(error, "reasons", ())
    texts = [reason(failure.value) for failure in inner if isinstance(failure, Failure) and failure.value]
    return "; ".join(texts) or str(error) or type(error).__name__


@implementer(IBodyProducer)
class Body:
    """A body that is in memory."""

    def __init__(self, body: bytes) -> None:
        self.length = len(body)
        self._body = body

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None: ...

    def resumeProducing(self) -> None: ...

    def stopProducing(self) -> None: ...


def content(response: IResponse, most: int = MOST_BYTES) -> Deferred[bytes]:
    """The body; fails with Unavailable when it is longer than `most` or breaks off. Cancelled, it is given up."""
    reader = _Reading(most)
    response.deliverBody(reader)
    return reader.over


class _Reading(Protocol):
    def __init__(self, most: int) -> None:
        self.over: Deferred[bytes] = Deferred(lambda _: self._abort())
        self._left = most
        self._parts: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            self._end(Failure(Unavailable("the answer is too long")))
            self._abort()
        else:
            self._parts.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        whole = reason.check(ResponseDone, PotentialDataLoss)
        self._end(b"".join(self._parts) if whole else Failure(Unavailable("the answer breaks off")))

    def _end(self, outcome: bytes | Failure) -> None:
        if not self.over.called:
            self.over.callback(outcome)

    def _abort(self) -> None:
        if (abort := getattr(self.transport, "abortConnection", None)) is not None:
            abort()


@implementer(IPolicyForHTTPS)
class Policy:
    """Whom to believe."""

    def __init__(self, ca_dir: str) -> None:
        self._trust = Trust(ca_dir)

    def creatorForNetloc(self, hostname: bytes, port: int) -> IOpenSSLClientConnectionCreator:
        creator: IOpenSSLClientConnectionCreator = optionsForClientTLS(hostname.decode("ascii"), trustRoot=self._trust)
        return creator


@implementer(IOpenSSLTrustRoot)
class Trust:
    """The CAs of the system and those of the grid."""

    def __init__(self, ca_dir: str) -> None:
        self._ca_dir = ca_dir

    def _addCACertsToContext(self, context: SSL.Context) -> None:
        context.set_default_verify_paths()
        context.load_verify_locations(None, self._ca_dir)
