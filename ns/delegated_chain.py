"""A chain that a caller signed for our key: whose it is, and whether it says what the caller himself is.

Pure. The rules between proxies are `wms.x509`; the caller's own chain was verified when he connected.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from wms.errors import BadCredential, DelegationMismatch, LimitedProxy, Refused
from wms.identity import Identity
from wms.x509.proxy import Chain, PublicKey, accept, certificates, identify
from wms.x509.rfc3820 import ATTRIBUTE_CERTIFICATES, raw_extension

MOST_BYTES = 262_144


class Accepted(NamedTuple):
    """The file to keep (PEM: certificate, key, chain), and what is on record of it; times in epoch s."""

    pem: bytes
    not_before: float
    not_after: float
    strength: int
    issuer: str


def key_mark(key: PublicKey) -> str:
    """What tells one public key from all others."""
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()[:40]


def read(chain_pem: str) -> tuple[Chain, str]:
    """The certificates, leaf first, and the mark of the key that the first one is for."""
    if len(chain_pem) > MOST_BYTES:
        raise Refused(f"A chain of certificates has at most {MOST_BYTES} bytes.", limit=MOST_BYTES)
    if "PRIVATE KEY-----" in chain_pem:
        raise BadCredential("The chain came with a private key, which must never travel; nothing was kept of it.",
                            hint="Somebody may have read this key: make a new credential.")
    chain = certificates(chain_pem.encode())
    key = _key(chain[0])
    if not isinstance(key, PublicKey):
        raise BadCredential("the delegated certificate is for a key that is neither RSA nor elliptic curve")
    return chain, key_mark(key)


def _key(certificate: x509.Certificate) -> object:
    try:
        return certificate.public_key()
    except ValueError as error:
        raise BadCredential(f"the key of the delegated certificate cannot be read: {error}") from None


def checked(key: bytes, chain: Chain, user: Identity, own: Chain, now: float) -> Accepted:
    """Raises LimitedProxy, DelegationMismatch, or what `accept` raises."""
    identity = identify(chain, now)
    used, mine = chain[:identity.chain_length], own[:user.chain_length]
    if used[-1] != mine[-1]:
        raise DelegationMismatch(f"The delegated credential belongs to {identity.dn}, not to the caller.",
                                 dn=identity.dn)
    if identity.limited:
        raise LimitedProxy("A limited proxy was delegated: no job could be submitted with it.",
                           hint="Sign the request with a full proxy.")
    if _attributes(used) != _attributes(mine):
        raise DelegationMismatch("The delegated credential carries other VOMS attributes than yours.",
                                 hint="Sign the request with the very proxy that you call with.")
    if identity.not_after > _end(mine):
        raise DelegationMismatch("The delegated credential would outlive yours.",
                                 hint="Sign the request with the very proxy that you call with.")
    pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in used)
    _, kept = accept(key, pem, identity.dn, now, mine[-1])
    return Accepted(kept, max(map(_start, used)), min(identity.not_after, user.not_after),
                    int(getattr(used[0].public_key(), "key_size", 0)), identity.ca_dn)


def _attributes(chain: Chain) -> list[bytes]:
    """The attribute certificates that a chain carries, as they are: the same bytes are the same rights."""
    return [found[1] for certificate in chain if (found := raw_extension(certificate, ATTRIBUTE_CERTIFICATES))]


def _end(chain: Chain) -> float:
    return min(certificate.not_valid_after_utc.timestamp() for certificate in chain)


def _start(certificate: x509.Certificate) -> float:
    return certificate.not_valid_before_utc.timestamp()
