"""The keys of an issuer, from its JWK set (RFC 7517). A key that cannot be used is skipped, and named with the reason.

Fetched and kept by `wms.issuers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from msgspec import Meta

from wms.errors import Unavailable

RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
CURVES: Mapping[str, str] = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
ALGORITHMS = RSA_ALGORITHMS | set(CURVES.values())
"""All that a token may be signed with: asymmetric ones, as the profile demands."""
LEAST_RSA_BITS, MOST_RSA_BITS, MOST_EXPONENT = 2048, 8192, 2**32
MOST_KEYS = 200

Text = Annotated[str, Meta(max_length=2000)]


class Jwk(msgspec.Struct, frozen=True):
    """The public members of one key."""

    kty: Text
    kid: Annotated[str, Meta(max_length=255)] = ""
    use: Text = "sig"
    key_ops: list[str] = msgspec.field(default_factory=lambda: ["verify"])
    alg: Text = ""
    n: Text = ""
    e: Text = ""
    crv: Text = ""
    x: Text = ""
    y: Text = ""


class Key(NamedTuple):
    """`algorithms`: those that a signature by this key may name."""

    algorithms: frozenset[str]
    public: RSAPublicKey | EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class Keys:
    """By id and algorithm; `skipped` says in words which keys of the set are not here."""

    by_id: Mapping[tuple[str, str], Key] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()

    def verifies(self, kid: str, algorithm: str, signed: bytes, signature: bytes) -> bool | None:
        """Is it a signature by that key? None: there is no such key."""
        key = self.by_id.get((kid, algorithm))
        if key is None:
            return None
        kind: Any = jwt.get_algorithm_by_name(algorithm)
        return bool(kind.verify(signed, key.public, signature))


class _Set(msgspec.Struct, frozen=True):
    keys: list[msgspec.Raw]


class _Unusable(Exception):
    """Why a key is skipped."""


def parse(content: bytes) -> Keys:
    """The usable keys of a JWK set, perhaps none. Raises Unavailable for what is no such set."""
    try:
        given = _decode_set(content).keys
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unavailable("its keys are not a JWK set") from None
    found: dict[tuple[str, str], Key] = {}
    skipped = [f"{len(given) - MOST_KEYS} keys too many"] if len(given) > MOST_KEYS else []
    for number, raw in enumerate(given[:MOST_KEYS], 1):
        try:
            _add(found, *_key(raw))
        except _Unusable as why:
            skipped.append(f"key {number}: {why}")
    return Keys(found, tuple(skipped))


def _add(found: dict[tuple[str, str], Key], kid: str, key: Key) -> None:
    """The first of two that a token could mean counts."""
    if any((kid, algorithm) in found for algorithm in key.algorithms):
        raise _Unusable("its kid is that of a key before it")
    found.update(((kid, algorithm), key) for algorithm in key.algorithms)


def _key(raw: msgspec.Raw) -> tuple[str, Key]:
    try:
        jwk = _decode_key(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _Unusable("it is no JWK") from None
    if not jwk.kid:
        raise _Unusable("it has no kid")
    if jwk.use != "sig" or "verify" not in jwk.key_ops:
        raise _Unusable("it is not for signatures")
    key = _rsa(jwk) if jwk.kty == "RSA" else _elliptic(jwk)
    if jwk.alg and jwk.alg not in key.algorithms:
        raise _Unusable("it is of another kind than its alg says, or alg is not accepted")
    return jwk.kid, Key(frozenset({jwk.alg}), key.public) if jwk.alg else key


def _rsa(jwk: Jwk) -> Key:
    public: RSAPublicKey = _public("RS256", {"kty": "RSA", "n": jwk.n, "e": jwk.e})
    if not LEAST_RSA_BITS <= public.key_size <= MOST_RSA_BITS:
        raise _Unusable(f"RSA keys are of {LEAST_RSA_BITS} to {MOST_RSA_BITS} bits, this one of {public.key_size}")
    if public.public_numbers().e > MOST_EXPONENT:
        raise _Unusable("its exponent is too large")
    return Key(RSA_ALGORITHMS, public)


def _elliptic(jwk: Jwk) -> Key:
    if jwk.kty != "EC" or jwk.crv not in CURVES:
        raise _Unusable("only RSA and EC (P-256, P-384, P-521) are accepted")
    members = {"kty": "EC", "crv": jwk.crv, "x": jwk.x, "y": jwk.y}
    return Key(frozenset({CURVES[jwk.crv]}), _public(CURVES[jwk.crv], members))


def _public(algorithm: str, members: dict[str, str]) -> Any:
    kind: Any = jwt.get_algorithm_by_name(algorithm)
    try:
        return kind.from_jwk(members)
    except (jwt.PyJWTError, ValueError, UnsupportedAlgorithm):
        raise _Unusable("its numbers are those of no key") from None


_decode_set = msgspec.json.Decoder(_Set).decode
_decode_key = msgspec.json.Decoder(Jwk).decode
