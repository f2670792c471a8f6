"""The rules for chains of proxies, one by one."""

from __future__ import annotations

import pytest
from credential_builders import CA, NOW, Extension, common_name, delegate, forge, info, person
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms import der
from wms.errors import BadCredential, LegacyProxy, ProxyRuleBroken
from wms.x509.proxy import Proxy, identify
from wms.x509.rfc3820 import (
    DRAFT_CERT_INFO,
    INDEPENDENT,
    INHERIT_ALL,
    LIMITED,
    PROXY_CERT_INFO,
    ProxyInfo,
    decode_info,
    proxies_of,
    subject_dn,
)

ALICE = person()
ANY_LANGUAGE = der.oid("1.3.6.1.5.5.7.21.0")


def raw(blob: bytes, oid: x509.ObjectIdentifier = PROXY_CERT_INFO) -> Extension:
    return x509.UnrecognizedExtension(oid, blob), True


def with_policy(language: bytes, policy: bytes) -> bytes:
    inner = der.element(der.SEQUENCE, language + der.element(der.OCTET_STRING, policy))
    return der.element(der.SEQUENCE, inner)


def refusal(credential: Proxy, error: type[BadCredential] = ProxyRuleBroken) -> str:
    with pytest.raises(error) as caught:
        identify(credential.chain, NOW)
    assert type(caught.value) is error
    return caught.value.message


# -- the extension ---------------------------------------------------------------------------------------


@settings(max_examples=examples(100), deadline=None)
@given(st.one_of(st.none(), st.integers(0, 2**40)), st.sampled_from([INHERIT_ALL, INDEPENDENT, LIMITED]))
def test_the_extension_is_read_as_it_was_written(path_length: int | None, language: bytes):
    written = ProxyInfo(path_length, language)
    assert decode_info(written.encode()) == written


def test_the_extension_is_written_as_globus_does():
    assert ProxyInfo(None, INHERIT_ALL).encode().hex() == "300c300a06082b06010505071501"
    assert ProxyInfo(None, LIMITED).encode().hex() == "300f300d060b2b060104019b5001010109"


def test_a_policy_is_read():
    assert decode_info(with_policy(ANY_LANGUAGE, b"all")) == ProxyInfo(None, ANY_LANGUAGE, b"all")


@settings(max_examples=examples(300), deadline=None)
@given(st.binary(max_size=40))
def test_arbitrary_bytes_are_read_or_refused(blob: bytes):
    try:
        decode_info(blob)
    except ValueError:
        pass


@pytest.mark.parametrize("blob", [
    b"", b"\x04\x02\x30\x00",
    der.element(der.SEQUENCE, der.element(der.OCTET_STRING, INHERIT_ALL)),
    der.element(der.SEQUENCE, b"\x02\x01\xff" + der.element(der.SEQUENCE, INHERIT_ALL)),
    ProxyInfo(None, INHERIT_ALL).encode() + b"\0",
    der.element(der.SEQUENCE, der.element(der.SEQUENCE, INHERIT_ALL) + b"\x05\0"),
    der.element(der.SEQUENCE, der.element(der.SEQUENCE, b"\x05\0")),
    der.element(der.SEQUENCE, der.element(der.SEQUENCE, INHERIT_ALL + b"\x05\0")),
    with_policy(ANY_LANGUAGE, b"x").replace(b"\x04\x01x", b"\x05\x01x"),
    der.element(der.SEQUENCE, der.element(der.SEQUENCE, INHERIT_ALL + b"\x04\0\x05\0")),
])
def test_what_is_no_proxy_cert_info_is_refused(blob: bytes):
    with pytest.raises(ValueError):
        decode_info(blob)
    assert "unreadable" in refusal(forge(ALICE, raw(blob)))


# -- chains that are accepted ----------------------------------------------------------------------------


@settings(max_examples=examples(20), deadline=None)
@given(st.lists(st.booleans(), max_size=5))
def test_a_chain_is_limited_from_its_first_limited_proxy_on(kinds: list[bool]):
    credential = ALICE
    for limited in kinds:
        credential = delegate(credential, limited=limited)
    found = identify(credential.chain, NOW)
    assert (found.limited, found.chain_length) == (any(kinds), len(kinds) + 1)


def test_a_limited_link_above_a_full_proxy_limits_it():
    full = forge(forge(ALICE, info(limited=True)), info())
    assert identify(full.chain, NOW).limited


