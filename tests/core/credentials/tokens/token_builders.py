"""Tokens for tests, good ones and such as no honest issuer would sign."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from wms.identity import Identity
from wms.tokens.keys import Keys, parse
from wms.tokens.reading import read
from wms.tokens.verification import Rules, verify

NOW = 1_800_000_000.0
ISSUER = "https://tokens.example.org/dteam"
HERE = "https://wms.example.org:7772"
RULES = Rules(frozenset({HERE}), 60.0)
CURVES = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
CLAIMS: dict[str, Any] = {
    "iss": ISSUER, "sub": "alice", "aud": HERE, "iat": NOW - 10, "nbf": NOW - 10, "exp": NOW + 3600, "jti": "j1",
    "wlcg.ver": "1.3", "scope": "compute.read compute.create"}


@cache
def key(kind: str) -> Any:
    """A private key: an algorithm of ES*, or rsa:BITS."""
    if kind.startswith("rsa:"):
        return rsa.generate_private_key(65537, int(kind[4:]))
    return ec.generate_private_key(CURVES[kind]())


def private(algorithm: str) -> Any:
    return key(algorithm if algorithm in CURVES else "rsa:2048")


def jwk(algorithm: str, kid: str = "", **members: Any) -> dict[str, Any]:
    """The public half; its kid is the algorithm's name unless another is given. A member that is None is left out."""
    kind: Any = jwt.get_algorithm_by_name(algorithm)
    found: dict[str, Any] = kind.to_jwk(private(algorithm).public_key(), as_dict=True)
    found.pop("key_ops", None)
    whole = found | {"kid": kid or algorithm, "use": "sig"} | members
    return {name: value for name, value in whole.items() if value is not None}


def jwks(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


@cache
def known() -> Keys:
    return parse(jwks(jwk("ES256"), jwk("RS256", alg="RS256")))


def b64(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def signed(header: bytes, claims: bytes, algorithm: str = "ES256") -> str:
    """Any two texts with a good signature."""
    text = f"{b64(header)}.{b64(claims)}"
    kind: Any = jwt.get_algorithm_by_name(algorithm)
    return f"{text}.{b64(kind.sign(text.encode(), private(algorithm)))}"


def token(header: dict[str, Any] | None = None, algorithm: str = "ES256", **claims: Any) -> str:
    """A good token but for what is given; what is None is left out. Dots in names of claims are written as __."""
    head = {"alg": algorithm, "kid": algorithm, "typ": "at+jwt"} | (header or {})
    whole = CLAIMS | {name.replace("__", "."): value for name, value in claims.items()}
    return signed(_json(head), _json(whole), algorithm)


def hashed(secret: bytes) -> str:
    """HS256 over good claims."""
    text = f"{b64(_json({'alg': 'HS256', 'kid': 'RS256'}))}.{b64(_json(CLAIMS))}"
    return f"{text}.{b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def _json(record: dict[str, Any]) -> bytes:
    return json.dumps({name: value for name, value in record.items() if value is not None}).encode()


def judge(given: str, now: float = NOW, keys: Keys | None = None, issuer: str = ISSUER, vo: str = "dteam",
          rules: Rules = RULES) -> Identity:
    return verify(read(given), issuer, vo, known() if keys is None else keys, rules, now)
