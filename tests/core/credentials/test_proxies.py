"""Proxy files, identities and delegation."""

from __future__ import annotations

import base64
import itertools
import re

import pytest
from credential_builders import ALICE, CA, DAY, NOW, delegate, file_of, forge, info, pem, person
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms.errors import (
    BadCredential,
    CredentialExpired,
    CredentialNotFound,
    CredentialTooShort,
    UntrustedCredential,
)
from wms.identity import Identity
from wms.x509 import proxy

USER = person()
PEM = Encoding.PEM


# -- files -----------------------------------------------------------------------------------------------


def blocks(text: bytes) -> list[bytes]:
    return re.findall(rb"-----BEGIN .+?-----END [A-Z ]+-----\n", text, re.DOTALL)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_a_file_is_read_in_any_order(order: tuple[int, ...]):
    credential = delegate(delegate(USER))
    parts = blocks(file_of(credential))
    read = proxy.load(b"comment\n".join(parts[i] for i in order))
    assert (read.chain, read.key.private_numbers()) == (credential.chain, credential.key.private_numbers())


def test_a_file_is_written_certificate_first_then_key_then_chain():
    credential = delegate(USER)
    kinds = re.findall(rb"BEGIN ([A-Z ]+)-", file_of(credential))
    assert kinds == [b"CERTIFICATE", b"EC PRIVATE KEY", b"CERTIFICATE"]


def test_certificates_outside_the_chain_are_left_out():
    stranger = person("bob")
    assert proxy.load(pem(stranger.chain) + file_of(delegate(USER))).chain[1:] == USER.chain


def test_a_self_signed_authority_ends_the_chain():
    assert proxy.load(file_of(USER) + pem((CA,))).chain == (*USER.chain, CA)


