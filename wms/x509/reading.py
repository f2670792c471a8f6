"""Certificates as they come in: read so that names and times can be asked for afterwards without surprise.

`cryptography` reads these parts only when they are asked for, and has several errors for what it cannot read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from wms.errors import BadCredential

UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)


def from_der(blob: bytes) -> x509.Certificate:
    """One certificate. Raises BadCredential."""
    return readable(lambda: [x509.load_der_x509_certificate(blob)])[0]


def from_pem(text: bytes) -> tuple[x509.Certificate, ...]:
    """All of a text in their order, at least one. Raises BadCredential."""
    return readable(lambda: x509.load_pem_x509_certificates(text))


def readable(load: Callable[[], Iterable[x509.Certificate]]) -> tuple[x509.Certificate, ...]:
    """What `load` gives, each with its names and times. Raises BadCredential."""
    try:
        found = tuple(load())
        for cert in found:
            _ = cert.subject, cert.issuer, cert.not_valid_before_utc, cert.not_valid_after_utc
    except UNREADABLE as error:
        raise BadCredential(f"a certificate cannot be read: {error}") from error
    return found
