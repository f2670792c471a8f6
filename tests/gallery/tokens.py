"""Tokens that are expired, forged, another's, or not enough for what is asked."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.gallery.case import Ask, Asks, Case
from tests.gallery.house import House
from tests.gallery.operations import ask
from wms.authz.actions import ACTIONS
from wms.operations import OPERATIONS

INVALID, NOBODY = "WMS_TOKEN_INVALID", "NS_AUTHENTICATION"
SCOPES = {action.scope for action in ACTIONS.values() if action.scope}
SUBJECT = "#alice"


def bearing(make: Callable[[House], str], scheme: str = "Bearer") -> Asks:
    return lambda h: Ask(headers=(("Authorization", f"{scheme} {make(h)}"),))


def minted(**claims: Any) -> Asks:
    """A token of the issuer with other claims; times are seconds from now."""
    def make(h: House) -> str:
        times = {name: int(h.now + claims[name]) for name in ("exp", "nbf", "iat") if name in claims}
        return h.token(**{**claims, **times})

    return bearing(make)


def part(value: Any) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def compact(h: House, header: dict[str, Any], sign: Callable[[bytes], bytes], **claims: Any) -> str:
    """The claims of a good token under another header and signature."""
    good = jwt.decode(h.token(), options={"verify_signature": False})
    signed = f"{part({'kid': h.issuer.keys[-1].kid, **header})}.{part({**good, **claims})}"
    return f"{signed}.{urlsafe_b64encode(sign(signed.encode())).rstrip(b'=').decode()}"


def confused(h: House) -> str:
    """Signed with the issuer's public key as if it were a secret."""
    public = h.issuer.keys[-1].private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return compact(h, {"alg": "HS256"}, lambda text: hmac.digest(public, text, hashlib.sha256))


def resigned(h: House) -> str:
    """Claims of one token, signature of another."""
    return h.token("bob").rpartition(".")[0] + "." + h.token().rpartition(".")[2]


def damaged(h: House) -> str:
    head, claims, signature = h.token().split(".")
    return f"{head}.{claims[:-2]}.{signature}"


def lacking(action: str) -> Case:
    """A token with all scopes but the one that the first operation of this action needs."""
    row = next(row for row in OPERATIONS.values() if row.action == action and row.right != "attempt")
    scope = " ".join(sorted(SCOPES - {ACTIONS[action].scope}))
    return Case(f"scope missing to {action}", 403, "WMS_TOKEN_SCOPE", lambda h: ask(
        h, row, headers=(("Authorization", f"Bearer {h.token(scope=scope)}"),)), SUBJECT)


def twice(h: House) -> Ask:
    return Ask(headers=(("Authorization", f"Bearer {h.token()}"), ("Authorization", f"Bearer {h.token('bob')}")))


def beside_a_bad_certificate(h: House) -> Ask:
    return Ask(headers=(("Authorization", f"Bearer {h.token()}"),), credential=h.person("ann", h.stranger))


CASES = (
    Case("token expired", 401, "WMS_TOKEN_EXPIRED", minted(exp=-10), SUBJECT),
    Case("token not yet valid", 401, "WMS_TOKEN_NOT_YET_VALID", minted(nbf=7200, exp=9000), SUBJECT),
    Case("token issued in the future", 401, "WMS_TOKEN_NOT_YET_VALID", minted(iat=7200, exp=9000), SUBJECT),
    Case("token for another service", 401, "WMS_TOKEN_AUDIENCE", minted(aud="https://elsewhere.example.org"), SUBJECT),
    Case("token for nobody", 401, "WMS_TOKEN_AUDIENCE", minted(aud=[]), SUBJECT),
    Case("token of an unknown issuer", 401, "WMS_TOKEN_ISSUER", minted(iss="https://issuer.example.org"), SUBJECT),
    Case("token of an issuer that is down", 503, "NS_NOT_AVAILABLE",
         bearing(lambda h: h.token(iss=h.dead_issuer))),
    Case("token that is not signed", 401, INVALID, bearing(
        lambda h: compact(h, {"alg": "none"}, lambda _text: b"x")), SUBJECT),
    Case("token without a signature", 401, INVALID, bearing(lambda h: compact(h, {"alg": "none"}, lambda _text: b""))),
    Case("token signed with the public key", 401, INVALID, bearing(confused), SUBJECT),
    Case("token with an unknown key id", 401, "WMS_TOKEN_KEY", minted(header={"kid": "unknown"}), SUBJECT),
    Case("token without a key id", 401, INVALID, minted(header={"kid": None}), SUBJECT),
    Case("token with the signature of another", 401, INVALID, bearing(resigned), "#bob"),
    Case("token damaged", 401, INVALID, bearing(damaged)),
    Case("token that demands an extension", 401, INVALID, minted(header={"crit": ["b64"], "b64": True}), SUBJECT),
    Case("token of another kind", 401, INVALID, minted(header={"typ": "JWE"}), SUBJECT),
    Case("token with a key of its own", 401, "WMS_TOKEN_KEY", minted(header={"kid": "own", "jwk": {"kty": "oct"}}),
         SUBJECT),
    Case("token of another profile", 401, INVALID, minted(**{"wlcg.ver": "2.0"}), SUBJECT),
    Case("token without an end", 401, INVALID, bearing(lambda h: h.token(exp=None))),
    Case("token with a group outside the VO", 401, INVALID, minted(**{"wlcg.groups": ["/other/pilots"]}), SUBJECT),
    Case("token whose subject is a name of somebody", 401, INVALID, bearing(lambda h: h.token("x/CN=alice"))),
    Case("token of three words", 401, INVALID, bearing(lambda h: "one.two.three")),
    Case("token too long", 400, "NS_BAD_REQUEST", bearing(lambda h: h.token(pad="x" * 20_000))),
    Case("no scope at all", 403, "WMS_TOKEN_SCOPE", minted(scope=""), SUBJECT),
    Case("two tokens", 401, NOBODY, twice),
    Case("password instead of a token", 401, NOBODY, bearing(lambda h: "YWxpY2U6c2VjcmV0LW9mLWFsaWNlLTEyMzQ1Njc4OTA=",
                                                             "Basic")),
    Case("empty token", 401, NOBODY, bearing(lambda h: "")),
    Case("token in the address", 401, NOBODY, lambda h: Ask(path=f"/ns/v1/delegations?access_token={h.token()}")),
    Case("good token beside a bad certificate", 401, "UI_PROXY_UNTRUSTED", beside_a_bad_certificate, "CN=ann"),
    Case("capability where a user is asked for", 403, "WMS_CAPABILITY_FOREIGN",
         bearing(lambda h: h.capability(h.running))),
    Case("nobody at all", 401, NOBODY, lambda h: Ask()),
    *(lacking(name) for name, action in ACTIONS.items() if action.scope),
)
