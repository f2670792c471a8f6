"""What a job has of the credential that was delegated for it: a proxy, an access token. Never what renews a token."""

from __future__ import annotations

from typing import NamedTuple

from wms.credentials import PROXY, TOKEN, Credentials
from wms.errors import Refused, SealBroken
from wms.identity import TOKEN as TOKEN_KIND
from wms.tokens.held import Held


class Carried(NamedTuple):
    """PEM and token, empty for what there is not."""

    proxy: bytes = b""
    bearer: bytes = b""


def carried(credentials: Credentials, id: str) -> Carried:
    """All there is of a credential; Refused if it is gone, or cannot be opened."""
    found = Carried(_proxy(credentials, id), _bearer(credentials, id))
    if found == Carried():
        raise Refused("X509 proxy not found: the delegated credential is gone.")
    return found


def renewed(credentials: Credentials, id: str, kind: str) -> Carried:
    """The part of `kind` (of an identity), nothing if it is gone by now; Refused if it cannot be opened."""
    return Carried(bearer=_bearer(credentials, id)) if kind == TOKEN_KIND else Carried(_proxy(credentials, id))


def _proxy(credentials: Credentials, id: str) -> bytes:
    return _read(credentials, id, PROXY)


def _bearer(credentials: Credentials, id: str) -> bytes:
    content = _read(credentials, id, TOKEN)
    if not content:
        return b""
    try:
        return Held.decode(content).access_token.encode()
    except SealBroken:
        raise _broken() from None


def _read(credentials: Credentials, id: str, kind: str) -> bytes:
    try:
        return credentials.read(id, kind)
    except FileNotFoundError:
        return b""
    except SealBroken:
        raise _broken() from None


def _broken() -> Refused:
    return Refused("The service cannot open the delegated credential that it keeps; delegate it again.")
