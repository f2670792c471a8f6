"""A private certificate authority for a suite on one machine, and the files of a grid CA directory.

Not for production sites: no revocation, no requests; whoever holds the record may issue anything.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wms import der
from wms.identity import SHORT_NAMES
from wms.x509.proxy import PrivateKey, key_pem, load_key, new_key
from wms.x509.rfc3820 import subject_dn

_PEM = serialization.Encoding.PEM
_DAY_S = 86400
_BACKDATED_S = 3600  # clocks of containers drift
_OIDS = {short.upper(): x509.ObjectIdentifier(oid) for oid, short in SHORT_NAMES.items()}
_SIGNING_POLICY = """\
access_id_CA   X509     '{dn}'
pos_rights     globus   CA:sign
cond_subjects  globus   '"{base}/*"'
"""


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key, both PEM."""

    certificate: bytes
    key: bytes


def make_authority(now: float, *, serial: int, dn: str = "/DC=local/DC=wms/CN=Private CA", days: float = 3650,
                   kind: str = "rsa:2048") -> Issued:
    """A new authority; `serial` is a random positive number, `kind` as in `wms.x509.proxy.new_key`."""
    key, name = new_key(kind), name_of(dn)
    builder = _builder(name, name, key, now, days, serial)
    builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
    builder = builder.add_extension(_usage(sign_certificates=True), critical=True)
    return _issue(builder, key, key)


def host_certificate(authority: Issued, hosts: Sequence[str], now: float, *, serial: int, days: float = 825,
                     kind: str = "rsa:2048") -> Issued:
    """A certificate for a service at `hosts` (names and addresses; the first becomes the common name)."""
    names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    return _leaf(authority, hosts[0], now, days, serial, kind, usages, names)


def user_certificate(authority: Issued, name: str, now: float, *, serial: int, days: float = 825,
                     kind: str = "rsa:2048") -> Issued:
    """A certificate for the person or robot `name`, the last common name of the subject."""
    return _leaf(authority, name, now, days, serial, kind, [ExtendedKeyUsageOID.CLIENT_AUTH])


def trust_files(authority: bytes) -> dict[str, bytes]:
    """The CA directory (file name -> content) that makes OpenSSL, curl and Globus trust a CA's PEM."""
    cert = x509.load_pem_x509_certificate(authority)
    policy = signing_policy(cert).encode()
    pem = cert.public_bytes(_PEM)
    hashes_ = (subject_hash(cert.subject), subject_hash_old(cert.subject))
    return {f"{h}.{ending}": content for h in hashes_
            for ending, content in (("0", pem), ("signing_policy", policy))}


def signing_policy(cert: x509.Certificate) -> str:
    """Globus' statement that a CA signs for the names beside and below it."""
    dn = subject_dn(cert.subject)
    return _SIGNING_POLICY.format(dn=dn, base=dn.rpartition("/")[0])


def name_of(dn: str) -> x509.Name:
    """The name for a text like `/DC=local/CN=x` whose values hold no `/`."""
    pairs = (part.split("=", 1) for part in dn.lstrip("/").split("/"))
    return x509.Name([x509.NameAttribute(_OIDS[kind.upper()], value) for kind, value in pairs])


# -- OpenSSL's hashed names ------------------------------------------------------------------------------


def subject_hash(name: x509.Name) -> str:
    """The file name OpenSSL (1.0 and later) looks a CA up by: SHA-1 over the canonical encoding."""
    canonical = b"".join(_canonical(rdn) for rdn in name.rdns)
    return _file_name(hashlib.sha1(canonical, usedforsecurity=False).digest())


def subject_hash_old(name: x509.Name) -> str:
    """The file name of OpenSSL before 1.0, which Globus tools still try: MD5 over the plain encoding."""
    return _file_name(hashlib.md5(name.public_bytes(), usedforsecurity=False).digest())


def _file_name(digest: bytes) -> str:
    return f"{int.from_bytes(digest[:4], 'little'):08x}"


def _canonical(rdn: x509.RelativeDistinguishedName) -> bytes:
    parts = (der.element(der.SEQUENCE, der.oid(a.oid.dotted_string) + _canonical_value(a)) for a in rdn)
    return der.element(der.SET, b"".join(sorted(parts)))


def _canonical_value(attribute: x509.NameAttribute[str | bytes]) -> bytes:
    """Text as UTF-8 in lower case (ASCII letters only) with single blanks."""
    text = re.sub(r"[ \t\n\v\f\r]+", " ", str(attribute.value)).strip(" ").encode()
    return der.element(der.UTF8_STRING, text.lower())


# -- building --------------------------------------------------------------------------------------------


def _leaf(authority: Issued, common_name: str, now: float, days: float, serial: int, kind: str,
          usages: list[x509.ObjectIdentifier], names: x509.SubjectAlternativeName | None = None) -> Issued:
    ca = x509.load_pem_x509_certificate(authority.certificate)
    key = new_key(kind)
    added = x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = _builder(x509.Name([*ca.subject.rdns[:-1], added]), ca.subject, key, now, days, serial)
    builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
    builder = builder.add_extension(_usage(sign_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    ski = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski), critical=False)
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    return _issue(builder, key, load_key(authority.key))


def _builder(subject: x509.Name, issuer: x509.Name, key: PrivateKey, now: float, days: float,
             serial: int) -> x509.CertificateBuilder:
    ski = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (x509.CertificateBuilder(issuer, subject, key.public_key(), serial)
            .not_valid_before(_moment(now - _BACKDATED_S)).not_valid_after(_moment(now + days * _DAY_S))
            .add_extension(ski, critical=False))


def _issue(builder: x509.CertificateBuilder, key: PrivateKey, signer: PrivateKey) -> Issued:
    return Issued(builder.sign(signer, hashes.SHA256()).public_bytes(_PEM), key_pem(key))


def _usage(sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(digital_signature=not sign_certificates, key_encipherment=not sign_certificates,
                         key_cert_sign=sign_certificates, crl_sign=sign_certificates,
                         content_commitment=False, data_encipherment=False, key_agreement=False,
                         encipher_only=False, decipher_only=False)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _moment(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch // 1, UTC)
