"""Certificates for tests, also such as no honest tool would make. Elliptic keys, because they are quick."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from wms.x509 import authority, proxy
from wms.x509.proxy import Proxy
from wms.x509.rfc3820 import INHERIT_ALL, LIMITED, PROXY_CERT_INFO, ProxyInfo

NOW = 1_800_000_000.0
DAY = 86400.0
ALICE = "/DC=local/DC=wms/CN=alice"

AUTHORITY = authority.make_authority(NOW, serial=1, kind="ec")
CA = x509.load_pem_x509_certificate(AUTHORITY.certificate)

Extension = tuple[x509.ExtensionType, bool]


def person(name: str = "alice", days: float = 365, kind: str = "ec", start: float = NOW) -> Proxy:
    """A user's own certificate, in the form of a proxy of length one."""
    issued = authority.user_certificate(AUTHORITY, name, start, serial=2, days=days, kind=kind)
    return proxy.load(issued.certificate + issued.key)


def delegate(issuer: Proxy, lifetime_s: float = 3600, *, limited: bool = False, serial: int = 7,
             kind: str = "ec", now: float = NOW) -> Proxy:
    """A proxy as our own code makes it."""
    key = proxy.new_key(kind)
    cert = proxy.new_proxy(issuer.chain, issuer.key, key.public_key(), now, lifetime_s, limited,
                           serial=serial)
    return Proxy((cert, *issuer.chain), key)


def info(path_length: int | None = None, language: bytes = INHERIT_ALL, *, limited: bool = False,
         critical: bool = True) -> Extension:
    """A ProxyCertInfo extension."""
    blob = ProxyInfo(path_length, LIMITED if limited else language).encode()
    return x509.UnrecognizedExtension(PROXY_CERT_INFO, blob), critical


def forge(issuer: Proxy, *extensions: Extension, added: list[x509.NameAttribute[str]] | None = None,
          start: float = NOW - 60, end: float = NOW + 3600, issuer_name: x509.Name | None = None,
          subject: x509.Name | None = None, signer: Proxy | None = None) -> Proxy:
    """A certificate below `issuer` with whatever extensions and names one likes."""
    key, parent = proxy.new_key("ec"), issuer.chain[0]
    more = added if added is not None else [x509.NameAttribute(NameOID.COMMON_NAME, "7")]
    grown = x509.Name([*parent.subject.rdns, x509.RelativeDistinguishedName(more)])
    builder = (x509.CertificateBuilder(issuer_name or parent.subject, grown if subject is None else subject,
                                      key.public_key(), 7)
               .not_valid_before(datetime.fromtimestamp(start, UTC))
               .not_valid_after(datetime.fromtimestamp(end, UTC)))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    cert = builder.sign((signer or issuer).key, hashes.SHA256())
    return Proxy((cert, *issuer.chain), key)


def common_name(text: str) -> list[x509.NameAttribute[str]]:
    return [x509.NameAttribute(NameOID.COMMON_NAME, text)]


def pem(chain: tuple[x509.Certificate, ...]) -> bytes:
    return b"".join(cert.public_bytes(Encoding.PEM) for cert in chain)


def file_of(credential: Proxy) -> bytes:
    return proxy.dump(credential.chain[0], credential.key, credential.chain[1:])
