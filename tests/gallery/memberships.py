"""VOMS attributes that speak for nobody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from credential_builders import CA
from voms_builders import attributes, carrying, server

from tests.gallery.case import Case
from tests.gallery.certificates import shown, submitting
from tests.gallery.house import DAY, House
from wms import der
from wms.voms import certificate
from wms.x509 import proxy
from wms.x509.proxy import Proxy

INVALID, EXPIRED, UNTRUSTED = "WMS_VOMS_INVALID", "WMS_VOMS_EXPIRED", "WMS_VOMS_UNTRUSTED"
Made = Callable[[House], Proxy]


def member(*fqans: str, **how: Any) -> Made:
    """Alice with an attribute certificate that was made like this."""

    def make(h: House) -> Proxy:
        alice = h.person("alice")
        return carrying(alice, attributes(h.voms, alice.chain[0], *fqans, **{"now": h.now, **how}), now=h.now)

    return make


def when(begin_s: float, end_s: float) -> Made:
    return lambda h: member("/testvo", begin=h.now + begin_s, end=h.now + end_s)(h)


def of_another(h: House) -> Proxy:
    return carrying(h.person("alice"), attributes(h.voms, h.person("bob").chain[0], "/testvo", now=h.now), now=h.now)


def forged(h: House) -> Proxy:
    return member("/testvo", signer=proxy.new_key("ec"))(h)


def other_server(h: House) -> Proxy:
    """A server of the VO by its own word: its names are not those of the LSC file."""
    false = server(host="voms.example.net", ca=h.ca, start=h.now)
    alice = h.person("alice")
    return carrying(alice, attributes(false, alice.chain[0], "/testvo", now=h.now), now=h.now)


def impostor_server(h: House) -> Proxy:
    """The names of the LSC file, certified by somebody who is not trusted."""
    false = server(ca=h.impostor, start=h.now)
    alice = h.person("alice")
    return carrying(alice, attributes(false, alice.chain[0], "/testvo", now=h.now), now=h.now)


def damaged(h: House) -> Proxy:
    alice = h.person("alice")
    whole = attributes(h.voms, alice.chain[0], "/testvo", now=h.now)
    return carrying(alice, whole[:4] + b"\x31" + whole[5:], now=h.now)


def changed(h: House) -> Proxy:
    """A membership rewritten after it was signed."""
    alice = h.person("alice")
    whole = attributes(h.voms, alice.chain[0], "/testvo/user", now=h.now)
    return carrying(alice, whole.replace(b"/testvo/user", b"/testvo/root"), now=h.now)


def no_targets(h: House) -> Proxy:
    nobody = der.element(der.SEQUENCE, der.oid(certificate.TARGETS) + b"\x01\x01\xff"
                         + der.element(der.OCTET_STRING, der.element(der.SEQUENCE, b"")))
    return member("/testvo", extensions=[nobody])(h)


CASES = (
    Case("attributes expired", 401, EXPIRED, shown(when(-7200, -3600)), "CN=alice"),
    Case("attributes expired, to submit", 401, EXPIRED, submitting(when(-7200, -3600)), "CN=alice"),
    Case("attributes not yet valid", 401, INVALID, shown(when(DAY, 2 * DAY)), "CN=alice"),
    Case("attributes of another holder", 401, UNTRUSTED, shown(of_another), "CN=alice"),
    Case("attributes with a forged signature", 401, UNTRUSTED, shown(forged), "CN=alice"),
    Case("attributes rewritten", 401, UNTRUSTED, shown(changed), "CN=alice"),
    Case("attributes of a server that no LSC file names", 401, UNTRUSTED, shown(other_server), "CN=alice"),
    Case("attributes of a server with an untrusted certificate", 401, UNTRUSTED, shown(impostor_server), "CN=alice"),
    Case("attributes without their server's certificate", 401, UNTRUSTED,
         shown(member("/testvo", certificates=[])), "CN=alice"),
    Case("attributes with a foreign certificate", 401, UNTRUSTED,
         shown(member("/testvo", certificates=[CA])), "CN=alice"),
    Case("attributes for another host", 401, UNTRUSTED,
         shown(member("/testvo", targets=["elsewhere.example.org"])), "CN=alice"),
    Case("attributes for no host at all", 401, UNTRUSTED, shown(no_targets), "CN=alice"),
    Case("membership of another VO", 401, INVALID, shown(member("/othervo/Role=admin")), "CN=alice"),
    Case("no membership", 401, INVALID, shown(member(said=b"")), "CN=alice"),
    Case("attributes damaged", 401, INVALID, shown(damaged), "CN=alice"),
    Case("attributes without a holder", 401, UNTRUSTED, shown(member("/testvo", by="")), "CN=alice"),
    Case("attributes by a weak digest", 401, UNTRUSTED, shown(member("/testvo", digest="sha1")), "CN=alice"),
)
