"""One kept-alive HTTPS connection to a service: operations of the table, time limits, bounded repetition.

What the operations mean is in `clients.api`; files on their way are in `clients.files`.
"""

from __future__ import annotations

import http.client
import os
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import urlencode

import msgspec

from clients.credential import TOKEN, Credential
from wms.clienttls import client_context, public_context
from wms.errors import (
    BadToken,
    NoBookkeeping,
    NoServer,
    Overloaded,
    RemoteError,
    TimedOut,
    Unavailable,
    UntrustedCredential,
    WmsError,
)
from wms.operations import Operation

CONNECT_S = 10.0
ATTEMPTS = 3
WAITS_S = (0.3, 1.0)
BLOCK = 1 << 18
LONGEST_LINE = 1 << 24
SILENCE_S = 45.0
"""A stream that says nothing for so long, not even that it lives, is lost: three of LB's beats."""
_REPEATABLE_POSTS = frozenset({"ns.list_match", "ns.reasons", "ns.request_delegation", "lb.statuses", "lb.log",
                               "lb.query_jobs", "lb.query_events"})
_BUSY = frozenset({502, 503})
_ABOUT_US = ("ALERT_UNKNOWN_CA", "ALERT_CERTIFICATE", "ALERT_BAD_CERTIFICATE", "CERTIFICATE_REQUIRED",
             "ALERT_UNSUPPORTED_CERTIFICATE", "ALERT_ACCESS_DENIED", "ALERT_DECRYPT_ERROR")
_ABSENT: Mapping[str, tuple[type[Unavailable], str]] = {
    "ns": (NoServer, "Unable to contact any Network Server"),
    "lb": (NoBookkeeping, "Unable to contact the LB server"),
}
_CODES = {413: "NS_SANDBOX_TOO_LARGE", 502: "NS_NOT_AVAILABLE", 503: "NS_SERVER_BUSY", 504: "NS_TIMEOUT"}

