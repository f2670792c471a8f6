"""Requests to an A-REX under one credential each: TLS, connections that stay open, limits of time and size.

What the answers mean is `answers`. A request that may have been heard and must not be repeated is not repeated here.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec
from OpenSSL import SSL
from twisted.internet._sslverify import IOpenSSLTrustRoot
from twisted.internet.defer import Deferred, DeferredList, DeferredSemaphore
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import optionsForClientTLS
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from wms.ce.arc.settings import ArcSettings
from wms.ce.arc.wallet import Credential
from wms.errors import BadCredential, NotAuthorized, NotFound, Unavailable
from wms.fetch import PROBLEMS, Body, content, reason
from wms.service import background, within
from wms.version import VERSION
from wms.x509.proxy import load

log = Logger(namespace="wms.ce.arc")

__all__ = ["Answer", "Doors", "Rest", "together"]

T = TypeVar("T")
IDLE_S = 20
"""Connections that were not used for so long are closed: A-REX closes them too, and not politely."""
MOST_BYTES = 32_000_000
_NOT_ADMITTED = frozenset({401, 403})
_CERTIFICATE = re.compile(r"alert (?:\w+ )?(?:bad certificate|certificate|unknown ca|access denied)", re.IGNORECASE)
_TOTAL = re.compile(r"bytes \d+-\d+/(\d+)")
_SINGLE = ("/jobs/", "/delegations/")
JSON = "application/json"


class Answer(NamedTuple):
    """`total` is the size of the file that a part was asked of, if that was told."""

    status: int
    body: bytes
    location: str
    total: int


class Rest:
    """One A-REX as one credential sees it. Paths are below the root of the interface."""

    def __init__(self, settings: ArcSettings, reactor: Any, credential: Credential) -> None:
        self._settings = settings
        self._clock = reactor
        self._root = settings.url.rstrip("/") + "/rest/1.0"
        self._pool = HTTPConnectionPool(reactor)
        self._pool.maxPersistentPerHost = settings.connections
        self._pool.cachedConnectionTimeout = IDLE_S
        self._agent = Agent(reactor, _Policy(settings.ca_dir, credential.proxy), settings.connect_s, pool=self._pool)
        self._turns = DeferredSemaphore(settings.connections)
        self._headers = {"User-Agent": f"wms/{VERSION}", "Accept": JSON}
        if credential.bearer and not credential.proxy:
            self._headers["Authorization"] = f"Bearer {credential.bearer}"

    async def close(self) -> None:
        await self._pool.closeCachedConnections()

    async def get(self, path: str, part: str = "") -> Answer:
        """`part`: a range of bytes, as "0-65535"."""
        return await self._ask("GET", path, b"", {"Range": f"bytes={part}"} if part else {})

    async def put(self, path: str, body: bytes, kind: str = "application/octet-stream") -> Answer:
        return await self._ask("PUT", path, body, {"Content-Type": kind}, self._settings.upload_s)

    async def post(self, path: str, body: bytes = b"", kind: str = JSON) -> Answer:
        return await self._ask("POST", path, body, {"Content-Type": kind} if body else {})

    async def jobs(self, action: str, ids: Sequence[str]) -> list[bytes]:
        """Ask or tell about many jobs, a portion at a time; this may be repeated."""
        return [(await self._about(action, portion)).body for portion in portions(ids, self._settings.bulk)]

    async def _about(self, action: str, ids: Sequence[str]) -> Answer:
        body = msgspec.json.encode({"job": [{"id": id} for id in ids]})
        try:
            return await self.post(f"/jobs?action={action}", body)
        except Unavailable:  # maybe only the connection was stale
            return await self.post(f"/jobs?action={action}", body)

    async def _ask(self, method: str, path: str, body: bytes, more: dict[str, str], seconds: float = 0) -> Answer:
        """What the CE says, if it heard and understood: NotFound, NotAuthorized, BadCredential, Unavailable."""
        await self._turns.acquire()
        try:
            answer = await within(self._clock, seconds or self._settings.answer_s,
                                  self._exchange(method, path, body, more))
        except PROBLEMS as error:
            raise _problem(reason(error)[:300]) from None
        finally:
            self._turns.release()
        return _understood(answer, path.startswith(_SINGLE))

    async def _exchange(self, method: str, path: str, body: bytes, more: dict[str, str]) -> Answer:
        headers = Headers({name: [text] for name, text in {**self._headers, **more}.items()})
        response = await self._agent.request(method.encode(), (self._root + path).encode(), headers,
                                             Body(body) if body else None)
        got = await content(response, MOST_BYTES)
        total = _TOTAL.match(_header(response, "Content-Range"))
        return Answer(int(response.code), got, _header(response, "Location"), int(total[1]) if total else len(got))


def _header(response: Any, name: str) -> str:
    values: Sequence[str] = response.headers.getRawHeaders(name, [])
    return str(values[0]) if values else ""


def _problem(text: str) -> Unavailable | BadCredential:
    if _CERTIFICATE.search(text):
        return BadCredential(f"the CE does not accept the credential: {text}")
    return Unavailable(text)


def _understood(answer: Answer, single: bool) -> Answer:
    """`single`: it was about one job or delegation, which may not be there; anything else is always there."""
    if answer.status in _NOT_ADMITTED:
        raise NotAuthorized(f"the CE answers {answer.status}: not authorized")
    if answer.status == 404 and single:
        raise NotFound("the CE knows no such thing")
    if answer.status >= 400 and answer.status != 416:
        raise Unavailable(f"the CE answers {answer.status}")
    return answer


def portions(things: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    return (things[first : first + size] for first in range(0, len(things), size))


async def together(works: Iterable[Awaitable[T]]) -> list[T]:
    """All of them at a time, to the end; then their results in order, or the first failure."""
    async def one(work: Awaitable[T]) -> T:
        return await work

    outcomes = await DeferredList([Deferred.fromCoroutine(one(work)) for work in works], consumeErrors=True)
    for fine, outcome in outcomes:
        if not fine and isinstance(outcome, Failure):
            outcome.raiseException()
    return [outcome for _, outcome in outcomes]


class Doors:
    """The clients of the credentials that were used last; the others are closed."""

    def __init__(self, settings: ArcSettings, make: Callable[[Credential], Rest]) -> None:
        self._most = settings.credentials
        self._make = make
        self._open: OrderedDict[str, tuple[Credential, Rest]] = OrderedDict()

    def of(self, credential: Credential) -> Rest:
        """Raises BadCredential for one that cannot be used."""
        known = self._open.pop(credential.key, None)
        if known is not None and known[0] != credential:
            self._shut(known[1])
            known = None
        self._open[credential.key] = known or (credential, self._make(credential))
        while len(self._open) > self._most:
            self._shut(self._open.popitem(last=False)[1][1])
        return self._open[credential.key][1]

    @staticmethod
    def _shut(rest: Rest) -> None:
        """Requests in progress go on; their connections close when they are idle."""
        _ = background(rest.close(), log)

    async def close(self) -> None:
        while self._open:
            await self._open.popitem()[1][1].close()


@implementer(IPolicyForHTTPS)
class _Policy:
    """Whom to believe, and what to show."""

    def __init__(self, ca_dir: str, credential: bytes) -> None:
        self._trust = _Trust(ca_dir)
        self._shown: dict[str, Any] = {}
        if credential:
            proxy = load(credential)
            self._shown = {"privateKey": proxy.key, "certificate": proxy.chain[0], "extraCertChain": proxy.chain[1:]}

    def creatorForNetloc(self, hostname: bytes, port: int) -> IOpenSSLClientConnectionCreator:
        creator: IOpenSSLClientConnectionCreator = optionsForClientTLS(
            hostname.decode("ascii"), trustRoot=self._trust, extraCertificateOptions=self._shown)
        return creator


@implementer(IOpenSSLTrustRoot)
class _Trust:
    """The CAs of the grid alone."""

    def __init__(self, ca_dir: str) -> None:
        self._ca_dir = ca_dir

    def _addCACertsToContext(self, context: SSL.Context) -> None:
        context.load_verify_locations(None, self._ca_dir)
