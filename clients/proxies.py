"""Making a proxy (RFC 3820) of the user's certificate: where certificate and key are, how they are read, the new file.

What a proxy says is `clients.proxy_report`; asking VOMS servers is `clients.memberships`.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12

from clients import private_files
from clients.errors import KeyExposed
from wms.errors import BadCredential, CredentialExpired, CredentialNotFound
from wms.x509 import proxy
from wms.x509.proxy import PrivateKey, Proxy

HINT = "Name them: --cert FILE --key FILE, or X509_USER_CERT and X509_USER_KEY."
BUNDLES = (".p12", ".pfx")
_PLACES = (("usercert.pem", "userkey.pem"), ("usercred.p12", "usercred.p12"))
_ENCRYPTED = (b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED")

Ask = Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the new proxy is to be; `attributes` are VOMS attribute certificates (DER) to be carried."""

    lifetime_s: float = 43_200.0
    key: str = "rsa:2048"
    limited: bool = False
    path_length: int | None = None
    attributes: Sequence[bytes] = ()


def find(environment: Mapping[str, str], certificate: str = "", key: str = "") -> tuple[str, str]:
    """Paths of the user's certificate and key: as given, of the variables, below ~/.globus. A bundle is both."""
    certificate = certificate or environment.get("X509_USER_CERT", "")
    key = key or environment.get("X509_USER_KEY", "")
    if certificate:
        return certificate, key or certificate
    home = f"{environment.get('HOME') or os.path.expanduser('~')}/.globus"
    for first, second in _PLACES:
        if os.path.exists(f"{home}/{first}"):
            return f"{home}/{first}", key or f"{home}/{second}"
    raise CredentialNotFound(f"There is no certificate in {home}.", hint=HINT)


def load(certificate: str, key: str, ask: Ask) -> Proxy:
    """The user's certificate with what leads to its authority, and the key; `ask` for the pass phrase of that."""
    key_file = _read(key)
    if key_file.mode & 0o077:
        raise KeyExposed(f"The key file {key} can be read by others (mode {key_file.mode:04o}).",
                         hint=f"chmod 600 {key}", path=key)
    if key.endswith(BUNDLES):
        return _bundle(key, key_file.data, ask)
    private = _key(key, key_file.data, ask)
    certs = proxy.certificates(_read(certificate).data)
    leaf = next((one for one in certs if _belongs(private, one)), None)
    if leaf is None:
        raise BadCredential(f"the key in {key} does not belong to the certificate in {certificate}", hint=HINT)
    return Proxy(proxy.in_order(leaf, certs), private)


def _read(path: str) -> private_files.Content:
    try:
        return private_files.read(path)
    except OSError as error:
        raise CredentialNotFound(f"{path} cannot be read: {error.strerror}", hint=HINT, path=path) from None


def _key(path: str, pem: bytes, ask: Ask) -> PrivateKey:
    if not any(mark in pem for mark in _ENCRYPTED):
        return proxy.load_key(pem)
    try:
        return _usable(load_pem_private_key(pem[pem.index(b"-----BEGIN"):], ask()), path)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _not_opened(path) from None


def _bundle(path: str, content: bytes, ask: Ask) -> Proxy:
    try:
        key, leaf, others = pkcs12.load_key_and_certificates(content, ask() or None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _not_opened(path) from None
    if leaf is None:
        raise BadCredential(f"{path} holds no certificate and key", hint=HINT)
    return Proxy(proxy.in_order(leaf, [leaf, *others]), _usable(key, path))


def _usable(key: object, path: str) -> PrivateKey:
    if not isinstance(key, PrivateKey):
        raise BadCredential(f"the key in {path} is neither RSA nor elliptic curve")
    return key


def _not_opened(path: str) -> BadCredential:
    return BadCredential(f"the key in {path} cannot be opened: is the pass phrase right?")


def _belongs(key: PrivateKey, cert: x509.Certificate) -> bool:
    try:
        return cert.public_key() == key.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return False


def require_good(user: Proxy, now: float) -> None:
    """CredentialExpired when the certificate itself is over, or not valid yet."""
    cert = user.chain[0]
    if cert.not_valid_after_utc.timestamp() <= now:
        raise CredentialExpired("Your certificate has expired.", hint="Ask your authority for a new one.",
                                not_after=cert.not_valid_after_utc.timestamp())


def make(user: Proxy, wish: Wish, now: float) -> Proxy:
    """A new proxy with a key of its own; it ends with the user's certificate at the latest."""
    require_good(user, now)
    key = proxy.new_key(wish.key)
    cert = proxy.new_proxy(user.chain, user.key, key.public_key(), now, wish.lifetime_s, wish.limited,
                           serial=secrets.randbits(62) + 1, attributes=wish.attributes, path_length=wish.path_length)
    return Proxy((cert, *user.chain), key)


def write(made: Proxy, path: str) -> None:
    """The proxy file in the order all grid tools read, for the user alone."""
    private_files.replace(path, proxy.dump(made.chain[0], made.key, made.chain[1:]))
