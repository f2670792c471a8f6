"""Asks a VOMS server for an attribute certificate, blocking: for commands, and for threads of daemons.

On the standard library alone. What is said is `wms.voms.protocol`, which servers there are `wms.voms.vomses`.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Sequence

from wms.errors import TimedOut, Unavailable, UntrustedCredential
from wms.identity import same_dn
from wms.voms.protocol import answered, command_request, http_request
from wms.voms.vomses import VomsServer
from wms.x509.reading import from_der
from wms.x509.rfc3820 import subject_dn

_LARGEST = 1 << 18
_PIECE = 1 << 14


def ask(server: VomsServer, context: ssl.SSLContext, wanted: Sequence[str] = (), lifetime_s: float = 43200,
        timeout_s: float = 30) -> bytes:
    """An attribute certificate (DER) for the credential of the context (`wms.clienttls.client_context`).

    `wanted` are FQANs in the order in which they shall stand in it; none asks for the VO's own group. The HTTP
    interface is tried first; servers that hang up on it (as Debian's build does) are asked by commands. Raises
    AttributesRefused with the server's words, Unavailable, TimedOut, UntrustedCredential (another than vomses names).
    """
    end = time.monotonic() + timeout_s
    try:
        found = _exchange(server, context, [http_request(server, wanted, lifetime_s)], end)
        if found:
            return answered(server, _body(server, found))
        return answered(server, _exchange(server, context, [b"0", command_request(server, wanted, lifetime_s)], end))
    except TimeoutError as error:
        raise TimedOut(f"the VOMS server {server.host}:{server.port} did not answer within {timeout_s:g} s") from error
    except OSError as error:
        reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        raise Unavailable(f"the VOMS server {server.host}:{server.port} cannot be asked: {reason or error}") from error


def _exchange(server: VomsServer, context: ssl.SSLContext, parts: Sequence[bytes], end: float) -> bytes:
    """What the server says until it hangs up; each part goes in a TLS record of its own."""
    with (socket.create_connection((server.host, server.port), _left(end)) as plain,
          context.wrap_socket(plain, server_hostname=server.host) as channel):
        _require_name(server, channel)
        for part in parts:
            channel.sendall(part)
        return _received(channel, end)


def _require_name(server: VomsServer, channel: ssl.SSLSocket) -> None:
    shown = from_der(channel.getpeercert(binary_form=True) or b"")
    found = subject_dn(shown.subject)
    if server.dn and not same_dn(found, server.dn):
        raise UntrustedCredential(f"the VOMS server {server.host}:{server.port} is {found}, not {server.dn}", dn=found)


def _received(channel: ssl.SSLSocket, end: float) -> bytes:
    found = bytearray()
    while len(found) <= _LARGEST:
        channel.settimeout(_left(end))
        try:
            piece = channel.recv(_PIECE)
        except ConnectionResetError:
            piece = b""
        if not piece:
            return bytes(found)
        found += piece
    raise Unavailable(f"the answer of a VOMS server is longer than {_LARGEST} bytes")


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("no time is left")
    return left


class _Answer:
    """Bytes that were received, in the form in which `http.client` reads them."""

    def __init__(self, received: bytes) -> None:
        self._received = received

    def makefile(self, *_args: object, **_options: object) -> io.BytesIO:
        return io.BytesIO(self._received)


def _body(server: VomsServer, received: bytes) -> bytes:
    response = http.client.HTTPResponse(_Answer(received))  # type: ignore[arg-type]
    try:
        response.begin()
        return response.read()
    except (http.client.HTTPException, ValueError) as error:
        raise Unavailable(f"the VOMS server {server.host}:{server.port} does not speak HTTP: {error!r}") from error
