"""From a token to an identity: signature and claims by the rules of the WLCG profile, version 1.3.

Every rule raises an error of ours with a sentence, which never holds the token. Why these rules: ADR 37.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from msgspec import UNSET

from wms.errors import (
    BadToken,
    TokenAudience,
    TokenExpired,
    TokenIssuerUnknown,
    TokenKeyUnknown,
    TokenNotYetValid,
)
from wms.identity import TOKEN, Identity, canonical_dn, token_name
from wms.tokens.keys import ALGORITHMS, Keys
from wms.tokens.reading import Claims, Header, Unverified

ANY_AUDIENCE = "https://wlcg.cern.ch/jwt/v1/any"
MAJOR_VERSION = "1"
MOST_GROUPS = 500
KINDS = frozenset({"", "jwt", "at+jwt", "application/at+jwt"})
"""What `typ` may be, in lower case: nothing, a JWT, an access token (RFC 9068)."""

_VERSION = re.compile(r"([0-9]+)\.[0-9]+")
_SUBJECT = re.compile(r"[\x21-\x7e]{1,255}")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: +[\x21\x23-\x5b\x5d-\x7e]+)*")
_GROUP = re.compile(r"(?:/[a-zA-Z0-9][a-zA-Z0-9_.-]*)+")
_NEW = "Get a new one: wms login."


@dataclass(frozen=True, slots=True)
class Rules:
    """What this service demands: one of its `audiences`, and clocks that are not wronger than `skew_s`."""

    audiences: frozenset[str]
    skew_s: float = 60.0


def verify(token: Unverified, issuer: str, vo: str, keys: Keys, rules: Rules, now: float) -> Identity:
    """Whom the token of that issuer speaks for. `vo` is the issuer's VO, by configuration.

    Raises TokenIssuerUnknown, TokenKeyUnknown, TokenExpired, TokenNotYetValid, TokenAudience, else BadToken.
    """
    claims = token.claims
    if claims.iss != issuer:
        raise TokenIssuerUnknown("The token is of another issuer.")
    _check_header(token.header)
    _check_signature(token, keys)
    _check_version(claims)
    _check_times(claims, rules.skew_s, now)
    _check_audience(claims, rules.audiences)
    scopes = _scopes(claims)
    return Identity(_name(claims), kind=TOKEN, issuer=issuer, subject=claims.sub, groups=_groups(claims, vo),
                    scopes=scopes, vo=vo, not_after=claims.exp)


def _check_header(header: Header) -> None:
    if header.alg not in ALGORITHMS:
        raise BadToken("The token is signed with an algorithm that is not accepted here.",
                       hint=f"Accepted: {', '.join(sorted(ALGORITHMS))}.")
    if header.crit is not UNSET or header.b64 is not UNSET:
        raise BadToken("The token demands extensions that are not understood here (crit).")
    if header.typ.lower() not in KINDS:
        raise BadToken("The token is of another kind than an access token (typ).")
    if not header.kid:
        raise BadToken("The token does not say with which key it is signed (kid).")


def _check_signature(token: Unverified, keys: Keys) -> None:
    header = token.header
    good = keys.verifies(header.kid, header.alg, token.signed, token.signature)
    if good is None:
        raise TokenKeyUnknown("The issuer has no key with the id that the token names, or not for its algorithm.")
    if not good:
        raise BadToken("The signature of the token is wrong.")


def _check_version(claims: Claims) -> None:
    found = _VERSION.fullmatch(claims.version)
    if found is None or found[1] != MAJOR_VERSION:
        raise BadToken(f"The token is not of the WLCG profile {MAJOR_VERSION}.x (wlcg.ver).")


def _check_times(claims: Claims, skew_s: float, now: float) -> None:
    """Clocks may be wrong at the beginning; at its end a token ends (profile, 4.3.1)."""
    if now >= claims.exp:
        raise TokenExpired(f"The token ended {now - claims.exp:.0f} s ago.", hint=_NEW)
    begins = max(claims.nbf, claims.iat)
    if begins > now + skew_s:
        raise TokenNotYetValid(f"The token is valid only in {begins - now:.0f} s.",
                               hint="Compare the clocks of this service and of the issuer.")


def _check_audience(claims: Claims, audiences: frozenset[str]) -> None:
    given = [claims.aud] if isinstance(claims.aud, str) else claims.aud
    if not any(one == ANY_AUDIENCE or one in audiences for one in given):
        raise TokenAudience("The token is for another service (aud).",
                            hint=f"Ask for one with the audience {' or '.join(sorted(audiences)) or ANY_AUDIENCE}.")


def _name(claims: Claims) -> str:
    """The name of records; nobody else's name may read the same."""
    if _SUBJECT.fullmatch(claims.sub) is None:
        raise BadToken("The subject of the token is not 1 to 255 visible ASCII characters (sub).")
    name = token_name(claims.iss, claims.sub)
    if canonical_dn(name) != name:
        raise BadToken("The subject of the token reads like parts of a distinguished name (sub).")
    return name


def _scopes(claims: Claims) -> frozenset[str]:
    if not claims.scope:
        return frozenset()
    if _SCOPE.fullmatch(claims.scope) is None:
        raise BadToken("The scopes of the token are not words between blanks (scope).")
    scopes = frozenset(claims.scope.split())
    if any(scope.startswith("storage.") and ":/" not in scope for scope in scopes):
        raise BadToken("The token has a scope of storage without a path (scope).")
    return scopes


def _groups(claims: Claims, vo: str) -> tuple[str, ...]:
    """In their order; the root of each is the issuer's VO (profile, 2.1.1)."""
    if len(claims.groups) > MOST_GROUPS or not all(map(_GROUP.fullmatch, claims.groups)):
        raise BadToken("The groups of the token are not names of groups (wlcg.groups).")
    if any(group.split("/", 2)[1] != vo for group in claims.groups):
        raise BadToken(f"The token names groups outside {vo}, the VO of its issuer (wlcg.groups).")
    return tuple(claims.groups)
