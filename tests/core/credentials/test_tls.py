"""Both sides of a TLS connection in memory: what the server learns about the caller.

OpenSSL judges validity by the machine's clock, so these certificates begin in the past and end far away.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from credential_builders import ALICE, file_of
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol

from wms import tls
from wms.clienttls import client_context
from wms.errors import BadCredential, ConfigError, CredentialNotFound, UntrustedCredential
from wms.x509 import authority, proxy

PAST = 1_600_000_000.0
CENTURY = 36500.0
ISSUER = authority.make_authority(PAST, serial=1, days=CENTURY, kind="ec")
HOST = authority.host_certificate(ISSUER, ["localhost"], PAST, serial=2, days=CENTURY, kind="ec")
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def user(issuer: authority.Issued = ISSUER, days: float = CENTURY) -> proxy.Proxy:
    issued = authority.user_certificate(issuer, "alice", PAST, serial=3, days=days, kind="ec")
    return proxy.load(issued.certificate + issued.key)


def deeper(issuer: proxy.Proxy, *, limited: bool = False) -> proxy.Proxy:
    key = proxy.new_key("ec")
    cert = proxy.new_proxy(issuer.chain, issuer.key, key.public_key(), PAST, CENTURY * 86400, limited,
                           serial=4)
    return proxy.Proxy((cert, *issuer.chain), key)


@pytest.fixture
def certs(tmp_path: Path) -> Path:
    directory = tmp_path / "certificates"
    directory.mkdir()
    for name, content in authority.trust_files(ISSUER.certificate).items():
        (directory / name).write_bytes(content)
    return directory


class Meeting:
    """A server and a client that exchange bytes in memory."""

    def __init__(self, tmp_path: Path, certs: Path) -> None:
        self.path, self.certs = tmp_path, certs
        cert, key = tmp_path / "hostcert.pem", tmp_path / "hostkey.pem"
        cert.write_bytes(HOST.certificate)
        key.write_bytes(HOST.key)
        self.context = tls.server_context(str(cert), str(key), str(certs))

    def client(self, credential: proxy.Proxy | None) -> ssl.SSLContext:
        if credential is None:
            return client_context(None, str(self.certs))
        (self.path / "proxy").write_bytes(file_of(credential))
        return client_context(str(self.path / "proxy"), str(self.certs))

    def of(self, client: ssl.SSLContext, host: str = "localhost",
           session: ssl.SSLSession | None = None) -> tuple[TLSMemoryBIOProtocol, ssl.SSLObject]:
        """(server side, client side) after a handshake and one byte each way."""
        clock = Clock()
        factory = TLSMemoryBIOFactory(self.context, False, Factory.forProtocol(Echo), clock)
        server = factory.buildProtocol(None)
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


class Echo(Protocol):
    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)


@pytest.fixture
def meeting(tmp_path: Path, certs: Path) -> Meeting:
    return Meeting(tmp_path, certs)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_the_server_sees_the_whole_chain_leaf_first(meeting: Meeting, version: ssl.TLSVersion, depth: int):
    credential = user()
    for _ in range(depth):
        credential = deeper(credential)
    client = meeting.client(credential)
    client.maximum_version = version
    chain = tls.peer_chain(meeting.of(client)[0])
    assert tuple(chain[:-1]) == credential.chain
    assert proxy.identify(chain, PAST).dn == ALICE


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_is_not_resumed_so_the_chain_is_never_lost(meeting: Meeting, version: ssl.TLSVersion):
    client = meeting.client(deeper(user()))
    client.minimum_version = client.maximum_version = version
    session = meeting.of(client)[1].session
    server, side = meeting.of(client, session=session)
    assert not side.session_reused
    assert len(tls.peer_chain(server)) == 3


def test_a_limited_proxy_is_seen_as_limited(meeting: Meeting):
    server, _ = meeting.of(meeting.client(deeper(user(), limited=True)))
    assert proxy.identify(tls.peer_chain(server), PAST).limited


def test_a_client_without_certificate_is_nobody(meeting: Meeting):
    assert tls.peer_chain(meeting.of(meeting.client(None))[0]) == []


def test_a_connection_without_tls_is_nobodys():
    assert tls.peer_chain(StringTransport()) == []
    assert tls.peer_chain(None) == []


def test_a_certificate_of_a_stranger_ends_the_handshake(meeting: Meeting):
    stranger = authority.make_authority(PAST, serial=1, days=CENTURY, kind="ec")
    with pytest.raises(ssl.SSLError, match="alert"):
        meeting.of(meeting.client(deeper(user(stranger))))


def test_an_expired_certificate_ends_the_handshake(meeting: Meeting):
    with pytest.raises(ssl.SSLError, match="alert"):
        meeting.of(meeting.client(user(days=1)))


def test_the_client_wants_the_servers_name(meeting: Meeting):
    with pytest.raises(ssl.SSLCertVerificationError, match="match"):
        meeting.of(meeting.client(None), "elsewhere.org")


def test_the_client_wants_a_known_authority(meeting: Meeting, tmp_path: Path):
    with pytest.raises(ssl.SSLCertVerificationError):
        meeting.of(client_context(None, str(tmp_path)))


def test_old_versions_are_not_spoken(meeting: Meeting):
    assert meeting.client(None).minimum_version == ssl.TLSVersion.TLSv1_2
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(capath=str(meeting.certs))
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        meeting.of(old)


def test_the_old_interface_of_twisted_is_served_too(meeting: Meeting):
    assert meeting.context.getContext() is meeting.context.serverConnectionForTLS(None).get_context()


def test_a_server_without_its_files_says_which(certs: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"missing\.pem"):
        tls.server_context(str(tmp_path / "missing.pem"), str(tmp_path / "key.pem"), str(certs))


def test_a_client_says_what_it_lacks(certs: Path, tmp_path: Path):
    with pytest.raises(CredentialNotFound, match="directory of CA certificates"):
        client_context(None, str(tmp_path / "nowhere"))
    with pytest.raises(CredentialNotFound, match="No path to valid proxy file has been found"):
        client_context(str(tmp_path / "nothing"), str(certs))
    (tmp_path / "empty").write_text("nothing of use")
    with pytest.raises(BadCredential, match="cannot be used"):
        client_context(str(tmp_path / "empty"), str(certs))


def test_a_credential_in_two_files_is_shown(meeting: Meeting, certs: Path, tmp_path: Path):
    issued = authority.user_certificate(ISSUER, "wms", PAST, serial=9, days=CENTURY, kind="ec")
    (tmp_path / "cert.pem").write_bytes(issued.certificate)
    (tmp_path / "key.pem").write_bytes(issued.key)
    client = client_context(str(tmp_path / "cert.pem"), str(certs), str(tmp_path / "key.pem"))
    assert proxy.identify(tls.peer_chain(meeting.of(client)[0]), PAST).dn == "/DC=local/DC=wms/CN=wms"


def test_a_path_is_verified_without_a_connection(certs: Path, tmp_path: Path):
    tls.verify_path(deeper(deeper(user())).chain, str(certs))
    with pytest.raises(UntrustedCredential, match="issuer certificate"):
        tls.verify_path(user().chain, str(tmp_path))
    with pytest.raises(UntrustedCredential, match="expired"):
        tls.verify_path(user(days=1).chain, str(certs))


def test_a_chain_with_a_forged_link_has_no_path(certs: Path):
    owner = user()
    forged = deeper(proxy.Proxy(owner.chain, owner.key))
    with pytest.raises(UntrustedCredential):
        tls.verify_path((deeper(user()).chain[0], *forged.chain[1:]), str(certs))


class Plain(StringTransport):
    nodelay = False

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.nodelay = enabled


def test_small_messages_are_sent_at_once():
    transport = Plain()
    tls.no_delay(transport)
    assert transport.nodelay
