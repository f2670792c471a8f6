"""A token taken apart: its header and its claims, of which nothing is believed yet.

Compact JWS only (RFC 7515, RFC 7519). Signature and claims are judged by `wms.tokens.verification`.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Any, NamedTuple, NoReturn

import msgspec
from msgspec import UNSET, Meta, field

from wms.errors import BadToken
from wms.identity import token_name

MOST_BYTES = 16_384
_SHOWN = re.compile(r"[\x21-\x7e]{1,400}")
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")

Moment = Annotated[float, Meta(ge=0, le=253_402_300_799)]
"""Epoch seconds, up to the year 9999."""


class Header(msgspec.Struct, frozen=True):
    """What we look at; keys that a token brings or names (jwk, jku, x5c, x5u) are not even read."""

    alg: str
    kid: str = ""
    typ: str = ""
    crit: Any = UNSET
    b64: Any = UNSET


class Claims(msgspec.Struct, frozen=True):
    """The claims of WLCG profile 1.3 that an access token must have, and those that we use."""

    iss: str
    sub: str
    aud: str | list[str]
    exp: Moment
    iat: Moment
    jti: Annotated[str, Meta(min_length=1, max_length=1000)]
    version: str = field(name="wlcg.ver")
    nbf: Moment = 0.0
    scope: str = ""
    groups: list[str] = field(name="wlcg.groups", default_factory=list)


class Unverified(NamedTuple):
    """`signed` is what `signature` should be of."""

    header: Header
    claims: Claims
    signed: bytes
    signature: bytes

    def __repr__(self) -> str:
        return f"Unverified(alg={self.header.alg!r}, iss={self.claims.iss!r})"


def bounded(token: str) -> bytes:
    """The token as bytes; BadToken when it is too long or holds what no token holds."""
    if len(token) > MOST_BYTES:
        raise BadToken(f"The token is too long: {len(token)} bytes; the limit is {MOST_BYTES}.", limit=MOST_BYTES)
    if not token.isascii():
        raise BadToken("The token is not ASCII text.")
    return token.encode("ascii")


def read(token: str) -> Unverified:
    """Raises BadToken for what is no signed token with the claims of the profile."""
    parts = bounded(token).decode().split(".")
    if len(parts) != 3:
        raise BadToken("The token is not of three parts, as signed tokens are (JWS).")
    header, claims, signature = (_segment(part) for part in parts)
    return Unverified(_record(header, Header, "header"), _record(claims, Claims, "claims"),
                      ".".join(parts[:2]).encode(), signature)


def claimed(token: str) -> str:
    """Whom a token that was refused says it is of, for logs; empty when that cannot be told."""
    try:
        claims = read(token).claims
    except BadToken:
        return ""
    name = token_name(claims.iss, claims.sub)
    return name if _SHOWN.fullmatch(name) else ""


def _segment(text: str) -> bytes:
    """Strictly: no padding, no other characters, no bits that are not used."""
    if _SEGMENT.fullmatch(text) is None or len(text) % 4 == 1:
        raise BadToken("A part of the token is not base64url.")
    content = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if urlsafe_b64encode(content).rstrip(b"=") != text.encode():
        raise BadToken("A part of the token is not base64url.")
    return content


def _record(content: bytes, kind: type[Any], what: str) -> Any:
    try:
        found = json.loads(content.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise BadToken(f"The part of the token for its {what} is not a JSON object with one value a name.") from None
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        raise BadToken(f"The part of the token for its {what} cannot be used: {error}.") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers of one token shall not see different values."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _no_number(_text: str) -> NoReturn:
    """NaN and infinities are not JSON."""
    raise ValueError("not a number")
