"""Whom the service knows by certificate: real handshakes in memory, files of trust that change underneath.

OpenSSL goes by the machine's clock: the certificates are valid for a century, lists are made for the hand-moved one.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from shell import Shell, result
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import Logger

from tests.meeting import CENTURY, HOST, ISSUER, PAST, VERSIONS, Meeting, deeper, trusted, user
from wms.authz.gate import Gate
from wms.callers import Caller, Callers, NoTokens
from wms.config import parse
from wms.errors import (
    BadCredential,
    ConfigError,
    CredentialExpired,
    CredentialNotYetValid,
    CredentialRevoked,
    LegacyProxy,
    ProxyRuleBroken,
    RevocationUnknown,
    SigningPolicyViolated,
    TokenIssuerUnknown,
    UntrustedCredential,
)
from wms.tls import Noted
from wms.trust import Trust
from wms.x509 import authority, proxy
from wms.x509.proxy import Proxy
from wms.x509.rfc3820 import INDEPENDENT, INHERIT_ALL, PROXY_CERT_INFO, ProxyInfo

ALICE = "/DC=local/DC=wms/CN=alice"
NOW = datetime.now(UTC).timestamp()
FAR = PAST + CENTURY * 86400
YEAR = 365 * 86400.0
STRANGER = authority.make_authority(PAST, serial=1, days=CENTURY, kind="ec", dn="/DC=far/DC=away/CN=Other CA")
IMPOSTOR = authority.make_authority(PAST, serial=1, days=CENTURY, kind="ec")
CA = x509.load_pem_x509_certificate(ISSUER.certificate)
CA_HASH = authority.subject_hash(CA.subject)
EVERY_WAY = [(version, turn) for version in VERSIONS for turn in ("full", "resumed")]


def moment(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch // 1, UTC)


def info(length: int | None = None, language: bytes = INHERIT_ALL) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(PROXY_CERT_INFO, ProxyInfo(length, language).encode())


def below(issuer: Proxy, *extensions: tuple[x509.ExtensionType, bool], added: str = "7", end: float = FAR,
          start: float = PAST, subject: x509.Name | None = None, signer: proxy.PrivateKey | None = None) -> Proxy:
    """Whatever one likes, below a credential."""
    key, parent = proxy.new_key("ec"), issuer.chain[0]
    grown = x509.Name([*parent.subject, x509.NameAttribute(NameOID.COMMON_NAME, added)])
    builder = (x509.CertificateBuilder(parent.subject, subject or grown, key.public_key(), 7)
               .not_valid_before(moment(start)).not_valid_after(moment(end)))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return Proxy((builder.sign(signer or issuer.key, hashes.SHA256()), *issuer.chain), key)


def crl(*serials: int, start: float = PAST, end: float = FAR, issuer: authority.Issued = ISSUER) -> bytes:
    name = x509.load_pem_x509_certificate(issuer.certificate).subject
    builder = x509.CertificateRevocationListBuilder(name, moment(start), moment(end))
    for serial in serials:
        builder = builder.add_revoked_certificate(x509.RevokedCertificateBuilder(serial, moment(start)).build())
    return builder.sign(proxy.load_key(issuer.key), hashes.SHA256()).public_bytes(Encoding.PEM)


class Site:
    """A trust on files, and clients that connect to it."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home, self.events = home, list[dict[str, Any]]()
        self.certs = trusted(home / "certificates", ISSUER)
        (home / "cert.pem").write_bytes(HOST.certificate)
        (home / "key.pem").write_bytes(HOST.key)
        more = "".join(f", {name}: {value}" for name, value in settings.items())
        self.settings = parse(f"{{state_dir: {home}, host: localhost, tls: {{certificate: {home}/cert.pem, "
                              f"key: {home}/key.pem, ca_dir: {self.certs}, vomsdir: {home}/vomsdir{more}}}}}")
        self.trust = Trust(self.settings, Logger(namespace="test", observer=self.events.append))
        self.meeting = Meeting(self.trust.context, home, self.certs)
        self.now, self._changes = NOW, count(1)

    def write(self, name: str, content: bytes) -> None:
        path = self.home / name
        path.write_bytes(content)
        os.utime(path, (PAST + next(self._changes),) * 2)

    def reload(self) -> bool:
        return result(self.trust.reload(maybeDeferred))

    def connected(self, credential: Proxy | None, version: ssl.TLSVersion | None = None, turn: str = "full") -> Any:
        """The server's side of a connection."""
        client = self.meeting.client(credential, version)
        server, side = self.meeting.of(client)
        if turn == "resumed":
            server, side = self.meeting.of(client, session=side.session)
            assert side.session_reused
        return server

    def caller(self, credential: Proxy | None, version: ssl.TLSVersion | None = None, turn: str = "full") -> Caller:
        return self.trust.caller(self.connected(credential, version, turn), self.now)

    def refusals(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["log_format"].startswith("refused the certificate")]

    def said(self, words: str) -> int:
        return sum(words in event["log_format"].format(**event) for event in self.events)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


