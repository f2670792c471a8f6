"""Sends a batch of events to the LB of a host over HTTPS, with the host's certificate; connections are kept.

Everything has a timeout, and whatever goes wrong is an error of ours. Not when or what to send.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    HTTPConnectionPool,
    PartialDownloadError,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
    readBody,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from interlogger.tls import ToHost
from wms.errors import NoBookkeeping, SandboxTooLarge
from wms.fetch import Body
from wms.operations import OPERATIONS
from wms.operations.logging import Logged
from wms.service import Kit, within

CONNECT_S = 30.0
REQUEST_S = 120.0
IDLE_S = 60
MAX_ANSWER = 8_000_000
MAX_HOSTS = 100
OPERATION = "lb.log"
_HEADERS = {"content-type": ["text/plain; charset=utf-8"], "user-agent": ["wms-interlogger"]}
_decode = msgspec.json.Decoder(Logged).decode


@implementer(IPolicyForHTTPS)
class _Policy:
    """The host's certificate for every server; read again when its files have changed."""

    def __init__(self, certificate: str, key: str, ca_dir: str) -> None:
        self._files = (certificate, key, ca_dir)
        self._read: tuple[int, int] = (0, 0)
        self._hosts: dict[str, ToHost] = {}

    def creatorForNetloc(self, hostname: bytes, port: int) -> ToHost:
        certificate, key, _ca_dir = self._files
        now, host = (os.stat(certificate).st_mtime_ns, os.stat(key).st_mtime_ns), hostname.decode("ascii")
        if now != self._read or len(self._hosts) > MAX_HOSTS:
            self._hosts, self._read = {}, now
        if host not in self._hosts:
            self._hosts[host] = ToHost(*self._files, host)
        return self._hosts[host]


class Post:
    """`await post("host:port", lines)`; a part, so that its connections end with the daemon."""

    def __init__(self, kit: Kit) -> None:
        tls = kit.settings.tls
        self._kit = kit
        self._pool = HTTPConnectionPool(kit.clock)
        self._pool.maxPersistentPerHost = max(1, kit.settings.interlogger.parallel)
        self._pool.cachedConnectionTimeout = IDLE_S
        self._agent = Agent(kit.clock, _Policy(tls.certificate, tls.key, tls.ca_dir), CONNECT_S, pool=self._pool)

    async def start(self) -> None:
        """Connections are made when there is something to send."""

    async def stop(self) -> None:
        await self._pool.closeCachedConnections()

    async def __call__(self, server: str, lines: bytes) -> Logged:
        """The server's answer; NoBookkeeping when it has none to give now, SandboxTooLarge when that is too much."""
        try:
            status, body = await within(self._kit.clock, REQUEST_S, self._exchange(server, lines))
        except _TROUBLE as error:
            raise NoBookkeeping(f"{server}: {_reason(error)}", server=server) from None
        if status == 413:
            raise SandboxTooLarge(f"{server}: the request of {len(lines)} bytes is too large", size=len(lines))
        if status != 200:
            raise NoBookkeeping(f"{server} answers {status}: {_said(body)}", server=server, status=status)
        try:
            return _decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NoBookkeeping(f"{server}: not an answer: {error}", server=server) from None

    async def _exchange(self, server: str, lines: bytes) -> tuple[int, bytes]:
        row = OPERATIONS[OPERATION]
        url = f"https://{server}{row.url()}".encode("ascii")
        sending: Deferred[Any] = self._agent.request(
            row.method.encode(), url, Headers(_HEADERS), Body(lines))
        response = await sending
        if isinstance(response.length, int) and response.length > MAX_ANSWER:
            response.abort()
            return 500, b"an answer that is too long"
        return int(response.code), bytes(await readBody(response))


_TROUBLE = (ConnectError, ConnectionClosed, DNSLookupError, PartialDownloadError, RequestGenerationFailed,
            RequestTransmissionFailed, ResponseFailed, SSL.Error, UnicodeEncodeError, OSError)


def _reason(error: BaseException) -> str:
    """In words; what went wrong below a request that failed."""
    inner = error.reasons if isinstance(error, ResponseNeverReceived | ResponseFailed) else []
    texts = [_reason(failure.value) for failure in inner if isinstance(failure, Failure) and failure.value]
    return "; ".join(texts) or str(error) or type(error).__name__


def _said(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["message"])
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        return body[:200].decode(errors="replace")
