"""Delegated credentials that are not what was asked for, and uses of what somebody else delegated."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from voms_builders import attributes, carrying

from tests.gallery import odd
from tests.gallery.case import Ask, Asks, Case
from tests.gallery.house import DAY, House, key, put_chain
from wms.x509 import proxy
from wms.x509.proxy import Proxy

ALICE, REPLAYED, FOREIGN, MISUSE = "CN=alice", "WMS_DELEGATION_REPLAYED", "WMS_DELEGATION_FOREIGN", "UI_ARG_MISMATCH"
PLACE = "/ns/v1/delegations/"


def answering(sign: Callable[[House, str], str]) -> Asks:
    """Alice asked for a signature; this is what she answers."""
    return lambda h: put_chain(h.alice, "mine", sign(h, h.request(h.alice, "mine")))


def chain(h: House, csr: str, by: Proxy, **how: Any) -> str:
    """What `by` signs for a request."""
    lifetime = how.pop("lifetime_s", DAY / 4)
    cert = proxy.new_proxy(by.chain, by.key, proxy.requested_key(csr.encode()), time.time(), lifetime,
                           serial=secrets.randbits(60) + 1, **how)
    return pem(cert, *by.chain)


def pem(*certs: x509.Certificate) -> str:
    return "".join(cert.public_bytes(Encoding.PEM).decode() for cert in certs)


def forged(h: House, csr: str, *, start: float = -60, end: float = 3600, by: Proxy | None = None,
           signer: proxy.PrivateKey | None = None) -> str:
    """What the library does not sign: times are seconds from now."""
    by = by or h.alice
    name = x509.Name([*by.chain[0].subject, x509.NameAttribute(NameOID.COMMON_NAME, "7")])
    extension, critical = odd.info()
    cert = (x509.CertificateBuilder(by.chain[0].subject, name, proxy.requested_key(csr.encode()), 7)
            .not_valid_before(datetime.fromtimestamp(h.now + start, UTC))
            .not_valid_after(datetime.fromtimestamp(h.now + end, UTC))
            .add_extension(extension, critical).sign(signer or by.key, hashes.SHA256()))
    return pem(cert, *by.chain)


def ours(h: House) -> Ask:
    """A key that was not made at the service."""
    return put_chain(h.alice, "mine", chain(h, proxy.request()[1].decode(), h.alice))


def again(h: House) -> Ask:
    return put_chain(h.alice, "mine", h.delegate(h.alice, "mine"))


def under_another_name(h: House) -> Ask:
    return put_chain(h.alice, "main", chain(h, h.request(h.alice, "mine"), h.alice))


def for_another(h: House) -> Ask:
    """Bob's request, answered by alice."""
    return put_chain(h.alice, "theirs", chain(h, h.request(h.bob, "theirs"), h.alice))


def member(h: House) -> Proxy:
    """Alice, with the same certificate, and a VO."""
    alice = h.person("alice")
    return carrying(alice, attributes(h.voms, alice.chain[0], "/testvo", now=h.now), now=h.now, lifetime_s=DAY / 2)


def with_key(h: House, csr: str) -> str:
    return chain(h, csr, h.alice) + proxy.key_pem(h.alice.key).decode()


def registering(make: Callable[[House], Proxy], name: str) -> Asks:
    body = json.dumps({"jdl": '[Executable = "/bin/true";]', "delegation": name, "vo": "local"}).encode()
    return lambda h: Ask("POST", "/ns/v1/jobs", body, key(), make(h))


def named(name: str) -> Asks:
    return lambda h: Ask("POST", PLACE + name, credential=h.alice)


