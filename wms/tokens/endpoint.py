"""Questions to a token endpoint and its answers: token exchange (RFC 8693) and refresh (RFC 6749, 6).

Sent by `wms.issuers`. Secrets are in the bodies and headers made here, and nowhere else: not in errors.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote, urlencode

import msgspec

from wms.errors import BadToken, Unavailable
from wms.tokens.reading import read

FORM = "application/x-www-form-urlencoded"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
OFFLINE = "offline_access"
_CODE = re.compile(r"[a-z_]{1,60}")


class Granted(NamedTuple):
    """New tokens; `refresh_token` empty: the old one stays good. `expires` in epoch seconds."""

    access_token: str
    expires: float
    refresh_token: str = ""
    scope: str = ""

    def __repr__(self) -> str:
        return f"Granted(expires={self.expires!r})"


class Denied(NamedTuple):
    """The endpoint's error code (RFC 6749, 5.2)."""

    error: str


class _Reply(msgspec.Struct, frozen=True):
    access_token: str = ""
    refresh_token: str = ""
    scope: str = ""
    error: str = ""


def exchange(token: str, scopes: Iterable[str], groups: Iterable[str]) -> bytes:
    """Asks for a token of the same rights, with one that refreshes it. Groups keep their order."""
    asked = dict.fromkeys([*sorted(scopes), *(f"wlcg.groups:{group}" for group in groups), OFFLINE])
    return urlencode({"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": ACCESS_TOKEN,
                      "requested_token_type": ACCESS_TOKEN, "scope": " ".join(asked)}).encode()


def refresh(refresh_token: str, public_client: str = "") -> bytes:
    """Asks for the next tokens; a client without a secret says who it is in the form."""
    client = {"client_id": public_client} if public_client else {}
    return urlencode({"grant_type": "refresh_token", "refresh_token": refresh_token, **client}).encode()


def basic(client_id: str, secret: str) -> str:
    """The Authorization header of a client with a secret (RFC 6749, 2.3.1)."""
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return f"Basic {b64encode(pair.encode()).decode()}"


def answer(status: int, body: bytes, whose: str) -> Granted | Denied:
    """What the endpoint answered; `whose` is the token that was to be replaced.

    Raises Unavailable for what is no answer of a token endpoint, BadToken for the token of somebody else.
    """
    try:
        reply = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unavailable(f"its token endpoint answers {status}, and not as one") from None
    if status >= 500 or status == 429:
        raise Unavailable(f"its token endpoint answers {status}")
    if reply.error or status != 200:
        return Denied(reply.error if _CODE.fullmatch(reply.error) else f"status {status}")
    return _granted(reply, whose)


def _granted(reply: _Reply, whose: str) -> Granted:
    try:
        new = read(reply.access_token).claims
    except BadToken as bad:
        raise Unavailable(f"its token endpoint gives what cannot be used: {bad.message}") from None
    old = read(whose).claims
    if (new.iss, new.sub) != (old.iss, old.sub):
        raise BadToken("The issuer gave the token of somebody else.")
    return Granted(reply.access_token, new.exp, reply.refresh_token, reply.scope or new.scope)


_decode = msgspec.json.Decoder(_Reply).decode
