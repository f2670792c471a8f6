"""Delegating a proxy: the service makes a key, the user's proxy signs its request, no key travels.

Not here: when a delegation is needed (`clients.api`).
"""

from __future__ import annotations

import secrets

from cryptography.hazmat.primitives.serialization import Encoding

from wms.x509 import proxy

LIFETIME_S = 10 * 365 * 86400.0  # as long as the user's own proxy


def sign(csr_pem: str, credential_pem: bytes, now: float) -> str:
    """The chain for a PEM signing request: the new proxy, then the user's own chain, PEM."""
    own = proxy.load(credential_pem)
    key = proxy.requested_key(csr_pem.encode())
    new = proxy.new_proxy(own.chain, own.key, key, now, LIFETIME_S, serial=secrets.randbits(62) + 1)
    return "".join(cert.public_bytes(Encoding.PEM).decode() for cert in (new, *own.chain))