CASES = (
    Case("chain for another key", 409, REPLAYED, ours, ALICE),
    Case("chain sent again", 409, REPLAYED, again, ALICE),
    Case("chain under another name", 409, REPLAYED, under_another_name, ALICE),
    Case("chain for the request of another", 409, REPLAYED, for_another, ALICE),
    Case("chain of another person", 401, FOREIGN, answering(lambda h, csr: chain(h, csr, h.bob)), ALICE),
    Case("chain with other memberships", 401, FOREIGN, answering(lambda h, csr: chain(h, csr, member(h))), ALICE),
    Case("chain that outlives its caller", 401, FOREIGN, answering(
        lambda h, csr: chain(h, csr, h.person("alice"), lifetime_s=9 * DAY)), ALICE),
    Case("chain that is limited", 403, "WMS_PROXY_LIMITED",
         answering(lambda h, csr: chain(h, csr, h.alice, limited=True)), ALICE),
    Case("chain beyond the path length", 401, "WMS_PROXY_RULES", answering(
        lambda h, csr: forged(h, csr, by=h.forged(h.forged(h.person("alice"), odd.info(0)), odd.info()))), ALICE),
    Case("chain that has expired", 401, "UI_PROXY_EXPIRED",
         answering(lambda h, csr: forged(h, csr, start=-7200, end=-60)), ALICE),
    Case("chain not yet valid", 401, "WMS_PROXY_NOT_YET_VALID",
         answering(lambda h, csr: forged(h, csr, start=3600, end=7200)), ALICE),
    Case("chain that ends in a minute", 401, "UI_PROXY_DURATION",
         answering(lambda h, csr: chain(h, csr, h.alice, lifetime_s=60)), ALICE),
    Case("chain with a forged signature", 401, "UI_PROXY_UNTRUSTED",
         answering(lambda h, csr: forged(h, csr, signer=proxy.new_key("ec"))), ALICE),
    Case("chain with a private key", 401, "UI_PROXY_INVALID", answering(with_key), ALICE),
    Case("chain that is none", 401, "UI_PROXY_NOT_FOUND", answering(lambda h, csr: "nothing"), ALICE),
    Case("chain of garbage", 401, "UI_PROXY_INVALID", answering(
        lambda h, csr: "-----BEGIN CERTIFICATE-----\nZ2FyYmFnZQ==\n-----END CERTIFICATE-----\n"), ALICE),
    Case("chain too long", 400, MISUSE, answering(lambda h, csr: chain(h, csr, h.alice) * 200), ALICE),
    Case("delegation named with a slash", 400, MISUSE, named("a%2Fb"), ALICE),
    Case("delegation named to climb", 400, MISUSE, named("..%2F..%2Fetc"), ALICE),
    Case("delegation named with 129 characters", 400, MISUSE, named("x" * 129), ALICE),
    Case("delegation named with a null", 404, "NS_NOT_FOUND", named("a%00b")),
    Case("one delegation too many", 409, "NS_OPERATION_NOT_ALLOWED",
         lambda h: Ask("POST", PLACE + "three", credential=h.carol), "CN=carol"),
    Case("delegation of another submitted with", 428, "NS_DELEGATION_NEEDED",
         registering(lambda h: h.bob, "main"), "CN=bob"),
    Case("delegation with other memberships submitted with", 401, FOREIGN, lambda h: Ask(
        "POST", "/ns/v1/jobs", b'{"jdl": "[Executable = \\"/bin/true\\";]", "delegation": "main"}', key(), member(h)),
        ALICE),
    Case("delegation of another looked at", 404, "NS_NOT_FOUND",
         lambda h: Ask(path=PLACE + "mine", credential=h.bob), "CN=bob"),
    Case("delegation of another destroyed", 404, "NS_NOT_FOUND",
         lambda h: Ask("DELETE", PLACE + "mine?force=yes", credential=h.bob), "CN=bob"),
    Case("delegation destroyed that jobs need", 409, "NS_OPERATION_NOT_ALLOWED",
         lambda h: Ask("DELETE", PLACE + "main", credential=h.alice), ALICE),
    Case("proxy delegated with a token", 400, MISUSE, lambda h: Ask(
        "POST", PLACE + "mine", headers=(("Authorization", f"Bearer {h.token()}"),)), "#alice"),
    Case("token delegated with a certificate", 400, MISUSE,
         lambda h: Ask("PUT", PLACE + "mine/token", b"{}", credential=h.alice), ALICE),
)
