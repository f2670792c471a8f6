"""What the server's side of a TLS connection shows, in memory: every chain comes in, nothing wrong is forgotten."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from credential_builders import common_name, forge, info
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from OpenSSL import crypto
from twisted.internet.testing import StringTransport

from tests.meeting import CENTURY, HOST, ISSUER, PAST, VERSIONS, Meeting, deeper, trusted, user
from wms import tls
from wms.clienttls import client_context
from wms.errors import BadCredential, ConfigError, CredentialNotFound, UntrustedCredential
from wms.x509 import authority, proxy
from wms.x509.anchors import read_authority

FAR = PAST + CENTURY * 86400
CA = read_authority(ISSUER.certificate)
STRANGER = authority.make_authority(PAST, serial=1, days=CENTURY, kind="ec")
version = pytest.mark.parametrize("version", VERSIONS)


@pytest.fixture
def certs(tmp_path: Path) -> Path:
    return trusted(tmp_path / "certificates", ISSUER)


@pytest.fixture
def context() -> tls.ServerContext:
    return tls.ServerContext(tls.host_credential(HOST.certificate, HOST.key), [CA])


@pytest.fixture
def meeting(context: tls.ServerContext, tmp_path: Path, certs: Path) -> Meeting:
    return Meeting(context, tmp_path, certs)


def seen(meeting: Meeting, client: ssl.SSLContext, session: ssl.SSLSession | None = None) -> tls.Shown:
    found = tls.shown(meeting.of(client, session=session)[0])
    assert found is not None
    return found


# -- what is shown ---------------------------------------------------------------------------------------


@version
@pytest.mark.parametrize("depth", [0, 1, 3, 18])
def test_the_server_sees_the_whole_chain_leaf_first(meeting: Meeting, version: ssl.TLSVersion, depth: int):
    credential = user()
    for _ in range(depth):
        credential = deeper(credential)
    found = seen(meeting, meeting.client(credential, version))
    assert tls.read((found.leaf, *found.others))[: depth + 1] == credential.chain
    assert found.noted == ()


def wrong(kind: str) -> proxy.Proxy:
    own = user()
    match kind:
        case "expired":
            return user(days=1)
        case "stranger":
            return deeper(user(STRANGER))
        case "forged":
            return forge(own, info(), signer=user(), start=PAST, end=FAR)
        case "legacy":
            return forge(own, added=common_name("proxy"), start=PAST, end=FAR)
        case "self":
            return proxy.load(STRANGER.certificate + STRANGER.key)
        case _:
            return forge(forge(own, info(0), start=PAST, end=FAR), info(), start=PAST, end=FAR)


WRONG = {"expired": 10, "stranger": 20, "forged": 7, "legacy": 79, "self": 18, "path length": 38}


@version
@pytest.mark.parametrize("kind", WRONG)
def test_a_bad_chain_comes_in_and_is_noted(meeting: Meeting, version: ssl.TLSVersion, kind: str):
    assert seen(meeting, meeting.client(wrong(kind), version)).noted[0].number == WRONG[kind]


@version
@pytest.mark.parametrize("kind", WRONG)
def test_what_was_noted_is_noted_again_when_the_session_is_resumed(meeting: Meeting, version: ssl.TLSVersion,
                                                                   kind: str):
    client = meeting.client(wrong(kind), version)
    first, side = meeting.of(client)
    second, resumed = meeting.of(client, session=side.session)
    third, again = meeting.of(client, session=resumed.session)
    noted = [[one.number for one in found.noted] for server in (first, second, third)
             if (found := tls.shown(server)) is not None]
    assert (resumed.session_reused, again.session_reused) == (True, True)
    assert noted[0]
    assert noted == [noted[0]] * 3


@version
def test_a_resumed_session_brings_the_chain(meeting: Meeting, version: ssl.TLSVersion):
    credential = deeper(deeper(user()))
    client = meeting.client(credential, version)
    server, side = meeting.of(client, session=meeting.of(client)[1].session)
    found = tls.shown(server)
    assert side.session_reused
    assert found is not None
    assert (tls.read((found.leaf, *found.others)), found.noted) == (credential.chain, ())


@version
def test_a_session_from_before_a_change_is_not_resumed(meeting: Meeting, context: tls.ServerContext,
                                                       version: ssl.TLSVersion):
    client = meeting.client(user(), version)
    session = meeting.of(client)[1].session
    context.use(tls.host_credential(HOST.certificate, HOST.key), [CA])
    assert not meeting.of(client, session=session)[1].session_reused


@version
def test_a_handshake_that_is_not_remembered_counts_as_refused(meeting: Meeting, context: tls.ServerContext,
                                                              version: ssl.TLSVersion):
    client = meeting.client(user(), version)
    session = meeting.of(client)[1].session
    context._remembered.clear()
    server, side = meeting.of(client, session=session)
    found = tls.shown(server)
    assert side.session_reused
    assert found is not None
    assert [one.number for one in found.noted] == [tls.NOT_REMEMBERED]


def test_what_is_remembered_is_bounded(meeting: Meeting, context: tls.ServerContext, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tls, "MOST_CHAINS", 2)
    clients = [meeting.client(user()) for _ in range(3)]
    sessions = [meeting.of(client)[1].session for client in clients]
    assert len(context._remembered) == 1
    resumed = [meeting.of(client, session=session)[1].session_reused
               for client, session in reversed([*zip(clients, sessions, strict=True)])]
    assert resumed == [True, False, False]


def test_a_client_without_certificate_shows_nothing(meeting: Meeting):
    assert tls.shown(meeting.of(meeting.client(None))[0]) is None


def test_a_connection_without_tls_shows_nothing():
    assert tls.shown(StringTransport()) is None
    assert tls.shown(None) is None


# -- what the client wants -------------------------------------------------------------------------------


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


def test_the_old_interface_of_twisted_is_served_too(context: tls.ServerContext):
    assert context.getContext() is context.serverConnectionForTLS(None).get_context()


def test_the_servers_own_chain_is_sent(tmp_path: Path):
    issued = proxy.load(HOST.certificate + HOST.key)
    below = deeper(issued)
    pem = b"".join(cert.public_bytes(Encoding.PEM) for cert in below.chain)
    host = tls.host_credential(pem, proxy.key_pem(below.key))
    assert (host.certificate, host.chain) == (below.chain[0], issued.chain)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    _server, side = Meeting(tls.ServerContext(host, []), tmp_path, tmp_path).of(client)
    assert side.getpeercert(True) == below.chain[0].public_bytes(Encoding.DER)


def encrypted() -> bytes:
    key = proxy.load_key(HOST.key)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


@pytest.mark.parametrize(("certificate", "key"), [
    (b"", HOST.key), (HOST.certificate, b""), (HOST.certificate, encrypted()), (HOST.certificate, user().key),
    (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", HOST.key)])
def test_a_server_without_a_usable_certificate_says_so(certificate: bytes, key: bytes | proxy.PrivateKey):
    pem = key if isinstance(key, bytes) else proxy.key_pem(key)
    with pytest.raises(ConfigError, match="unusable certificate or key"):
        tls.host_credential(certificate, pem)


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
    assert tls.read([seen(meeting, client).leaf]) == proxy.certificates(issued.certificate)


# -- paths -----------------------------------------------------------------------------------------------


def test_a_path_leads_to_the_authority_or_says_where_it_ends():
    credential = deeper(user())
    leaf, *others = (crypto.X509.from_cryptography(cert) for cert in credential.chain)
    found = tls.path(tls.trusting([CA]), leaf, others)
    assert not isinstance(found, tls.Noted)
    assert tls.read(found) == (*credential.chain, CA)
    lost = tls.path(tls.trusting([]), leaf, others)
    assert isinstance(lost, tls.Noted)
    assert (lost.number, lost.depth, tls.read([lost.certificate])) == (20, 1, credential.chain[1:])


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
