"""HTTPS service of a daemon: requests are routed by the operations table, bodies become records, errors become
JSON with their code. Not the handlers, and no decision about rights beyond who is calling.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.protocols.basic import FileSender
from twisted.python.failure import Failure
from twisted.web import http

from wms.authz.gate import Passed
from wms.callers import Caller
from wms.calls import Call as Call
from wms.calls import FileReply as FileReply
from wms.calls import Handler as Handler
from wms.calls import Page as Page
from wms.calls import Reply as Reply
from wms.calls import Route as Route
from wms.calls import Router as Router
from wms.capability import PREFIX, Capability, verify
from wms.channel import Channel
from wms.errors import (
    CapabilityMisused,
    ForeignPage,
    Refused,
    SandboxTooLarge,
    TimedOut,
    Unauthenticated,
    WmsError,
    WrongMethod,
)
from wms.operations import Operation
from wms.streaming import Flow, StreamReply
from wms.tokens.challenge import challenge

MAX_JSON_BYTES = 4_000_000
IDLE_TIMEOUT_S = 90
KEY = re.compile(r"[\x21-\x7e]{8,128}")


class _Left(Exception):
    """The client left in the middle of a file."""


class _Sender(FileSender):
    """Fails with _Left when its connection ends; the stock one with a bare Exception."""

    def stopProducing(self) -> None:
        if self.deferred is not None:
            deferred, self.deferred = self.deferred, None
            deferred.errback(_Left())


class Request(http.Request):
    """One HTTP request, from its last byte to its answer."""

    router: Router
    received = 0
    content: Any
    channel: Channel
    _answer: Deferred[None] | None = None
    _gone = False
    _turned_away = False

    def __init__(self, channel: http.HTTPChannel, router: Router) -> None:
        super().__init__(channel, parsePOSTFormSubmission=False)
        self.router = router

    def gotLength(self, length: int | None) -> None:
        super().gotLength(length)
        if length is not None and length > self._most():
            self._turn_away()

    def handleContentChunk(self, data: bytes) -> None:
        self.received += len(data)
        if self._turned_away:
            return
        if self.received <= self._most():
            super().handleContentChunk(data)
        else:
            self._turn_away()

    def _most(self) -> int:
        return max(self.router.max_upload, MAX_JSON_BYTES, self.router.most_bytes)

    def _turn_away(self) -> None:
        """Answer before the end of a body that nobody wants, and hang up."""
        self._turned_away = True
        self.requestHeaders.removeHeader(b"expect")
        self.channel.turn_away(_too_large("The body", self._most()))

    def process(self) -> None:
        if self._turned_away:
            return
        self._answer = Deferred.fromCoroutine(self._serve())
        _ = self._answer.addErrback(self._lost)
        _ = self.notifyFinish().addErrback(self._leave)

    def _leave(self, _failure: Failure) -> None:
        """The client has gone: nobody needs the answer."""
        self._gone = True
        if self._answer is not None and not self._answer.called:
            self._answer.cancel()

    def _lost(self, failure: Failure) -> None:
        if failure.check(CancelledError, _Left) is None:
            self.router.log.failure("a request could not be answered", failure=failure)

    async def _serve(self) -> None:
        began = self.router.clock.seconds()
        name, user, error = "-", "-", ""
        try:
            self.setHeader(b"server", b"wms")
            route, params = self.router.find(self.method.decode("latin-1"), self.path.decode("latin-1"))
            name = route.operation.name
            token = self._bearer()
            capability = self._capability(route.operation, params, token)
            caller = await self._caller("" if capability else token)
            user = caller.identity.dn if caller.identity else (capability.job if capability else "-")
            passed = self.router.gate.check(route.operation, caller.identity, self._peer)
            call = self._call(route.operation, params, caller, capability, passed)
            reply = await route.handler(call)
            error = reply.error if isinstance(reply, Page) else ""
            await self._reply(reply)
        except WmsError as refused:
            error = refused.code
            self._refuse(refused)
        except Exception as problem:
            if self._gone or isinstance(problem, _Left):
                raise
            error = "WMS_ERROR"
            self._incident()
        self.router.served += 1
        self.router.log.info("{operation} {code} for {user}", operation=name, code=self.code, user=user,
                             error=error, peer=self._peer or "-",
                             path=self.path.decode("latin-1")[:200],
                             ms=round(1000 * (self.router.clock.seconds() - began), 1))

    @property
    def _peer(self) -> str:
        return str(getattr(self.client, "host", ""))

    def _call(self, operation: Operation, params: Mapping[str, str], caller: Caller,
              capability: Capability | None, passed: Passed) -> Call:
        identity, chain = caller.identity, caller.chain
        if operation.right not in ("anyone", "attempt", "reader") and identity is None and capability is None:
            raise Unauthenticated("This operation needs a client certificate, a proxy or a token.",
                                  hint="Make a proxy (wms proxy init) or get a token (wms login).")
        self._require_own_page()
        limit = self.router.max_upload if operation.stream == "up" else operation.most_bytes or MAX_JSON_BYTES
        if self.received > limit:
            raise _too_large(f"The body of {self.received} bytes", limit)
        query = self._query()
        return Call(operation, params, query, identity, chain, capability, self._body(operation),
                    self._key(operation), self.content, self.received,
                    self._header(b"digest"), self._header(b"accept"), self._peer,
                    self._question(), self._header(b"last-event-id"), passed.jobs, passed.drained,
                    "" if capability else self._bearer())

    def _require_own_page(self) -> None:
        """Browsers show certificates whoever's page asks them to, and say whose it is when something is to be done."""
        origin = self._header(b"origin")
        if origin and self.method not in (b"GET", b"HEAD") and origin != f"https://{self._header(b'host')}":
            raise ForeignPage("Pages of other sites may not act here.", origin=origin[:200])

    def _query(self) -> dict[str, str]:
        """The parameters of the URL; one without a value is there with an empty one."""
        try:
            return dict(parse_qsl(self._question(), keep_blank_values=True, max_num_fields=50))
        except ValueError:
            raise Refused("The URL has too many parameters.") from None

    def _question(self) -> str:
        return self.uri.decode("latin-1").partition("?")[2]

    def _body(self, operation: Operation) -> Any:
        if operation.request is None:
            return None
        try:
            return msgspec.json.decode(self.content.read() or b"{}", type=operation.request)
        except RecursionError:
            raise Refused("The request is nested too deeply.") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refused(f"The request is not a {operation.request.__name__}: {error}.") from None

    def _key(self, operation: Operation) -> str:
        key = self._header(b"idempotency-key")
        if operation.idempotency_key and KEY.fullmatch(key) is None:
            raise Refused("This operation needs an Idempotency-Key header of 8 to 128 visible characters.",
                          hint="Make one per request and repeat it when you repeat the request.")
        return key

    def _header(self, name: bytes) -> str:
        value: str | bytes | None = self.getHeader(name)
        return value.decode("latin-1") if isinstance(value, bytes) else value or ""

    async def _caller(self, token: str) -> Caller:
        """By the token if there is one, else by the certificate chain of the connection."""
        return await self.router.callers.who(self.channel.transport, token)

    def _bearer(self) -> str:
        """The token that the request bears, empty without one."""
        given = self.requestHeaders.getRawHeaders(b"authorization") or []
        if len(given) > 1:
            raise Unauthenticated("The request has more than one Authorization header.")
        scheme, _, token = (given[0] if given else b"").decode("latin-1").partition(" ")
        if scheme and (scheme.lower() != "bearer" or not token.strip()):
            raise Unauthenticated("The Authorization header must be: Bearer TOKEN.")
        return token.strip()

    def _capability(self, operation: Operation, params: Mapping[str, str], token: str) -> Capability | None:
        """What the token grants if it is an attempt's; such a one is good for calls of attempts and for logging."""
        if operation.right != "attempt" and not token.startswith(PREFIX):
            return None
        if not token:
            raise Unauthenticated("This operation needs the attempt's capability token.")
        capability = verify(self.router.secret, token, self.router.clock.seconds())
        if operation.right == "attempt":
            _require_same(capability, params)
        elif operation.right != "logger":
            raise CapabilityMisused("A capability token is for the job's own calls only.")
        return capability

    async def _reply(self, reply: Reply) -> None:
        if self._gone:
            return
        if isinstance(reply, FileReply):
            await self._send_file(reply)
        elif isinstance(reply, StreamReply):
            await self._send_stream(reply)
        elif isinstance(reply, Page):
            for name, value in reply.headers:
                self.setHeader(name.encode(), value.encode())
            self._send(reply.status, reply.body, reply.content_type)
        else:
            self._send(200, msgspec.json.encode(reply), "application/json")

    async def _send_file(self, reply: FileReply) -> None:
        with open(reply.path, "rb") as file:
            self.setHeader(b"content-type", b"application/octet-stream")
            self.setHeader(b"content-length", str(reply.size).encode())
            if reply.sha256:
                self.setHeader(b"digest", f"sha-256={reply.sha256}".encode())
            if self.method != b"HEAD":
                await _Sender().beginFileTransfer(file, self)
        self.finish()

    async def _send_stream(self, reply: StreamReply) -> None:
        """Piece by piece, for as long as the client reads; it has no length."""
        self.setHeader(b"content-type", reply.content_type.encode())
        self.setHeader(b"cache-control", b"no-store")
        self.setHeader(b"x-content-type-options", b"nosniff")
        self.write(b"")
        flow = Flow(self.router.clock)
        self.registerProducer(flow, True)
        try:
            if self.method != b"HEAD":
                async for piece in reply.pieces:
                    self.write(piece)
                    await flow.ready()
        except TimedOut:
            transport: Any = self.channel.transport
            transport.abortConnection()
            raise _Left from None
        finally:
            await reply.pieces.aclose()
            if not self._gone:
                self.unregisterProducer()
        self.finish()

    def _refuse(self, error: WmsError) -> None:
        if isinstance(error, WrongMethod):
            self.setHeader(b"allow", ", ".join(error.details["allow"]).encode())
        if told := challenge(error):
            self.setHeader(b"www-authenticate", told.encode())
        self._send(error.status, msgspec.json.encode(error.record()), "application/json")

    def _incident(self) -> None:
        incident = uuid4().hex[:12]
        self.router.log.failure("incident {incident}", incident=incident)
        self._send(500, msgspec.json.encode({
            "code": "WMS_ERROR", "message": "The service failed on this request.",
            "hint": "Tell the administrators the incident number.", "details": {"incident": incident}}),
            "application/json")

    def _send(self, status: int, body: bytes, content_type: str) -> None:
        if self._gone:
            return
        if self.startedWriting:
            self.channel.loseConnection()
            return
        self.setResponseCode(status)
        self.setHeader(b"content-type", content_type.encode())
        self.setHeader(b"content-length", str(len(body)).encode())
        self.setHeader(b"x-content-type-options", b"nosniff")
        self.write(body if self.method != b"HEAD" else b"")
        self.finish()