# -- who it is -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "turn"), EVERY_WAY)
@pytest.mark.parametrize("kinds", [(), ("ec",), ("rsa:2048", "ec"), ("ec",) * 18])
def test_a_chain_of_any_sane_depth_is_its_owners(site: Site, version: ssl.TLSVersion, turn: str,
                                                 kinds: tuple[str, ...]):
    credential = user(kind="rsa:2048" if "rsa:2048" in kinds else "ec")
    for kind in kinds:
        credential = deeper(credential, kind=kind)
    found = site.caller(credential, version, turn)
    assert found.identity is not None
    assert (found.identity.dn, found.identity.chain_length) == (ALICE, len(kinds) + 1)
    assert found.chain == (*credential.chain, CA)
    assert site.refusals() == []


def test_a_client_without_certificate_is_nobody(site: Site):
    assert site.caller(None) == Caller(None, generation=1)
    assert site.trust.caller(StringTransport(), NOW) == Caller(None, generation=1)


def test_a_limited_proxy_is_seen_as_limited(site: Site):
    found = site.caller(deeper(deeper(user(), limited=True))).identity
    assert found is not None
    assert found.limited


def test_a_chain_is_judged_once_however_often_it_comes(site: Site, monkeypatch: pytest.MonkeyPatch):
    alice, bob = deeper(user()), user(name="bob")
    first = site.caller(alice)
    assert site.caller(alice, None, "resumed") is first
    monkeypatch.setattr("wms.trust.MOST_CHAINS", 1)
    site.caller(bob)
    again = site.caller(alice)
    assert again == first
    assert again is not first


# -- everything that is wrong ----------------------------------------------------------------------------


def _too_deep() -> Proxy:
    credential = user()
    for _ in range(21):
        credential = below(credential, (info(), True))
    return credential


def _with_usage(usage: x509.ObjectIdentifier) -> Proxy:
    return below(user(), (info(), True), (x509.ExtendedKeyUsage([usage]), False))


BAD: dict[str, tuple[Callable[[], Proxy], type[BadCredential]]] = {
    "expired": (lambda: user(days=1), CredentialExpired),
    "expired proxy": (lambda: deeper(user(), lifetime_s=3600), CredentialExpired),
    "not yet valid": (lambda: user(start=NOW + 2 * 86400), CredentialNotYetValid),
    "unknown authority": (lambda: deeper(user(STRANGER)), UntrustedCredential),
    "impostor of an authority": (lambda: deeper(user(IMPOSTOR)), UntrustedCredential),
    "self-signed": (lambda: proxy.load(STRANGER.certificate + STRANGER.key), UntrustedCredential),
    "forged signature": (lambda: below(user(), (info(), True), signer=proxy.new_key("ec")), UntrustedCredential),
    "issued by a person": (lambda: below(user(), subject=user(name="bob").chain[0].subject), UntrustedCredential),
    "for servers": (lambda: _with_usage(ExtendedKeyUsageOID.SERVER_AUTH), UntrustedCredential),
    "critical extension": (lambda: below(user(), (info(), True), (x509.UnrecognizedExtension(
        x509.ObjectIdentifier("1.2.3.4"), b"\x05\0"), True)), BadCredential),
    "path length": (lambda: below(below(user(), (info(0), True)), (info(), True)), ProxyRuleBroken),
    "changed name": (lambda: below(user(), (info(), True), subject=user(name="bob").chain[0].subject), ProxyRuleBroken),
    "independent": (lambda: below(user(), (info(None, INDEPENDENT), True)), ProxyRuleBroken),
    "unknown language": (lambda: below(user(), (info(None, b"\x06\x02\x2a\x03"), True)), ProxyRuleBroken),
    "not critical": (lambda: below(user(), (info(), False)), ProxyRuleBroken),
    "too deep": (_too_deep, ProxyRuleBroken),
    "Globus 2": (lambda: below(user(), added="proxy"), LegacyProxy),
    "Globus 2 limited": (lambda: below(user(), added="limited proxy"), LegacyProxy),
    "proxy of Globus 2": (lambda: below(below(user(), added="proxy"), (info(), True)), LegacyProxy),
    "authority itself": (lambda: proxy.load(ISSUER.certificate + ISSUER.key), UntrustedCredential),
}


