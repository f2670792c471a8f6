"""Does a credential outlive its job? What a user is told at the submission. Pure."""

from __future__ import annotations

from wms.identity import CERTIFICATE
from wms.lifetime import DEFAULT_NEED_S, needed_s

__all__ = ["DEFAULT_NEED_S", "how_to_last", "needed_s", "shortfall"]


def shortfall(needed: float, remaining: float, *, renewable: bool, kind: str = CERTIFICATE) -> str:
    """A sentence if the credential, of this kind, may end before the job does, else nothing."""
    if renewable or remaining >= needed:
        return ""
    what = "proxy" if kind == CERTIFICATE else "token"
    why = ("names no MyProxyServer to renew it from" if kind == CERTIFICATE
           else "no refresh token was delegated with it")
    return (f"The {what} ends in {remaining / 3600:.1f} h, but the job may need {needed / 3600:.1f} h and {why}: "
            "it will be killed if it is still running then.")


def how_to_last(kind: str) -> str:
    """What helps against it."""
    if kind == CERTIFICATE:
        return "Make a longer proxy, store one at a MyProxy server and name that (MyProxyServer), or ask for less time."
    return "Delegate a refresh token too (wms login does), or ask for less time."
