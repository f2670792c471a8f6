"""Certificate revocation lists: read, and asked whether a certificate is on its authority's.

Bytes in, records out. Which lists lie where is `wms.x509.anchors`; delta lists, indirect lists and lists of a part of
an authority's certificates are not understood and count as unusable.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtensionOID

from wms.errors import CredentialRevoked, RevocationUnknown
from wms.x509.proxy import PublicKey
from wms.x509.rfc3820 import extension, subject_dn

SKEW_S = 300
_UNDERSTOOD = frozenset({ExtensionOID.AUTHORITY_KEY_IDENTIFIER, ExtensionOID.CRL_NUMBER})
_PEM = b"-----BEGIN X509 CRL-----"
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion)


class BadCrl(ValueError):
    """Not a revocation list, or one of a kind that is not understood."""


@dataclass(frozen=True, slots=True, eq=False)
class Crl:
    """`issuer` is the encoded name of the authority, `serials` are those revoked; times in epoch seconds.

    `signed` is the list itself, for its signature. Two records are equal when they are the same one.
    """

    issuer: bytes
    serials: frozenset[int]
    last_update: float
    next_update: float
    signed: x509.CertificateRevocationList


def read_crl(content: bytes) -> Crl:
    """A list in PEM or DER. Raises BadCrl."""
    load = x509.load_pem_x509_crl if _PEM in content else x509.load_der_x509_crl
    try:
        found = load(content)
        _require_whole(found)
        after = found.next_update_utc
        return Crl(found.issuer.public_bytes(), frozenset(entry.serial_number for entry in found),
                   found.last_update_utc.timestamp(), after.timestamp() if after else math.inf, found)
    except _UNREADABLE as error:
        raise BadCrl(f"not a usable revocation list: {error}") from error


def _require_whole(crl: x509.CertificateRevocationList) -> None:
    for found in crl.extensions:
        if found.oid == ExtensionOID.DELTA_CRL_INDICATOR:
            raise BadCrl("it is a delta of another list")
        if found.critical and found.oid not in _UNDERSTOOD and not _is_plain_place(found.value):
            raise BadCrl(f"its critical extension {found.oid.dotted_string} is not understood")


def _is_plain_place(value: x509.ExtensionType) -> bool:
    """Does it say where the list lies, and nothing of a part or of other issuers?"""
    return isinstance(value, x509.IssuingDistributionPoint) and not (
        value.only_contains_user_certs or value.only_contains_ca_certs or value.only_some_reasons
        or value.only_contains_attribute_certs or value.indirect_crl)


def genuine(crls: Sequence[Crl], issuer: x509.Certificate) -> tuple[Crl, ...]:
    """Those that are the issuer's own, signed by a key of his that may sign lists."""
    if not _may_sign(issuer):
        return ()
    name, key = issuer.subject.public_bytes(), _key(issuer)
    return tuple(crl for crl in crls if crl.issuer == name and key is not None and crl.signed.is_signature_valid(key))


def _key(issuer: x509.Certificate) -> PublicKey | None:
    try:
        found = issuer.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return found if isinstance(found, PublicKey) else None


def _may_sign(issuer: x509.Certificate) -> bool:
    found = extension(issuer, ExtensionOID.KEY_USAGE)
    return found is None or not isinstance(found.value, x509.KeyUsage) or found.value.crl_sign


def check(cert: x509.Certificate, lists: Sequence[Crl], now: float) -> float:
    """Until when (epoch s) it holds that `cert` is on none of its issuer's genuine lists.

    CredentialRevoked when it is on one, whatever the list's age; RevocationUnknown when none is of today.
    """
    name = subject_dn(cert.issuer)
    if any(cert.serial_number in crl.serials for crl in lists):
        raise CredentialRevoked(f"The certificate {subject_dn(cert.subject)} has been revoked by {name}.",
                                dn=subject_dn(cert.subject), serial=f"{cert.serial_number:X}")
    begun = [crl for crl in lists if crl.last_update <= now + SKEW_S]
    until = max((crl.next_update for crl in begun), default=0.0)
    if not lists:
        raise RevocationUnknown(f"No usable revocation list of {name} is here.", ca=name)
    if not begun:
        raise RevocationUnknown(f"The revocation list of {name} is of the future: is a clock wrong?", ca=name)
    if until <= now:
        raise RevocationUnknown(f"The revocation list of {name} is too old.", ca=name, next_update=until)
    return until
