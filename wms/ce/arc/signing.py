"""The answer to A-REX's signing requests: a proxy certificate for its key, issued by a credential. Pure.

Not here: who is asked to sign (delegations), nor proxies in general (wms.x509.proxy).
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from wms import der
from wms.errors import BadCredential
from wms.x509.proxy import PublicKey, load, new_proxy

__all__ = ["requested_key", "signed"]

_PEM = re.compile(rb"-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----(.+?)-----END", re.DOTALL)


def requested_key(csr: bytes) -> PublicKey:
    """The key that a PEM signing request is about.

    ARC 6 numbers its requests as version 2, which does not exist; they are read as version 1, and so their signatures
    cannot be checked. That the key is the CE's is known from the connection the request came by.
    """
    try:
        key = x509.load_der_x509_csr(_first_version(_binary(csr))).public_key()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise BadCredential(f"the CE's signing request cannot be read: {error}") from error
    if not isinstance(key, PublicKey):
        raise BadCredential("the CE wants a kind of key certified that is not in use")
    return key


def _binary(csr: bytes) -> bytes:
    found = _PEM.search(csr)
    if found is None:
        raise ValueError("there is none")
    try:
        return b64decode(b"".join(found[1].split()), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def _first_version(request: bytes) -> bytes:
    """PKCS#10: a sequence of what is signed, a sequence that begins with the version, and the signature."""
    _, whole, _ = der.take(request)
    _, inner, signature = der.take(whole)
    _, _, rest = der.take(inner)
    return der.element(der.SEQUENCE, der.element(der.SEQUENCE, b"\x02\x01\x00" + rest) + signature)


def signed(csr: bytes, credential: bytes, now: float, lifetime_s: float, serial: int) -> bytes:
    """The chain for the CE's key, PEM. Raises BadCredential (CredentialExpired ...) for one that cannot issue it."""
    proxy = load(credential)
    cert = new_proxy(proxy.chain, proxy.key, requested_key(csr), now, lifetime_s, serial=serial)
    return b"".join(one.public_bytes(Encoding.PEM) for one in (cert, *proxy.chain))