Sink = Callable[[http.client.HTTPResponse], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What goes out. `wait_s`: the service may take that much longer; `sink` takes the body of the reply."""

    operation: Operation
    url: str
    headers: Mapping[str, str]
    body: bytes | IO[bytes] | None = None
    wait_s: float = 0.0
    sink: Sink | None = None

    @property
    def repeatable(self) -> bool:
        operation = self.operation
        return (operation.method in ("GET", "PUT") or operation.name in _REPEATABLE_POSTS
                or "Idempotency-Key" in self.headers)


class _Dropped(Exception):
    """The connection was lost after something was sent; the service may or may not have acted."""


@dataclass(slots=True)
class Connection:
    """A service at host:port. `trace` is told every call; `request_s` limits the wait for each answer."""

    host: str
    port: int
    credential: Credential
    request_s: float = 90.0
    trace: Callable[[str], None] = field(default=lambda _line: None)
    _http: http.client.HTTPSConnection | None = None
    _used: bool = False

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def connect_s(self) -> float:
        """The longest wait for a connection."""
        return min(CONNECT_S, self.request_s)

    def call(self, operation: Operation, body: Any = None, *, key: str = "",
             query: Mapping[str, str] | None = None, wait_s: float = 0.0, **params: object) -> Any:
        """Call an operation with a record; its reply record."""
        headers = self._allowed({"Idempotency-Key": key} if key else {})
        if body is not None:
            headers["Content-Type"] = "application/json"
        content = None if body is None else msgspec.json.encode(body)
        url = operation.url(**params) + (f"?{urlencode(query)}" if query else "")
        return self._record(operation, self._exchange(Request(operation, url, headers, content, wait_s)))

    def upload(self, operation: Operation, file: IO[bytes], size: int, sha256: str, *,
               query: Mapping[str, str] | None = None, wait_s: float = 0.0, **params: object) -> Any:
        """Stream a file of `size` bytes, which the service compares with `sha256` (hex); its reply record."""
        headers = self._allowed({"Content-Type": "application/octet-stream", "Content-Length": str(size),
                                 "Digest": f"sha-256={sha256}"})
        url = operation.url(**params) + (f"?{urlencode(query)}" if query else "")
        return self._record(operation, self._exchange(Request(operation, url, headers, file, wait_s)))

    def download(self, operation: Operation, sink: Sink, **params: object) -> None:
        """Hand a reply to `sink`, which reads it; after a lost connection `sink` is called again."""
        self._exchange(Request(operation, operation.url(**params), self._allowed({}), sink=sink))

    def lines(self, operation: Operation, wait_s: float, *, query: Mapping[str, str] | None = None,
              **params: object) -> Iterator[bytes]:
        """The lines of a reply that grows, as they come, for `wait_s` seconds; TimeoutError when there are none."""
        url = operation.url(**params) + (f"?{urlencode(query)}" if query else "")
        request, ends = Request(operation, url, self._allowed({})), time.monotonic() + wait_s
        connection = self._connected(request)
        sock = connection.sock
        sock.settimeout(max(1.0, min(wait_s, self.request_s)))
        response = _converse(connection, request)
        if response.status >= 400:
            _check(response.status, response.read())
        while (left := ends - time.monotonic()) > 0:
            sock.settimeout(min(left, max(self.request_s, SILENCE_S)))
            if not (line := response.readline(LONGEST_LINE)):
                break
            yield line
        self.close()

    def _context(self) -> ssl.SSLContext:
        """With the certificate. A token is shown alone, so that there is one answer to who calls; who has one may have
        no directory of grid authorities, and trusts those of this system then.
        """
        ca_dir = self.credential.ca_dir
        if self.credential.kind != TOKEN:
            return client_context(self.credential.path, ca_dir)
        return client_context(None, ca_dir) if os.path.isdir(ca_dir) else public_context(ca_dir)

    def _allowed(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The token goes to this host only, whose name TLS has verified; redirections are not followed."""
        bearer = {"Authorization": f"Bearer {self.credential.token}"} if self.credential.kind == TOKEN else {}
        return {**headers, **bearer}

    def close(self) -> None:
        if self._http is not None:
            self._http.close()
        self._http, self._used = None, False

    def _record(self, operation: Operation, body: bytes) -> Any:
        try:
            return msgspec.json.decode(body, type=operation.reply)
        except msgspec.DecodeError as error:
            message = f"{self.place} gave an answer that cannot be read: {error}"
            raise RemoteError({"code": "API_NATIVE_ERROR", "message": message}, 502) from None

    # -- one exchange, and its repetition ------------------------------------------------------------------

    def _exchange(self, request: Request) -> bytes:
        give_up = time.monotonic() + 2 * (self.request_s + request.wait_s)
        lost: _Dropped | None = None
        for attempt in range(ATTEMPTS):
            last = not request.repeatable or attempt + 1 == ATTEMPTS or time.monotonic() >= give_up
            stale = self._used
            try:
                return self._once(request)
            except _Dropped as dropped:
                self.close()
                lost = dropped
                if last:
                    raise self._no_answer(request, lost) from None
            except Unavailable as absent:
                if lost is not None and last:
                    raise self._no_answer(request, lost) from None
                if last or (lost is None and not isinstance(absent, Overloaded)):
                    raise
            self._pause(request, 0.0 if stale else WAITS_S[attempt])
        raise AssertionError("the last attempt returns or raises")

    def _pause(self, request: Request, seconds: float) -> None:
        self.trace(f"{request.operation.name}: again in {seconds} s")
        time.sleep(seconds)

    def _once(self, request: Request) -> bytes:
        connection = self._connected(request)
        connection.sock.settimeout(self.request_s + request.wait_s)
        began = time.monotonic()
        try:
            response = _converse(connection, request)
            body = _receive(response, request.sink)
        except TimeoutError:
            raise _Dropped(f"no answer within {self.request_s + request.wait_s:.0f} s") from None
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            raise _Dropped("the connection was closed") from None
        except ssl.SSLError as error:
            self.close()
            raise self._absent(request, error) from None
        except (OSError, http.client.HTTPException) as error:
            raise _Dropped(str(error) or type(error).__name__) from None
        took_ms = 1000 * (time.monotonic() - began)
        self.trace(f"{request.operation.method} {self.place}{request.url} {response.status} {took_ms:.0f} ms")
        if response.will_close:
            self.close()
        _check(response.status, body)
        return body

    def _connected(self, request: Request) -> http.client.HTTPSConnection:
        if self._http is None:
            context = self._context()
            self._http = http.client.HTTPSConnection(
                self.host.strip("[]"), self.port, timeout=self.connect_s, context=context, blocksize=BLOCK)
            try:
                self._http.connect()
            except OSError as error:
                self.close()
                raise self._absent(request, error) from None
            self.trace(f"connected to {self.place}")
        self._used = True
        return self._http

    # -- what went wrong -----------------------------------------------------------------------------------

    def _absent(self, request: Request, error: OSError) -> WmsError:
        """The error for a service with which no conversation is possible."""
        if isinstance(error, ssl.SSLError) and any(alert in str(error.reason) for alert in _ABOUT_US):
            return self._unwanted(error)
        kind, sentence = _ABSENT[request.operation.daemon]
        words = f"no connection within {self.connect_s:g} s" if isinstance(error, TimeoutError) else _words(error)
        return kind(f"{sentence}\n{self.place}: {words}",
                    hint=_server_hint(error, self.credential.ca_dir), server=self.place)

    def _unwanted(self, error: ssl.SSLError) -> WmsError:
        if self.credential.kind == TOKEN:
            return BadToken(f"{self.place} wants a certificate and not a token: {_words(error)}.",
                            hint="Use a proxy there: wms proxy init.", server=self.place)
        return UntrustedCredential(
            f"{self.place} does not accept the credential in {self.credential.path}: {_words(error)}.",
            hint="Is it an RFC 3820 proxy of a certificate whose CA is trusted there?", server=self.place)

    def _no_answer(self, request: Request, dropped: _Dropped) -> TimedOut:
        return TimedOut(f"{self.place} did not answer {request.operation.name}: {dropped}",
                        hint="It is not known whether the request took effect.", server=self.place)


def _converse(connection: http.client.HTTPSConnection, request: Request) -> http.client.HTTPResponse:
    """Send and wait for the head of the answer. A service that refuses early stops reading, so after a broken
    pipe its last words, an answer or a TLS alert, are still looked for.
    """
    if request.body is not None and not isinstance(request.body, bytes):
        request.body.seek(0)
    try:
        connection.request(request.operation.method, request.url, body=request.body,
                           headers=dict(request.headers))
    except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
        response = http.client.HTTPResponse(connection.sock, method=request.operation.method)
        response.begin()
        response.will_close = True
        return response
    return connection.getresponse()


def _receive(response: http.client.HTTPResponse, sink: Sink | None) -> bytes:
    if sink is None or response.status >= 400:
        return response.read()
    sink(response)
    return b""


def _check(status: int, body: bytes) -> None:
    """Raise the error that an answer reports."""
    if status < 400:
        return
    try:
        record = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        reason = http.client.responses.get(status, "no reason given")
        record = {"code": _CODES.get(status, "WMS_ERROR"),
                  "message": f"The service answered {status} {reason}."}
    if status in _BUSY:
        raise Overloaded(str(record.get("message", "The service is busy.")), hint=str(record.get("hint", "")),
                         **dict(record.get("details") or {}))
    raise RemoteError(record, status)


def _words(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return str(error.reason or error).replace("_", " ").lower()
    return str(error.strerror or error).lower()


def _server_hint(error: OSError, ca_dir: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The CA certificates in {ca_dir} are used; X509_CERT_DIR names another directory."
    return "Is the service running, and is this its address?"
