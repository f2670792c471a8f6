"""Which credential a command uses: what the environment names comes first, then what lies at the usual places.

What is looked at in each is `clients.credential` and `clients.tokens`; renewing a token is `clients.login`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from clients import credential, tokens
from clients.credential import Credential
from wms.errors import BadToken, ConfigError, TokenExpired, TokenNotFound, TokenTooShort, Unavailable


def from_environment(environment: Mapping[str, str], uid: int, now: float, needed_s: float = 0.0,
                     token_s: float = 0.0, tell: Callable[[str], None] = lambda _sentence: None) -> Credential:
    """The credential to use, in this order: the token that the environment has or names, the proxy that it names,
    the proxy at its usual place, the token at its usual places. A proxy must last `needed_s`, a token `token_s`.

    A token of `wms login` that does not last is renewed if that can be, and the user told.
    """
    proxy, ca_dir = credential.find(environment, uid)
    token = tokens.find(environment, uid)
    if prefers_proxy(environment, uid):
        return credential.look(proxy, ca_dir, now, needed_s)
    if not token.sure and not os.path.lexists(token.path) and not _is_renewable(environment, token.path):
        return credential.look(proxy, ca_dir, now, needed_s)
    try:
        return tokens.look(token, ca_dir, now, token_s, uid)
    except (TokenExpired, TokenTooShort, TokenNotFound) as lost:
        if not _is_renewable(environment, token.path):
            raise
        tell(_renewed(environment, lost, lambda: _lasts(token, now, token_s, uid)))
    return tokens.look(token, ca_dir, now, token_s, uid)


def prefers_proxy(environment: Mapping[str, str], uid: int) -> bool:
    """Does a proxy that is named, or in its place, come before any token?"""
    named = environment.get("X509_USER_PROXY") or os.path.lexists(credential.find(environment, uid)[0])
    return bool(named) and not tokens.find(environment, uid).sure


def _lasts(token: tokens.Found, now: float, token_s: float, uid: int) -> bool:
    """Has another command renewed it meanwhile?"""
    try:
        return bool(tokens.look(token, "", now, token_s, uid).token)
    except BadToken:
        return False


def _is_renewable(environment: Mapping[str, str], path: str) -> bool:
    from clients import login  # only now: it speaks to issuers

    return login.renewable(environment, path)


def _renewed(environment: Mapping[str, str], lost: BadToken, is_done: Callable[[], bool]) -> str:
    """A sentence about the renewal; raises `lost` with the reason why there is none."""
    from clients import login

    try:
        return f"Your token was renewed at {login.renew(environment, is_done).issuer}."
    except (BadToken, Unavailable, ConfigError) as error:
        raise type(lost)(f"{lost.message} It could not be renewed: {error.message}",
                         hint="Log in again: wms login.", **lost.details) from None
