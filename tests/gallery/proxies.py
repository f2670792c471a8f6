"""Proxies that break a rule, are too old a kind, or are not enough for what is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from credential_builders import common_name
from cryptography import x509

from tests.gallery import odd
from tests.gallery.case import Ask, Case
from tests.gallery.certificates import EXPIRED, UNTRUSTED, shown, submitting
from tests.gallery.house import DAY, House
from wms import der
from wms.x509.proxy import Proxy, new_key
from wms.x509.rfc3820 import DRAFT_CERT_INFO, INDEPENDENT, INHERIT_ALL

RULES, LEGACY, LIMITED = "WMS_PROXY_RULES", "WMS_PROXY_LEGACY", "WMS_PROXY_LIMITED"
OTHER_NAME = x509.SubjectAlternativeName([x509.RFC822Name("alice@example.org")])
DRAFT = x509.UnrecognizedExtension(DRAFT_CERT_INFO, der.element(der.SEQUENCE, der.element(der.SEQUENCE, INHERIT_ALL)))


def below(*extensions: odd.Extension, **how: Any) -> Callable[[House], Proxy]:
    """A proxy of alice as nobody should make it."""
    return lambda h: h.forged(h.person("alice"), *extensions, **how)


def above(*extensions: odd.Extension) -> Callable[[House], Proxy]:
    """A good proxy of such a one: OpenSSL does not show the bad one as its own."""
    return lambda h: h.forged(below(*extensions)(h), odd.info())


def stranger_named(h: House) -> Proxy:
    return h.forged(h.person("alice"), odd.info(), subject=h.person("bob").chain[0].subject)


def by_another(h: House) -> Proxy:
    """A proxy in alice's name whose signature is bob's."""
    return h.forged(h.person("alice"), odd.info(), signer=h.person("bob"))


def unsigning(h: House) -> Proxy:
    return h.forged(odd.issued(h, "mute", (odd.NOT_SIGNING, True)), odd.info())


def past_length(h: House) -> Proxy:
    return h.forged(h.forged(h.person("alice"), odd.info(0)), odd.info())


def expired(h: House) -> Proxy:
    return h.forged(h.person("alice", start=h.now - 9 * DAY), odd.info(), start=h.now - DAY, end=h.now - 60)


def limited(h: House) -> Proxy:
    return h.proxy(h.person("alice"), limited=True)


def below_limited(h: House) -> Proxy:
    return h.forged(limited(h), odd.info())


CASES = (
    Case("proxy expired", 401, EXPIRED, shown(expired), "CN=alice"),
    Case("proxy expired, to submit", 401, EXPIRED, submitting(expired), "CN=alice"),
    Case("proxy not yet valid", 401, "WMS_PROXY_NOT_YET_VALID",
         shown(lambda h: h.forged(h.person("alice"), odd.info(), start=h.now + DAY, end=h.now + 2 * DAY)), "CN=alice"),
    Case("limited proxy submits", 403, LIMITED, submitting(limited), "CN=alice"),
    Case("proxy of a limited proxy submits", 403, LIMITED, submitting(below_limited), "CN=alice"),
    Case("limited proxy asks to delegate", 403, LIMITED,
         lambda h: Ask("POST", "/ns/v1/delegations/mine", credential=limited(h)), "CN=alice"),
    Case("limited proxy delegates", 403, LIMITED,
         lambda h: Ask("PUT", "/ns/v1/delegations/mine", b'{"chain_pem": ""}', credential=limited(h)), "CN=alice"),
    Case("limited proxy destroys a delegation", 403, LIMITED,
         lambda h: Ask("DELETE", "/ns/v1/delegations/mine", credential=limited(h)), "CN=alice"),
    Case("independent proxy", 401, RULES, shown(below(odd.info(language=INDEPENDENT))), "CN=alice"),
    Case("policy language unknown", 401, RULES, shown(below(odd.info(language=b"\x06\x02\x2a\x03"))), "CN=alice"),
    Case("path length exceeded", 401, RULES, shown(past_length), "CN=alice"),
    Case("another name in the proxy", 401, RULES, shown(stranger_named), "CN=bob"),
    Case("two names added", 401, RULES,
         shown(below(odd.info(), added=[*common_name("7"), *common_name("8")])), "CN=alice"),
    Case("issuer may not sign", 401, RULES, shown(unsigning), "CN=mute"),
    Case("proxy that is an authority", 401, UNTRUSTED,
         shown(above(odd.info(), (x509.BasicConstraints(True, None), True))), "CN=alice"),
    Case("proxy with an alternative name", 401, UNTRUSTED, shown(above(odd.info(), (OTHER_NAME, False))), "CN=alice"),
    Case("proxy information not critical", 401, RULES, shown(below(odd.info(critical=False))), "CN=alice"),
    Case("proxy of Globus 2", 401, LEGACY, shown(below(added=common_name("proxy"))), "CN=alice"),
    Case("limited proxy of Globus 2", 401, LEGACY, shown(below(added=common_name("limited proxy"))), "CN=alice"),
    Case("proxy of the draft", 401, LEGACY, shown(below((DRAFT, True))), "CN=alice"),
    Case("twenty-one proxies", 401, RULES, shown(lambda h: odd.deep(h.person("alice"), h, 21)), "CN=alice"),
    Case("proxy issued with the key of another", 401, UNTRUSTED, shown(by_another), "CN=alice"),
    Case("proxy without its owner's certificate", 401, UNTRUSTED,
         shown(lambda h: odd.alone(h.proxy(h.person("alice")))), "CN=alice"),
    Case("proxy with an unknown critical extension", 401, "UI_PROXY_INVALID", shown(below(
        odd.info(), (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\0"), True))), "CN=alice"),
    Case("unreadable proxy information", 401, RULES, shown(above(
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.14"), b"\x30\x01\x05"), True))), "CN=alice"),
    Case("proxy with a forged signature", 401, UNTRUSTED, shown(lambda h: h.forged(
        h.person("alice"), odd.info(), signer=Proxy((), new_key("ec")))), "CN=alice"),
)
