"""Both sides of a TLS connection in memory, the server's by our context: no sockets.

OpenSSL judges validity by the machine's clock, so certificates here begin in the past and end far away.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol

from wms.clienttls import client_context
from wms.x509 import authority, proxy

PAST = 1_600_000_000.0
CENTURY = 36500.0
ISSUER = authority.make_authority(PAST, serial=1, days=CENTURY, kind="ec")
HOST = authority.host_certificate(ISSUER, ["localhost"], PAST, serial=2, days=CENTURY, kind="ec")
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def user(issuer: authority.Issued = ISSUER, days: float = CENTURY, *, name: str = "alice", serial: int = 3,
         kind: str = "ec", start: float = PAST) -> proxy.Proxy:
    issued = authority.user_certificate(issuer, name, start, serial=serial, days=days, kind=kind)
    return proxy.load(issued.certificate + issued.key)


def deeper(issuer: proxy.Proxy, *, limited: bool = False, kind: str = "ec",
           lifetime_s: float = CENTURY * 86400) -> proxy.Proxy:
    key = proxy.new_key(kind)
    cert = proxy.new_proxy(issuer.chain, issuer.key, key.public_key(), PAST, lifetime_s, limited, serial=4)
    return proxy.Proxy((cert, *issuer.chain), key)


def trusted(directory: Path, *authorities: authority.Issued) -> Path:
    """A CA directory."""
    directory.mkdir(exist_ok=True)
    for issued in authorities:
        for name, content in authority.trust_files(issued.certificate).items():
            (directory / name).write_bytes(content)
    return directory


class Echo(Protocol):
    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)


class Meeting:
    """A server and its clients that exchange bytes in memory."""

    def __init__(self, context: IOpenSSLServerConnectionCreator, home: Path, certs: Path) -> None:
        self.context, self.home, self.certs = context, home, certs

    def client(self, credential: proxy.Proxy | None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        path = self.home / "credential"
        if credential is not None:
            path.write_bytes(proxy.dump(credential.chain[0], credential.key, credential.chain[1:]))
        made = client_context(None if credential is None else str(path), str(self.certs))
        if version is not None:
            made.minimum_version = made.maximum_version = version
        return made

    def of(self, client: ssl.SSLContext, host: str = "localhost",
           session: ssl.SSLSession | None = None) -> tuple[TLSMemoryBIOProtocol, ssl.SSLObject]:
        """(server side, client side) after a handshake and one byte each way."""
        clock = Clock()
        factory = TLSMemoryBIOFactory(self.context, False, Factory.forProtocol(Echo), clock)
        server: Any = factory.buildProtocol(None)
        wire, received, sent = StringTransport(), ssl.MemoryBIO(), ssl.MemoryBIO()
        server.makeConnection(wire)
        side = client.wrap_bio(received, sent, server_hostname=host, session=session)
        for step in (side.do_handshake, lambda: side.write(b"x"), lambda: side.read(1)):
            while True:
                try:
                    step()
                    break
                except ssl.SSLWantReadError:
                    server.dataReceived(sent.read())
                    clock.advance(1)
                    received.write(wire.value())
                    assert wire.value(), "both sides wait"
                    wire.clear()
        return server, side
