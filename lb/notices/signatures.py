"""The signature of a web hook's message: who has the secret of the registration knows that it comes from here.

Pure. The header is `t=EPOCH,v1=HEX`: HMAC-SHA256 over the time, a dot, and the body.
"""

from __future__ import annotations

import hmac

HEADER = "LB-Signature"


def signature(secret: str, now: float, body: bytes) -> str:
    """The value of the header; `secret` is in hex, `now` epoch seconds."""
    at = int(now)
    return f"t={at},v1={hmac.digest(bytes.fromhex(secret), b'%d.%b' % (at, body), 'sha256').hex()}"


def genuine(secret: str, header: str, body: bytes, now: float, tolerance_s: float = 300.0) -> bool:
    """Is this the signature of the body, made within the tolerance of `now`?"""
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    at = parts.get("t", "")
    if not (at.isdecimal() and at.isascii() and len(at) < 16) or abs(now - int(at)) > tolerance_s:
        return False
    return hmac.compare_digest(signature(secret, int(at), body), f"t={at},v1={parts.get('v1', '')}")
