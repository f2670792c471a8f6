"""OpenSSL's errors as ours."""

from __future__ import annotations

import pytest
from OpenSSL.SSL import X509VerificationCodes as Codes

from wms.errors import (
    BadCredential,
    CredentialExpired,
    CredentialNotYetValid,
    CredentialRevoked,
    ProxyRuleBroken,
    UntrustedCredential,
)
from wms.x509.verdicts import OF_OLD_PROXIES, TABLE, verdict


@pytest.mark.parametrize(("number", "error"), [
    (Codes.ERR_CERT_HAS_EXPIRED, CredentialExpired), (Codes.ERR_CERT_NOT_YET_VALID, CredentialNotYetValid),
    (Codes.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, UntrustedCredential),
    (Codes.ERR_DEPTH_ZERO_SELF_SIGNED_CERT, UntrustedCredential),
    (Codes.ERR_SELF_SIGNED_CERT_IN_CHAIN, UntrustedCredential),
    (Codes.ERR_CERT_SIGNATURE_FAILURE, UntrustedCredential), (Codes.ERR_INVALID_PURPOSE, UntrustedCredential),
    (Codes.ERR_INVALID_CA, UntrustedCredential), (Codes.ERR_CERT_REVOKED, CredentialRevoked),
    (Codes.ERR_CERT_CHAIN_TOO_LONG, ProxyRuleBroken), (Codes.ERR_PATH_LENGTH_EXCEEDED, ProxyRuleBroken),
    (Codes.ERR_PROXY_PATH_LENGTH_EXCEEDED, ProxyRuleBroken),
    (Codes.ERR_KEYUSAGE_NO_DIGITAL_SIGNATURE, ProxyRuleBroken),
    (Codes.ERR_PROXY_CERTIFICATES_NOT_ALLOWED, ProxyRuleBroken),
    (Codes.ERR_UNHANDLED_CRITICAL_EXTENSION, BadCredential), (Codes.ERR_INVALID_EXTENSION, BadCredential),
    (Codes.ERR_PERMITTED_VIOLATION, UntrustedCredential), (Codes.ERR_EXCLUDED_VIOLATION, UntrustedCredential)])
def test_an_error_has_its_class(number: int, error: type[BadCredential]):
    assert type(verdict(number, 0, "/CN=x")) is error


@pytest.mark.parametrize("number", range(-1, 110))
def test_every_number_refuses_in_a_sentence(number: int):
    found = verdict(number, 2, "/CN=x")
    assert found.message.startswith("The certificate /CN=x ")
    assert found.message.endswith(".")
    assert found.status == 401
    assert found.details == {"dn": "/CN=x", "depth": 2, "openssl": number}


def test_what_is_forgiven_to_old_proxies_is_neither_time_nor_signature():
    assert set(TABLE) >= OF_OLD_PROXIES
    assert not OF_OLD_PROXIES & {4, 7, 9, 10, 23, 27, 28, 66, 67, 68}
