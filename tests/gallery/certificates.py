"""Certificates that are nobody's."""

from __future__ import annotations

from collections.abc import Callable

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.gallery import odd
from tests.gallery.case import Ask, Asks, Case
from tests.gallery.house import DAY, REVOKED, House, key
from wms.x509 import proxy
from wms.x509.proxy import Proxy

UNTRUSTED, EXPIRED, CRL = "UI_PROXY_UNTRUSTED", "UI_PROXY_EXPIRED", "WMS_CRL_UNUSABLE"
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\0")


def shown(make: Callable[[House], Proxy]) -> Asks:
    """What the credential is shown for: a harmless question, and it is refused."""
    return lambda h: Ask(credential=make(h))


def submitting(make: Callable[[House], Proxy]) -> Asks:
    body = b'{"jdl": "[Executable = \\"/bin/true\\";]", "delegation": "main"}'
    return lambda h: Ask("POST", "/ns/v1/jobs", body, key(), make(h))


def authority(h: House) -> Proxy:
    return proxy.load(h.ca.certificate + h.ca.key)


def below_a_person(h: House) -> Proxy:
    """A certificate that somebody who is no authority signed, for another name."""
    return h.forged(h.person("alice"), subject=h.person("bob").chain[0].subject)


def many(h: House) -> Proxy:
    return odd.with_others(h.person("alice"), [h.person("other").chain[0]] * 25)


CASES = (
    Case("certificate expired", 401, EXPIRED,
         shown(lambda h: h.person("late", start=h.now - 9 * DAY, days=1)), "CN=late"),
    Case("certificate not yet valid", 401, "WMS_PROXY_NOT_YET_VALID",
         shown(lambda h: h.person("early", start=h.now + 2 * DAY)), "CN=early"),
    Case("certificate expired, to submit", 401, EXPIRED,
         submitting(lambda h: h.person("late", start=h.now - 9 * DAY, days=1)), "CN=late"),
    Case("unknown authority", 401, UNTRUSTED, shown(lambda h: h.proxy(h.person("ann", h.stranger))), "CN=ann"),
    Case("unknown authority, to submit", 401, UNTRUSTED,
         submitting(lambda h: h.proxy(h.person("ann", h.stranger))), "CN=ann"),
    Case("authority of the same name with another key", 401, UNTRUSTED,
         shown(lambda h: h.proxy(h.person("alice", h.impostor))), "CN=alice"),
    Case("certificate signed by itself", 401, UNTRUSTED,
         shown(lambda h: proxy.load(h.stranger.certificate + h.stranger.key)), "CN=Other CA"),
    Case("certificate revoked", 401, "WMS_PROXY_REVOKED", shown(lambda h: h.person("gone", serial=REVOKED)), "CN=gone"),
    Case("proxy of a revoked certificate", 401, "WMS_PROXY_REVOKED",
         submitting(lambda h: h.proxy(h.person("gone", serial=REVOKED))), "CN=gone"),
    Case("revocation list too old", 401, CRL,
         shown(lambda h: h.person("ann", h.authorities["stale"])), "DC=stale/CN=ann"),
    Case("revocation list signed by another", 401, CRL,
         shown(lambda h: h.person("ann", h.authorities["forged"])), "DC=forged/CN=ann"),
    Case("revocation list required and missing", 401, CRL,
         shown(lambda h: h.person("ann", h.authorities["listless"])), "DC=listless/CN=ann"),
    Case("signing policy violated", 401, "WMS_SIGNING_POLICY",
         shown(lambda h: h.person("ann", h.authorities["bound"])), "DC=bound/CN=ann"),
    Case("certificate of an authority as identity", 401, UNTRUSTED, shown(authority), "CN=Private CA"),
    Case("issued by a person", 401, UNTRUSTED, shown(below_a_person), "CN=bob"),
    Case("unknown critical extension", 401, "UI_PROXY_INVALID",
         shown(lambda h: odd.issued(h, "critical", (UNKNOWN, True))), "CN=critical"),
    Case("certificate for servers only", 401, UNTRUSTED, shown(lambda h: odd.issued(
        h, "server", (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False))), "CN=server"),
    Case("weak RSA key", 401, UNTRUSTED, shown(odd.weak), "CN=weak"),
    Case("name that is a bit string", 401, "UI_PROXY_INVALID", shown(odd.bit_string_name), "unreadable name"),
    Case("more than twenty certificates", 401, "WMS_PROXY_RULES", shown(many), "CN=alice"),
)
