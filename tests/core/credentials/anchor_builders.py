"""Revocation lists and signing policies for tests, also such as no honest authority would make."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from credential_builders import AUTHORITY, NOW
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from wms.x509 import anchors, authority, proxy
from wms.x509.crl import Crl, read_crl

WEEK = 7 * 86400.0
Extension = tuple[x509.ExtensionType, bool]


def moment(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def crl_bytes(serials: Iterable[int] = (), *extensions: Extension, issuer: authority.Issued = AUTHORITY,
              start: float = NOW - 60, end: float = NOW + WEEK, signer: proxy.PrivateKey | None = None,
              encoding: Encoding = Encoding.PEM) -> bytes:
    """A list of the issuer's."""
    name = x509.load_pem_x509_certificate(issuer.certificate).subject
    builder = x509.CertificateRevocationListBuilder(name, moment(start), moment(end))
    for serial in serials:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder(serial, moment(start)).build())
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    made = builder.sign(signer or proxy.load_key(issuer.key), hashes.SHA256())
    return made.public_bytes(encoding)


def crl(serials: Iterable[int] = (), *extensions: Extension, issuer: authority.Issued = AUTHORITY,
        start: float = NOW - 60, end: float = NOW + WEEK, signer: proxy.PrivateKey | None = None) -> Crl:
    return read_crl(crl_bytes(serials, *extensions, issuer=issuer, start=start, end=end, signer=signer))


def policy_text(ca: str, *subjects: str) -> bytes:
    quoted = " ".join(f'"{subject}"' for subject in subjects)
    return (f"# of a test\n\naccess_id_CA   X509     '{ca}'\npos_rights     globus   CA:sign\n"
            f"cond_subjects  globus   '{quoted}'\n").encode()


def name_of(issued: authority.Issued, ending: str) -> str:
    """The name of a file about this authority."""
    subject = x509.load_pem_x509_certificate(issued.certificate).subject
    return f"{authority.subject_hash(subject)}.{ending}"


def collected(files: dict[str, bytes]) -> anchors.Anchors:
    return anchors.collect({name: anchors.read(name, content) for name, content in files.items()})


def directory(*issued: authority.Issued, **more: bytes) -> anchors.Anchors:
    """The authorities alone, and what is said of the first by ending: r0, signing_policy."""
    files = {name_of(one, "0"): one.certificate for one in issued}
    return collected({**files, **{name_of(issued[0], ending): content for ending, content in more.items()}})