@pytest.mark.parametrize(("version", "turn"), EVERY_WAY)
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_chain_is_nobody_by_whatever_way_it_comes(site: Site, version: ssl.TLSVersion, turn: str, kind: str):
    make, error = BAD[kind]
    credential = make()
    server = site.connected(credential, version, turn)
    for _request in range(2):
        with pytest.raises(BadCredential) as caught:
            site.trust.caller(server, site.now)
        assert type(caught.value) is error
    assert len(site.refusals()) == 2
    (first, _) = site.refusals()
    assert first["dn"].startswith("/DC=")
    assert (first["peer"], first["code"]) == ("192.168.1.1", error.code)


@pytest.mark.parametrize("number", [1, 2, 7, 9, 10, 18, 19, 20, 21, 22, 26, 34, 40, 66, 79, 110, -1])
@pytest.mark.parametrize("switch", ["false", "true"])
def test_nobody_is_known_whatever_was_noted(tmp_path: Path, number: int, switch: str):
    site = Site(tmp_path, legacy_proxies=switch)
    server = site.connected(deeper(user()))
    assert site.trust.caller(server, NOW).identity is not None
    handle = server.getHandle()
    handle.noted = (Noted(number, 0, handle.get_peer_certificate()),)
    with pytest.raises(BadCredential):
        site.trust.caller(server, NOW)


def test_a_certificate_that_cannot_be_read_is_refused(site: Site):
    strange = below(user(), (info(), True), subject=x509.Name([
        x509.NameAttribute(NameOID.COMMON_NAME, "a/CN=b"), x509.NameAttribute(NameOID.COMMON_NAME, "7")]))
    with pytest.raises(BadCredential):
        site.caller(strange)
    assert site.refusals()[0]["dn"] == "with an unreadable name"


# -- old proxies -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "turn"), EVERY_WAY)
@pytest.mark.parametrize("name", ["proxy", "limited proxy"])
def test_old_proxies_are_accepted_by_a_switch(tmp_path: Path, version: ssl.TLSVersion, turn: str, name: str):
    site = Site(tmp_path, legacy_proxies="true")
    credential = below(below(user(), added="proxy"), added=name)
    found = site.caller(credential, version, turn)
    assert found.identity is not None
    assert (found.identity.dn, found.identity.chain_length, found.identity.limited) == (ALICE, 3, name != "proxy")
    assert found.chain == (*credential.chain, CA)


OLD_AND_BAD: dict[str, tuple[Callable[[], Proxy], type[BadCredential]]] = {
    "expired": (lambda: below(user(), added="proxy", end=PAST + 3600), CredentialExpired),
    "owner expired": (lambda: below(user(days=1), added="proxy"), CredentialExpired),
    "forged": (lambda: below(user(), added="proxy", signer=proxy.new_key("ec")), UntrustedCredential),
    "stranger": (lambda: below(user(STRANGER), added="proxy"), UntrustedCredential),
    "mixed": (lambda: below(deeper(user()), added="proxy"), ProxyRuleBroken),
    "mixed the other way": (lambda: below(below(user(), added="proxy"), (info(), True)), BadCredential),
    "issued by a person": (lambda: below(user(), subject=user(name="bob").chain[0].subject), UntrustedCredential),
    "below a person": (lambda: below(below(user(), subject=user(name="bob").chain[0].subject), added="proxy"),
                       UntrustedCredential),
}