def test_certificates_of_authorities_after_the_end_entity_are_passed_over():
    chain = (*delegate(ALICE).chain, CA)
    assert len(proxies_of(chain)) == 1
    assert identify(chain, NOW).chain_length == 2


@settings(max_examples=examples(30), deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(0, 3)), min_size=1, max_size=4))
def test_a_path_length_bounds_the_proxies_below(lengths: list[int | None]):
    credential = ALICE
    for length in lengths:
        credential = forge(credential, info(length))
    below = range(len(lengths) - 1, -1, -1)
    if all(length is None or count <= length for length, count in zip(lengths, below, strict=True)):
        assert identify(credential.chain, NOW).chain_length == len(lengths) + 1
    else:
        assert "path length" in refusal(credential)


# -- chains that are refused -----------------------------------------------------------------------------

USAGE = dict.fromkeys((
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False)
OTHER_ERRORS = {"legacy": LegacyProxy, "draft": LegacyProxy, "unreadable extensions": BadCredential}


@pytest.mark.parametrize(("credential", "reason"), [
    (forge(ALICE, info(critical=False)), "not critical"),
    (forge(ALICE, info(), added=[x509.NameAttribute(NameOID.ORGANIZATION_NAME, "o")]),
     "plus one common name"),
    (forge(ALICE, info(), added=[*common_name("1"), x509.NameAttribute(NameOID.SURNAME, "o")]),
     "plus one common name"),
    (forge(ALICE, info(), subject=x509.Name(common_name("mallory"))), "plus one common name"),
    (forge(ALICE, info(), subject=x509.Name([])), "plus one common name"),
    (forge(ALICE, info(), issuer_name=person("bob").chain[0].subject), "do not follow"),
    (forge(ALICE, info(), (x509.SubjectAlternativeName([x509.DNSName("a")]), False)), "subject name"),
    (forge(ALICE, info(), (x509.IssuerAlternativeName([x509.DNSName("a")]), False)), "issuer name"),
    (forge(ALICE, info(), (x509.BasicConstraints(True, None), True)), "authority"),
    (forge(ALICE, info(language=INDEPENDENT)), "independent"),
    (forge(ALICE, info(language=ANY_LANGUAGE)), "policy language"),
    (forge(ALICE, raw(with_policy(INHERIT_ALL, b"x"))), "has a policy"),
    (forge(forge(ALICE, info(), (x509.KeyUsage(**{**USAGE, "key_encipherment": True}), True)), info()),
     "digitalSignature"),
    (forge(ALICE, added=common_name("proxy")), "legacy"),
    (forge(ALICE, added=common_name("limited proxy")), "legacy"),
    (forge(forge(ALICE, added=common_name("proxy")), info()), "legacy"),
    (forge(ALICE, raw(b"\x30\0", DRAFT_CERT_INFO)), "draft"),
    (Proxy(delegate(ALICE).chain[:1], ALICE.key), "ends before"),
    (Proxy((CA,), ALICE.key), "authority"),
    (forge(ALICE, raw(b"\xff", x509.ObjectIdentifier("2.5.29.17")), info()), "unreadable extensions"),
], ids=lambda value: value if isinstance(value, str) else "chain")
def test_a_chain_against_the_rules_is_refused_by_name(credential: Proxy, reason: str):
    assert reason in refusal(credential, OTHER_ERRORS.get(reason, ProxyRuleBroken))


def test_a_proxy_may_have_other_key_usages_and_extensions():
    usage = x509.KeyUsage(**{**USAGE, "digital_signature": True})
    first = forge(ALICE, info(), (usage, True))
    credential = forge(first, info(), (x509.BasicConstraints(False, None), True))
    assert identify(credential.chain, NOW).chain_length == 3


def test_a_name_without_a_text_is_refused():
    name = x509.Name(common_name("alice/CN=bob"))
    with pytest.raises(BadCredential, match="ambiguous"):
        subject_dn(name)


def test_a_name_of_bits_is_written_in_hexadecimal():
    attribute = x509.NameAttribute(NameOID.X500_UNIQUE_IDENTIFIER, b"\x01\xab", x509.name._ASN1Type.BitString)
    assert subject_dn(x509.Name([attribute])) == "/2.5.4.45=01ab"
