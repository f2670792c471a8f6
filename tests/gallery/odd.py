"""Certificates that no library makes: with a key too weak, without a usage, with names that are no text."""

from __future__ import annotations

from base64 import encodebytes
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.gallery.house import DAY, House
from wms import der
from wms.x509 import proxy
from wms.x509.proxy import Proxy
from wms.x509.rfc3820 import INHERIT_ALL, PROXY_CERT_INFO, ProxyInfo

Extension = tuple[x509.ExtensionType, bool]
NOT_SIGNING = x509.KeyUsage(False, False, False, False, True, False, False, False, False)


def issued(house: House, name: str, *extensions: Extension, key: Any = None) -> Proxy:
    """A certificate of the authority that is trusted, with whatever extensions."""
    ca, own = x509.load_pem_x509_certificate(house.ca.certificate), key or proxy.new_key("ec")
    added = x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (x509.CertificateBuilder(ca.subject, x509.Name([*ca.subject.rdns[:-1], added]), own.public_key(),
                                      x509.random_serial_number())
               .not_valid_before(datetime.fromtimestamp(house.now - 60, UTC))
               .not_valid_after(datetime.fromtimestamp(house.now + DAY, UTC)))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return Proxy((builder.sign(proxy.load_key(house.ca.key), hashes.SHA256()),), own)


def weak(house: House) -> Proxy:
    return issued(house, "weak", key=rsa.generate_private_key(65537, 1024))


def changed(house: House, of: Proxy, *changes: tuple[bytes, bytes]) -> Proxy:
    """The same certificate with other bytes of the same length, signed anew by the authority."""
    signed, algorithm, _signature = der.split(der.take(of.chain[0].public_bytes(Encoding.DER))[1])
    for old, new in changes:
        assert len(old) == len(new)
        assert signed.count(old) == 1
        signed = signed.replace(old, new)
    key: Any = proxy.load_key(house.ca.key)
    assert isinstance(key, rsa.RSAPrivateKey)
    signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    whole = der.element(der.SEQUENCE, signed + algorithm + der.element(0x03, b"\0" + signature))
    return Proxy((_Raw(whole), *of.chain[1:]), of.key)  # type: ignore[arg-type]


class _Raw:
    """A certificate that only its bytes say."""

    def __init__(self, encoded: bytes) -> None:
        self._encoded = encoded

    def public_bytes(self, encoding: Encoding) -> bytes:
        assert encoding is Encoding.PEM
        return b"-----BEGIN CERTIFICATE-----\n" + encodebytes(self._encoded) + b"-----END CERTIFICATE-----\n"


def bit_string_name(house: House) -> Proxy:
    """A common name that is a BIT STRING."""
    return changed(house, issued(house, "\0bits"), (b"\x0c\x05\0bits", b"\x03\x05\0bits"))


def deep(of: Proxy, house: House, count: int) -> Proxy:
    """So many proxies below it."""
    for _ in range(count):
        of = house.forged(of, info())
    return of


def info(path_length: int | None = None, language: bytes = INHERIT_ALL, *, critical: bool = True) -> Extension:
    return x509.UnrecognizedExtension(PROXY_CERT_INFO, ProxyInfo(path_length, language).encode()), critical


def alone(of: Proxy) -> Proxy:
    """The leaf without those above it."""
    return Proxy(of.chain[:1], of.key)


def with_others(of: Proxy, others: Sequence[x509.Certificate]) -> Proxy:
    return Proxy((*of.chain, *others), of.key)
