"""TLS handshakes a second of the server's processor time, in memory, with the client's side not counted.

The baseline is a bare pyOpenSSL context under the same Twisted protocol that asks for no certificate; both take turns.
The CA directory has a signing policy and a revocation list of REVOKED certificates.
"""

from __future__ import annotations

import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from bench.rows import Row, row
from wms.clienttls import client_context
from wms.config import Settings, Tls
from wms.trust import Trust
from wms.x509 import authority, proxy

KINDS = {"RSA 2048": "rsa:2048", "EC P-256": "ec"}
DEPTHS = {"proxy": 1, "3 proxies": 3}
REVOKED = 10_000
LIFE_S = 36_000.0


@implementer(IOpenSSLServerConnectionCreator)
class Bare:
    """Asks for no certificate, knows no session."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.context = SSL.Context(SSL.TLS_SERVER_METHOD)
        self.context.use_certificate_chain_file(str(certificate))
        self.context.use_privatekey_file(str(key))
        self.context.set_options(SSL.OP_NO_TICKET)
        self.context.set_session_cache_mode(SSL.SESS_CACHE_OFF)

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        return SSL.Connection(self.context, None)


class Meeting:
    """One connection: `server`, the client's `side`, and the `spent` seconds of processor time of the server."""

    def __init__(self, context: IOpenSSLServerConnectionCreator, client: ssl.SSLContext,
                 session: ssl.SSLSession | None = None) -> None:
        self.clock, self.wire, self.spent = Clock(), StringTransport(), 0.0
        factory = TLSMemoryBIOFactory(context, False, Factory.forProtocol(Protocol), self.clock)
        self.server: Any = self.timed(lambda: factory.buildProtocol(None))
        self.timed(lambda: self.server.makeConnection(self.wire))
        self.received, self.sent = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.side = client.wrap_bio(self.received, self.sent, server_hostname="localhost", session=session)
        self._shake()

    def timed(self, work: Callable[[], Any]) -> Any:
        began = time.process_time()
        found = work()
        self.spent += time.process_time() - began
        return found

    def _shake(self) -> None:
        while not self._done():
            self._serve()
        self._serve()
        try:
            self.side.read(1)  # takes the session
        except ssl.SSLWantReadError:
            pass

    def _done(self) -> bool:
        try:
            self.side.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def _serve(self) -> None:
        data = self.sent.read()
        self.timed(lambda: self.server.dataReceived(data))
        self.clock.advance(1)
        self.received.write(self.wire.value())
        self.wire.clear()


def _files(home: Path, kind: str) -> tuple[Trust, authority.Issued]:
    """A trust with its files."""
    now, certs = time.time(), home / "certificates"
    certs.mkdir()
    ca = authority.make_authority(now, serial=1, kind=kind)
    host = authority.host_certificate(ca, ["localhost"], now, serial=2, kind=kind)
    for name, content in authority.trust_files(ca.certificate).items():
        (certs / name).write_bytes(content)
    subject = x509.load_pem_x509_certificate(ca.certificate).subject
    (certs / f"{authority.subject_hash(subject)}.r0").write_bytes(_revocations(subject, ca, now))
    (home / "cert.pem").write_bytes(host.certificate)
    (home / "key.pem").write_bytes(host.key)
    names = Tls(certificate=str(home / "cert.pem"), key=str(home / "key.pem"), ca_dir=str(certs), crl="required",
                signing_policy="required", vomsdir=str(home / "vomsdir"))
    return Trust(msgspec.structs.replace(Settings(), tls=names), Logger("wms.bench")), ca


def _revocations(subject: x509.Name, ca: authority.Issued, now: float) -> bytes:
    begin, end = (datetime.fromtimestamp(when // 1, UTC) for when in (now - 60, now + LIFE_S))
    revoked = [x509.RevokedCertificateBuilder(1000 + serial, begin).build() for serial in range(REVOKED)]
    builder = x509.CertificateRevocationListBuilder(subject, begin, end, [], revoked)
    return builder.sign(proxy.load_key(ca.key), hashes.SHA256()).public_bytes(Encoding.PEM)


def _client(home: Path, ca: authority.Issued, kind: str, depth: int) -> ssl.SSLContext:
    now = time.time()
    issued = authority.user_certificate(ca, "alice", now, serial=3, kind=kind)
    chain, key = proxy.certificates(issued.certificate), proxy.load_key(issued.key)
    for serial in range(depth):
        fresh = proxy.new_key(kind)
        chain = (proxy.new_proxy(chain, key, fresh.public_key(), now, LIFE_S, serial=serial + 1), *chain)
        key = fresh
    path = home / "proxy.pem"
    path.write_bytes(proxy.dump(chain[0], key, chain[1:]))
    return client_context(str(path), str(home / "certificates"))


def _each(n: int, trust: Trust, bare: Bare, client: ssl.SSLContext) -> list[float]:
    """Seconds of the server: bare, full, full and judged, resumed, resumed and judged, full and judged as a new chain.

    A chain that was judged before is known until the trust changes.
    """
    totals = [0.0] * 6
    for _ in range(n):
        totals[0] += Meeting(bare, client).spent
        full = Meeting(trust.context, client)
        resumed = Meeting(trust.context, client, full.side.session)
        assert resumed.side.session_reused
        for place, one in ((1, full), (3, resumed)):
            totals[place] += one.spent
            caller = one.timed(lambda one=one: trust.caller(one.server, time.time()))  # type: ignore[misc]
            assert caller.identity is not None
            totals[place + 1] += one.spent
        trust._callers.clear()
        full.spent = 0.0
        full.timed(lambda one=full: trust.caller(one.server, time.time()))  # type: ignore[misc]
        totals[5] += full.spent
    totals[5] += totals[1]
    return [total / n for total in totals]


def _rows(n: int, label: str, kind: str) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="bench-tls-") as folder:
        home = Path(folder)
        trust, ca = _files(home, kind)
        bare = Bare(home / "cert.pem", home / "key.pem")
        for name, depth in DEPTHS.items():
            client = _client(home, ca, kind, depth)
            _each(5, trust, bare, client)
            base, full, judged, resumed, again, new = _each(n, trust, bare, client)
            for what, seconds in (("full", full), ("full, judged as new", new), ("full, judged", judged),
                                  ("resumed", resumed), ("resumed, judged", again)):
                yield row(f"TLS {label}, {name}: {what}", n, 1 / seconds, "handshakes/s", 1 / base)


def run(n: int = 200) -> list[Row]:
    """`n` of each."""
    return [one for label, kind in KINDS.items() for one in _rows(n, label, kind)]