def _require_same(capability: Capability, params: Mapping[str, str]) -> None:
    """Raises CapabilityMisused unless the path names the job and the attempt of the token."""
    if capability.job.rsplit("/", 1)[-1] != params.get("unique"):
        raise CapabilityMisused("This token is for another job.")
    if str(capability.attempt) != params.get("attempt"):
        raise CapabilityMisused("This token is for another attempt.")


def _too_large(what: str, limit: int) -> SandboxTooLarge:
    return SandboxTooLarge(f"{what} is too large; the limit is {limit} bytes.", limit=limit)


class Factory(http.HTTPFactory):
    """Builds a channel per connection, without Nagle's delay."""

    def __init__(self, router: Router, reactor: IReactorTime) -> None:
        super().__init__(timeout=IDLE_TIMEOUT_S, reactor=reactor)
        self._router = router

    def protocol(self) -> Channel:  # type: ignore[override]
        router = self._router
        return Channel(self.reactor, router.log, lambda channel: Request(channel, router))

    def log(self, request: object) -> None:
        """Requests are logged by Request itself, as records."""


def served_paths(routes: Iterable[Route]) -> list[str]:
    """What is mounted, for tests and `wmsd config show`."""
    return [f"{route.operation.method} {route.operation.path}" for route in routes]
