"""A-REX's signing requests, as recorded from ARC 6.17, are answered with a chain that holds."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509 import CertificateSigningRequestBuilder, Name

from wms.ce.arc.signing import requested_key, signed
from wms.errors import BadCredential, CredentialExpired
from wms.x509 import proxy
from wms.x509.authority import Issued, make_authority, user_certificate

REQUEST = (Path(__file__).parent / "recorded" / "request.pem").read_bytes()
NOW = 1_800_000_000.0


@pytest.fixture(scope="module")
def user() -> Issued:
    return user_certificate(make_authority(NOW, serial=1), "alice", NOW, serial=2)


def test_a_request_of_version_two_is_read() -> None:
    key = requested_key(REQUEST)
    assert key.public_numbers().n.bit_length() == 2048  # type: ignore[union-attr]


def test_a_request_of_the_proper_version_is_read_too() -> None:
    key = proxy.new_key("ec")
    request = CertificateSigningRequestBuilder().subject_name(Name([])).sign(key, hashes.SHA256())
    assert requested_key(request.public_bytes(serialization.Encoding.PEM)) == key.public_key()


def test_the_chain_is_of_that_key_and_lasts_no_longer_than_the_credential(user: Issued) -> None:
    chain = proxy.certificates(signed(REQUEST, user.certificate + user.key, NOW, 3600.0, serial=7))
    owner = proxy.identify(chain, NOW)
    proxy.verify_links(chain[:2])
    assert (owner.chain_length, owner.not_after) == (2, NOW + 3600)
    assert chain[0].public_key() == requested_key(REQUEST)


def test_an_expired_credential_signs_nothing(user: Issued) -> None:
    with pytest.raises(CredentialExpired):
        signed(REQUEST, user.certificate + user.key, NOW + 1e10, 3600.0, serial=7)


def pem(content: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE REQUEST-----\n" + content + b"\n-----END CERTIFICATE REQUEST-----\n"


@pytest.mark.parametrize("request_", [b"", b"<html>", pem(b"%%%"), pem(b64encode(b"\x30\x03\x30\x01\x05")),
                                      pem(b"MAA="), pem(b64encode(b"no DER at all, but long enough to be some"))])
def test_what_is_no_request_is_refused(request_: bytes) -> None:
    with pytest.raises(BadCredential):
        requested_key(request_)


def test_keys_of_other_kinds_are_refused() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    request = CertificateSigningRequestBuilder().subject_name(Name([])).sign(key, None)
    with pytest.raises(BadCredential, match="kind of key"):
        requested_key(request.public_bytes(serialization.Encoding.PEM))
