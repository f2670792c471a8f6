"""Capability tokens: what a job's wrapper shows to act for one attempt of one job until a given time.

Not a session and not an identity: whoever holds the token holds the right, and nothing is stored for it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import struct
from dataclasses import dataclass

from wms.errors import BadCredential, CredentialExpired

PREFIX = "wmscap1."
_HEAD = struct.Struct(">Qd")
_MAC_SIZE = hashlib.sha256().digest_size
_LEAST_SECRET = 16


@dataclass(frozen=True, slots=True)
class Capability:
    """The right to act for `attempt` of `job` until `expires` (epoch seconds)."""

    job: str
    attempt: int
    expires: float


def issue(secret: bytes, job: str, attempt: int, expires: float) -> str:
    """A token of URL-safe ASCII; `secret` has at least 16 bytes, `attempt` is not negative."""
    if len(secret) < _LEAST_SECRET:
        raise ValueError(f"a capability secret has at least {_LEAST_SECRET} bytes")
    if not math.isfinite(expires):
        raise ValueError("a capability needs an end")
    claim = _HEAD.pack(attempt, expires) + job.encode()
    mac = hmac.digest(secret, PREFIX.encode() + claim, "sha256")
    return PREFIX + base64.urlsafe_b64encode(mac + claim).rstrip(b"=").decode()


def verify(secret: bytes, token: str, now: float) -> Capability:
    """What the token grants. BadCredential when we did not issue it, CredentialExpired when it is over.

    The claim is read, issued again and the whole texts compared, so one right has exactly one spelling.
    """
    found = _claimed(token)
    genuine = found is not None and hmac.compare_digest(
        issue(secret, found.job, found.attempt, found.expires).encode(), token.encode())
    if found is None or not genuine:
        raise BadCredential("the capability token is not valid")
    if now >= found.expires:
        raise CredentialExpired("the capability token has expired", job=found.job, attempt=found.attempt)
    return found


def _claimed(token: str) -> Capability | None:
    """What a token says of itself, not yet believed; None for what is no token at all."""
    try:
        body = token.removeprefix(PREFIX).encode("ascii")
        claim = base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4))[_MAC_SIZE:]
        attempt, expires = _HEAD.unpack_from(claim)
        job = claim[_HEAD.size :].decode()
    except (ValueError, struct.error):
        return None
    return Capability(job, attempt, expires) if math.isfinite(expires) else None