@pytest.mark.parametrize("kind", OLD_AND_BAD)
def test_the_switch_opens_no_other_door(tmp_path: Path, kind: str):
    make, error = OLD_AND_BAD[kind]
    site = Site(tmp_path, legacy_proxies="true")
    credential = make()
    for turn in ("full", "resumed"):
        with pytest.raises(error):
            site.caller(credential, None, turn)


# -- files that change -----------------------------------------------------------------------------------


class Kept:
    """A connection that is kept alive, and who calls on it."""

    def __init__(self, site: Site, credential: Proxy) -> None:
        self.clock, self.server = Clock(), site.connected(credential)
        self.clock.advance(site.now)
        self.callers = Callers(self.clock, Gate(), site.trust, NoTokens())

    def who(self) -> str:
        found = result(self.callers.who(self.server)).identity
        return found.dn if found else ""


def test_without_a_change_nothing_is_read_again(site: Site):
    assert not site.reload()
    assert site.trust.generation == 1


def test_a_revocation_ends_a_connection_that_is_kept(site: Site):
    kept = Kept(site, deeper(user(serial=77)))
    assert kept.who() == ALICE
    site.write(f"certificates/{CA_HASH}.r0", crl(76))
    assert (site.reload(), kept.who()) == (True, ALICE)
    site.write(f"certificates/{CA_HASH}.r0", crl(76, 77))
    assert site.reload()
    for _request in range(2):
        with pytest.raises(CredentialRevoked):
            kept.who()
    site.write(f"certificates/{CA_HASH}.r0", crl(76))
    assert (site.reload(), kept.who()) == (True, ALICE)


def test_a_connection_ends_with_its_revocation_list_and_with_its_proxy(site: Site):
    site.write(f"certificates/{CA_HASH}.r0", crl(end=NOW + 7200))
    site.reload()
    kept, short = Kept(site, deeper(user())), Kept(site, deeper(user(), lifetime_s=NOW + 3600 - PAST))
    assert (kept.who(), short.who()) == (ALICE, ALICE)
    kept.clock.advance(3601)
    short.clock.advance(3601)
    assert kept.who() == ALICE
    with pytest.raises(CredentialExpired):
        short.who()
    kept.clock.advance(3601)
    with pytest.raises(RevocationUnknown):
        kept.who()


def test_a_token_does_not_make_up_for_a_bad_certificate(site: Site):
    kept, good = Kept(site, user(STRANGER)), Kept(site, user())
    with pytest.raises(UntrustedCredential):
        result(kept.callers.who(kept.server, "token"))
    with pytest.raises(TokenIssuerUnknown):
        result(good.callers.who(good.server, "token"))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_does_not_outlive_a_revocation(site: Site, version: ssl.TLSVersion):
    client = site.meeting.client(user(serial=77), version)
    session = site.meeting.of(client)[1].session
    site.write(f"certificates/{CA_HASH}.r0", crl(77))
    site.reload()
    server, side = site.meeting.of(client, session=session)
    assert not side.session_reused
    with pytest.raises(CredentialRevoked):
        site.trust.caller(server, NOW)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_resumed_session_does_not_outlive_the_credential_or_the_list(site: Site, version: ssl.TLSVersion):
    site.write(f"certificates/{CA_HASH}.r0", crl(end=NOW + 3600))
    site.reload()
    for credential, error in ((deeper(user(), lifetime_s=NOW + 1800 - PAST), CredentialExpired),
                              (user(), RevocationUnknown)):
        server = site.connected(credential, version, "resumed")
        assert site.trust.caller(server, NOW).identity is not None
        with pytest.raises(error):
            site.trust.caller(server, NOW + 3601)