def encrypted() -> bytes:
    return USER.key.private_bytes(PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


def of_another_kind() -> bytes:
    return ed25519.Ed25519PrivateKey.generate().private_bytes(PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(("text", "error", "reason"), [
    (b"", CredentialNotFound, "no certificate"),
    (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", BadCredential, "cannot be read"),
    (pem(USER.chain), BadCredential, "holds 0 private keys"),
    (file_of(USER) + proxy.key_pem(USER.key), BadCredential, "holds 2 private keys"),
    (pem(USER.chain) + proxy.key_pem(proxy.new_key("ec")), BadCredential, "none of its certificates"),
    (pem(USER.chain) + encrypted(), BadCredential, "cannot be read"),
    (pem(USER.chain) + of_another_kind(), BadCredential, "neither RSA nor"),
    (pem(USER.chain) + b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", BadCredential,
     "cannot be read"),
])
def test_an_unusable_file_is_refused_with_its_reason(text: bytes, error: type[BadCredential], reason: str):
    with pytest.raises(error, match=reason):
        proxy.load(text)


def of_version_8() -> bytes:
    der = USER.chain[0].public_bytes(Encoding.DER).replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020107"))
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


def test_a_certificate_of_an_unknown_version_is_refused():
    with pytest.raises(BadCredential, match="not a valid X509 version"):
        proxy.certificates(of_version_8())


@settings(max_examples=examples(100), deadline=None)
@given(st.integers(0, 2000), st.integers(0, 2000), st.binary(max_size=4))
def test_a_damaged_file_is_read_or_refused(start: int, length: int, replaced: bytes):
    text = file_of(delegate(USER))
    try:
        proxy.load(text[:start] + replaced + text[start + length :])
    except BadCredential:
        pass


def with_unknown_key() -> x509.Certificate:
    """A certificate whose key is of an algorithm that nobody knows (the identifier of EC keys, altered)."""
    der = USER.chain[0].public_bytes(Encoding.DER)
    known, unknown = bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d0209")
    return x509.load_der_x509_certificate(der.replace(known, unknown))


def test_a_certificate_with_an_unknown_key_is_nobodys():
    with pytest.raises(BadCredential, match="none of its certificates"):
        proxy.load(pem((with_unknown_key(),)) + proxy.key_pem(USER.key))


# -- whose it is -----------------------------------------------------------------------------------------


def test_a_proxy_speaks_for_its_owner():
    assert proxy.identify(delegate(USER, 1800).chain, NOW) == Identity(
        ALICE, ca_dn="/DC=local/DC=wms/CN=Private CA", not_after=NOW + 1800, chain_length=2)


def test_nothing_speaks_for_nobody():
    with pytest.raises(CredentialNotFound):
        proxy.identify([], NOW)


def test_a_chain_without_end_is_not_followed():
    with pytest.raises(BadCredential, match="ends before"):
        proxy.identify(delegate(USER).chain[:1] * 30 + USER.chain, NOW)


@settings(max_examples=examples(50), deadline=None)
@given(st.floats(-2 * DAY, 2 * DAY), st.lists(st.integers(-3600, 36000), min_size=1, max_size=3))
def test_a_chain_is_valid_while_all_its_certificates_are(offset: float, ends: list[int]):
    credential = USER
    for end in ends:
        credential = forge(credential, info(), start=NOW - DAY, end=NOW + end)
    now, last = NOW + offset, NOW + min(ends)
    if now >= last:
        with pytest.raises(CredentialExpired):
            proxy.identify(credential.chain, now)
    elif now + proxy.SKEW_S < NOW - 3600:
        with pytest.raises(BadCredential, match="not valid yet"):
            proxy.identify(credential.chain, now)
    else:
        assert proxy.identify(credential.chain, now).not_after == last


def test_too_little_life_is_refused_in_the_words_users_know():
    identity = proxy.identify(delegate(USER, 240).chain, NOW)
    proxy.require_life(identity, NOW, 240)
    with pytest.raises(CredentialTooShort, match="Your proxy credential will expire in less than 5 minutes"):
        proxy.require_life(identity, NOW, 300)
    with pytest.raises(CredentialExpired, match="Your proxy credential has expired"):
        proxy.require_life(identity, NOW + 240, 0)


def test_validity_outside_the_issuers_is_remarked():
    credential = forge(USER, info(), start=NOW - 2 * DAY, end=NOW + 366 * DAY)
    assert proxy.remarks(credential.chain) == (
        f"{ALICE}/CN=7 is valid 86400 s longer than its issuer",
        f"{ALICE}/CN=7 is valid 169200 s before its issuer")
    assert proxy.remarks((*delegate(USER).chain, CA)) == ()


# -- delegation ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "cls"), [
    ("ec", ec.EllipticCurvePrivateKey), ("rsa:2048", rsa.RSAPrivateKey)])
def test_a_key_is_of_the_kind_asked_for(kind: str, cls: type):
    assert isinstance(proxy.new_key(kind), cls)


@pytest.mark.parametrize("kind", ["", "rsa", "rsa:1024", "rsa:x", "dsa:2048"])
def test_other_kinds_of_keys_are_not_made(kind: str):
    with pytest.raises(ValueError, match="no such kind"):
        proxy.new_key(kind)


def exchange(caller: proxy.Proxy, lifetime_s: float = 3600, *, limited: bool = False) -> tuple[bytes, bytes]:
    """(our pending key, what the caller sends) of one delegation."""
    key, csr = proxy.request("ec")
    cert = proxy.new_proxy(caller.chain, caller.key, proxy.requested_key(csr), NOW, lifetime_s, limited,
                           serial=9)
    return key, pem((cert, *caller.chain))


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_delegation_gives_a_proxy_one_deeper(depth: int):
    caller = USER
    for _ in range(depth):
        caller = delegate(caller)
    identity, text = proxy.accept(*exchange(caller, 1000), ALICE, NOW, USER.chain[0])
    assert (identity.dn, identity.chain_length, identity.not_after) == (ALICE, depth + 2, NOW + 1000)
    assert proxy.load(text).chain[1:] == caller.chain


def test_a_delegation_of_a_limited_proxy_is_limited_and_ends_with_it():
    identity, _ = proxy.accept(*exchange(delegate(USER, 500, limited=True), 1000), ALICE, NOW, USER.chain[0])
    assert (identity.limited, identity.not_after) == (True, NOW + 500)


def test_a_new_proxy_does_not_begin_before_its_issuer():
    young = person(start=NOW + 3600)
    cert = delegate(young).chain[0]
    assert cert.not_valid_before_utc == young.chain[0].not_valid_before_utc


def test_a_delegation_for_another_key_is_refused():
    with pytest.raises(BadCredential, match="not issued for the key"):
        proxy.accept(proxy.request("ec")[0], exchange(USER)[1], ALICE, NOW, USER.chain[0])


def test_a_delegation_of_somebody_else_is_refused():
    with pytest.raises(UntrustedCredential, match="CN=bob, not to the caller"):
        proxy.accept(*exchange(person("bob")), ALICE, NOW, USER.chain[0])


def test_a_delegation_of_another_certificate_with_the_same_name_is_refused():
    with pytest.raises(UntrustedCredential, match="not to the caller"):
        proxy.accept(*exchange(person()), ALICE, NOW, USER.chain[0])


def test_a_forged_link_is_refused():
    mallory = proxy.Proxy(USER.chain, proxy.new_key("ec"))
    forged = forge(USER, info(), signer=mallory)
    with pytest.raises(UntrustedCredential, match="CN=7 is not by its issuer"):
        proxy.accept(proxy.key_pem(forged.key), pem(forged.chain), ALICE, NOW, USER.chain[0])


def test_an_expired_delegation_is_refused():
    key, chain = exchange(USER, 10)
    with pytest.raises(CredentialExpired):
        proxy.accept(key, chain, ALICE, NOW + 10, USER.chain[0])


def test_nobody_delegates_with_a_key_that_is_not_theirs():
    with pytest.raises(BadCredential, match="signing key"):
        proxy.new_proxy(USER.chain, proxy.new_key("ec"), USER.key.public_key(), NOW, 60, serial=1)


def test_a_proxy_whose_path_is_exhausted_issues_none():
    with pytest.raises(BadCredential, match="path length"):
        delegate(forge(USER, info(0)))


def signed_request(key: object) -> x509.CertificateSigningRequest:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def tampered(csr: x509.CertificateSigningRequest) -> bytes:
    blob = bytearray(csr.public_bytes(Encoding.DER))
    blob[-1] ^= 1
    return (b"-----BEGIN CERTIFICATE REQUEST-----\n" + base64.encodebytes(bytes(blob))
            + b"-----END CERTIFICATE REQUEST-----\n")


def test_a_request_proves_possession_of_its_key():
    key = proxy.new_key("ec")
    assert proxy.requested_key(signed_request(key).public_bytes(PEM)) == key.public_key()


@pytest.mark.parametrize("text", [
    b"", b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
    tampered(signed_request(proxy.new_key("ec"))),
    signed_request(ed25519.Ed25519PrivateKey.generate()).public_bytes(PEM),
])
def test_a_request_that_proves_nothing_is_refused(text: bytes):
    with pytest.raises(BadCredential, match="signing request"):
        proxy.requested_key(text)
