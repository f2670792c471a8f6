"""Proxies from before RFC 3820, read where they are accepted."""

from __future__ import annotations

import pytest
from credential_builders import NOW, Extension, common_name, delegate, forge, info, person
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms import der
from wms.errors import BadCredential, ProxyRuleBroken
from wms.x509.legacy import GT2, GT3, any_proxy_info, legacy_proxies
from wms.x509.proxy import identify
from wms.x509.rfc3820 import DRAFT_CERT_INFO, INHERIT_ALL, LIMITED, ProxyInfo

USER = person()
ALL = der.element(der.SEQUENCE, INHERIT_ALL)


def draft(blob: bytes, *, critical: bool = True) -> Extension:
    return x509.UnrecognizedExtension(DRAFT_CERT_INFO, blob), critical


def read(*extensions: Extension) -> ProxyInfo | None:
    return any_proxy_info(forge(USER, *extensions).chain[0])


def test_a_proxy_of_globus_is_known_by_its_name():
    for name, language in (("proxy", INHERIT_ALL), ("limited proxy", LIMITED)):
        found = any_proxy_info(forge(USER, added=common_name(name)).chain[0])
        assert found == ProxyInfo(None, language, standard=GT2)


def test_a_proxy_of_the_draft_is_known_by_its_extension():
    assert read(draft(der.element(der.SEQUENCE, ALL))) == ProxyInfo(None, INHERIT_ALL, standard=GT3)
    length = der.element(0xA1, der.integer(3))
    limited = der.element(der.SEQUENCE, LIMITED)
    assert read(draft(der.element(der.SEQUENCE, limited + length))) == ProxyInfo(3, LIMITED, standard=GT3)


@pytest.mark.parametrize("blob", [
    b"", b"\x04\x00", der.element(der.SEQUENCE, b""), der.element(der.SEQUENCE, ALL) + b"\0",
    der.element(der.SEQUENCE, ALL + der.integer(3)), der.element(der.SEQUENCE, ALL + der.element(0xA1, b"")),
    der.element(der.SEQUENCE, ALL + 2 * der.element(0xA1, der.integer(3)))])
def test_an_extension_of_the_draft_that_cannot_be_read_is_refused(blob: bytes):
    with pytest.raises(ProxyRuleBroken, match="unreadable"):
        read(draft(blob))


@settings(max_examples=examples(100), deadline=None)
@given(st.binary(max_size=30))
def test_arbitrary_bytes_are_read_or_refused(blob: bytes):
    try:
        read(draft(blob))
    except BadCredential:
        pass


def test_critical_extensions_must_be_understood():
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"")
    with pytest.raises(ProxyRuleBroken, match=r"not understood: 1\.2\.3"):
        read(draft(der.element(der.SEQUENCE, ALL)), (unknown, True))


def test_others_are_what_they_were():
    assert any_proxy_info(USER.chain[0]) is None
    assert any_proxy_info(delegate(USER).chain[0]) == ProxyInfo(None, INHERIT_ALL)


def test_path_length_and_limits_of_old_proxies_hold():
    deep = forge(forge(USER, draft(der.element(der.SEQUENCE, ALL + der.element(0xA1, der.integer(0))))),
                 draft(der.element(der.SEQUENCE, ALL)))
    with pytest.raises(ProxyRuleBroken, match="path length"):
        identify(deep.chain, NOW, any_proxy_info)
    limited = forge(forge(USER, added=common_name("limited proxy")), added=common_name("proxy"))
    assert identify(limited.chain, NOW, any_proxy_info).limited


def test_every_old_proxy_of_a_chain_says_why_it_is_refused():
    chain = forge(forge(USER, added=common_name("proxy")), added=common_name("limited proxy")).chain
    assert [why.message for why in legacy_proxies(chain)] == [
        "this is a legacy proxy (CN=limited proxy, GT2), which is not accepted",
        "this is a legacy proxy (CN=proxy, GT2), which is not accepted"]
    assert legacy_proxies(forge(USER, info()).chain) == []