def test_an_authority_comes_and_goes(site: Site):
    kept = Kept(site, user())
    with pytest.raises(UntrustedCredential):
        site.caller(user(STRANGER))
    trusted(site.certs, STRANGER)
    assert site.reload()
    assert site.caller(user(STRANGER)).identity is not None
    assert kept.who() == ALICE
    for name in authority.trust_files(ISSUER.certificate):
        (site.certs / name).unlink()
    assert site.reload()
    with pytest.raises(UntrustedCredential):
        kept.who()


def test_a_signing_policy_that_changes_counts_at_once(site: Site):
    kept = Kept(site, user())
    assert kept.who() == ALICE
    for name in authority.trust_files(ISSUER.certificate):
        if name.endswith("signing_policy"):
            before = (site.certs / name).read_bytes()
            site.write(f"certificates/{name}", before.replace(b"DC=local/DC=wms/*", b"DC=elsewhere/*"))
    assert site.reload()
    with pytest.raises(SigningPolicyViolated):
        kept.who()


def test_a_broken_file_is_one_warning_and_the_rest_goes_on(site: Site):
    site.write("certificates/00000000.0", b"broken")
    site.write("certificates/00000000.r0", b"broken")
    site.write("certificates/README", b"broken")
    assert site.reload()
    assert site.said("00000000.0 is left out") == 1
    assert site.said("00000000.r0 is left out") == 1
    assert site.said("README") == 0
    site.write("certificates/00000001.0", b"broken")
    assert site.reload()
    assert site.said("is left out") == 3
    assert site.caller(user()).identity is not None


def test_a_directory_that_vanishes_leaves_all_as_it_was(site: Site):
    site.certs.rename(site.home / "elsewhere")
    assert not site.reload()
    assert site.said("the trust is not read again") == 1
    server = Meeting(site.trust.context, site.home, site.home / "elsewhere")
    assert site.trust.caller(server.of(server.client(user()))[0], NOW).identity is not None


def test_the_hosts_own_certificate_is_replaced_once_both_files_are(site: Site):
    fresh = authority.host_certificate(ISSUER, ["localhost"], PAST, serial=99, days=CENTURY, kind="ec")
    client = site.meeting.client(None)

    def shown() -> int:
        certificate = site.meeting.of(client)[1].getpeercert()
        assert certificate is not None
        return int(str(certificate["serialNumber"]), 16)

    site.write("cert.pem", fresh.certificate)
    assert site.reload()
    assert (shown(), site.said("stays in use")) == (2, 1)
    site.write("key.pem", fresh.key)
    assert site.reload()
    assert (shown(), site.said("stays in use")) == (99, 1)


def test_attributes_of_a_vo_that_is_not_known_give_no_rights(site: Site):
    found = site.caller(deeper(user())).identity
    assert found is not None
    assert (found.fqans, found.vo, found.groups) == ((), "", ())


# -- what cannot be used at start ------------------------------------------------------------------------


def test_what_cannot_be_used_is_named_at_start(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"tls\.crl: 'sometimes' is not one of"):
        Site(tmp_path, crl="sometimes")
    with pytest.raises(ConfigError, match=r"tls\.signing_policy"):
        Site(tmp_path, signing_policy="no")
    site = Site(tmp_path)
    for name, reason in (("key.pem", "cannot read .*key.pem"), ("cert.pem", "cannot read .*cert.pem")):
        (tmp_path / name).unlink()
        with pytest.raises(ConfigError, match=reason):
            Trust(site.settings, Logger())
    site = Site(tmp_path)
    (tmp_path / "key.pem").write_bytes(user_key())
    with pytest.raises(ConfigError, match="do not belong together"):
        Trust(site.settings, Logger())
    site.certs.rename(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="no directory"):
        Trust(site.settings, Logger())


def user_key() -> bytes:
    return proxy.key_pem(user().key)


def test_the_part_looks_for_changes_by_itself(site: Site):
    shell = Shell()
    ticker = site.trust.watching(shell.kit())
    result(ticker.start())
    site.write(f"certificates/{CA_HASH}.r0", crl())
    shell.advance(31)
    assert site.trust.generation == 2
    result(ticker.stop())
    shell.close()
