"""The user's bearer token: where it is by the WLCG discovery rules, what it says, whether it is still good.

Found out here without verifying anything: whether a token can be trusted is for the services to say. Getting
one is `clients.login`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from clients import private_files
from clients.credential import TOKEN, Credential
from wms.errors import BadToken, TokenExpired, TokenNotFound, TokenTooShort
from wms.identity import token_name

LONGEST = 65_536
LATEST = 253_402_300_799.0  # the last second of the year 9999
HINT = "Get one: wms login, or put it into BEARER_TOKEN or a file that BEARER_TOKEN_FILE names."
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_RIGHTS = ("iss", "sub", "aud", "scope", "wlcg.groups", "client_id", "azp")
"""Two tokens that agree in these are one as delegated credentials."""


class Found(NamedTuple):
    """Where a token is: itself, from the environment, or its file; `sure`: the user named it."""

    token: str = ""
    path: str = ""
    sure: bool = False


def find(environment: Mapping[str, str], uid: int) -> Found:
    """The place of the token by the rules of WLCG bearer token discovery, in their order."""
    if environment.get("BEARER_TOKEN", "").strip():
        return Found(token=environment["BEARER_TOKEN"].strip(), sure=True)
    if environment.get("BEARER_TOKEN_FILE"):
        return Found(path=environment["BEARER_TOKEN_FILE"], sure=True)
    own = environment.get("XDG_RUNTIME_DIR")
    if own and os.path.lexists(f"{own}/bt_u{uid}"):
        return Found(path=f"{own}/bt_u{uid}")
    return Found(path=f"/tmp/bt_u{uid}")


def place(environment: Mapping[str, str], uid: int) -> str:
    """Where a new token is put, so that it will be found."""
    return environment.get("BEARER_TOKEN_FILE") or \
        f"{environment.get('XDG_RUNTIME_DIR') or '/tmp'}/bt_u{uid}"


def look(found: Found, ca_dir: str, now: float, needed_s: float, uid: int) -> Credential:
    """Read and check the token: there, one's own, a JSON Web Token, good for `needed_s` more seconds."""
    token, warnings = (found.token, ()) if found.token else _read(found, uid)
    said = claims(token)
    not_after = end(said)
    require_life(not_after, now, needed_s)
    return Credential(found.path, ca_dir, not_after, delegation(said), warnings, TOKEN, token)


def text_of(found: Found, uid: int) -> str:
    """The token itself, whether it is good or not; TokenNotFound when there is none."""
    return found.token or _read(found, uid)[0]


def name(token: str) -> str:
    """Whose the token is, as records call him."""
    said = claims(token)
    return token_name(str(said.get("iss", "")), str(said.get("sub", "")))


def shown(token: str) -> dict[str, Any]:
    """Header and claims, without the signature."""
    return {"header": part(token, 0), "claims": part(token, 1)}


def table(said: Mapping[str, Any], path: str, left_s: float) -> str:
    """The claims for people, a line each."""
    groups = said.get("wlcg.groups")
    rows = [("subject", said.get("sub")), ("issuer", said.get("iss")), ("audience", " ".join(audiences(said))),
            ("scope", said.get("scope")), ("groups", " ".join(map(str, groups)) if isinstance(groups, list) else None),
            ("client", said.get("client_id") or said.get("azp")), ("path", path), ("timeleft", hours(left_s))]
    return "\n".join(f"{name:10}: {_line(value)}" for name, value in rows if value)


def _line(value: object) -> str:
    return "".join(char for char in str(value) if char.isprintable())


def hours(seconds: float) -> str:
    """Hours, minutes and seconds as proxy tools show them."""
    whole = max(0, int(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def _read(found: Found, uid: int) -> tuple[str, tuple[str, ...]]:
    path = found.path
    try:
        content = private_files.read(path)
    except OSError as error:
        raise TokenNotFound(f"No bearer token has been found: {path}: {error.strerror}", hint=HINT,
                            path=path) from None
    if not found.sure and content.owner != uid:
        raise TokenNotFound(f"The token file {path} belongs to somebody else (user {content.owner}).",
                            hint="Name the one to use by BEARER_TOKEN_FILE.", path=path)
    warnings: tuple[str, ...] = ()
    if content.mode & 0o077:
        warnings = (f"The token file {path} can be read by others (mode {content.mode:04o}): chmod 600 it.",)
    return content.data.decode("ascii", "replace").strip(), warnings


def claims(token: str) -> dict[str, Any]:
    """What a token says of itself, not verified; BadToken when it is none. The token is in no error."""
    return part(token, 1)


def part(token: str, number: int) -> dict[str, Any]:
    """The header (0) or the claims (1) of a token."""
    if len(token) > LONGEST or _COMPACT.fullmatch(token) is None:
        raise BadToken("The bearer token is no JSON Web Token.", hint=HINT)
    coded = token.split(".")[number]
    try:
        found = json.loads(base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        raise BadToken("The bearer token cannot be read.", hint=HINT) from None
    if not isinstance(found, dict):
        raise BadToken("The bearer token holds no claims.", hint=HINT)
    return found


def end(said: Mapping[str, Any]) -> float:
    """When a token with these claims ends (epoch s); one that does not say so never ends for us."""
    moment = said.get("exp", LATEST)
    if isinstance(moment, bool) or not isinstance(moment, int | float) or not 0 <= moment <= LATEST:
        raise BadToken("The bearer token does not say when it ends.", hint=HINT)
    return float(moment)


def require_life(not_after: float, now: float, needed_s: float) -> None:
    """Raise TokenExpired or TokenTooShort unless `needed_s` seconds are left."""
    left = not_after - now
    if left <= 0:
        raise TokenExpired("Your bearer token has expired.", hint="Get a new one: wms login.", not_after=not_after)
    if left < needed_s:
        raise TokenTooShort(f"Your bearer token will expire in {left:.0f} seconds; {needed_s:.0f} are needed.",
                            hint="Get a new one: wms login.", not_after=not_after, needed_s=needed_s)


def delegation(said: Mapping[str, Any]) -> str:
    """The delegation of all tokens with the same rights of the same person at the same issuer: a fresh token takes
    the place of the one before.
    """
    rights = json.dumps([said.get(name) for name in _RIGHTS], sort_keys=True, default=str)
    return hashlib.sha256(rights.encode()).hexdigest()[:32]


def audiences(said: Mapping[str, Any]) -> tuple[str, ...]:
    """Whom a token is for."""
    named = said.get("aud", ())
    return tuple(str(one) for one in (named if isinstance(named, list) else [named] if named else []))


def is_meant_for(token: str, host: str, port: int) -> bool:
    """Does the token name this very service as one it is for? Then it is of no use elsewhere."""
    return f"https://{host}:{port}" in {one.rstrip("/") for one in audiences(claims(token))}
