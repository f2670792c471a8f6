"""Proxy credentials: read and write their files, tell whose they are, issue and accept delegations.

Bytes in, records out: no files and no clock. The path from the end entity to a trusted CA is checked by
OpenSSL where a connection is made (`wms.tls`); the rules between the proxies are `wms.x509.rfc3820`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from wms.errors import (
    BadCredential,
    CredentialExpired,
    CredentialNotFound,
    CredentialNotYetValid,
    CredentialTooShort,
    UntrustedCredential,
)
from wms.identity import Identity, same_dn
from wms.x509 import embedding
from wms.x509.reading import from_pem
from wms.x509.rfc3820 import (
    INHERIT_ALL,
    LIMITED,
    PROXY_CERT_INFO,
    ProxyInfo,
    proxies_of,
    proxy_info,
    subject_dn,
)

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
Chain = tuple[x509.Certificate, ...]

LONGEST_CHAIN = 20
SKEW_S = 300
_PEM = serialization.Encoding.PEM
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.+?-----END \1-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Proxy:
    """A credential that can be used: certificates from the leaf upwards, and the leaf's private key."""

    chain: Chain
    key: PrivateKey


# -- files -----------------------------------------------------------------------------------------------


def load(pem: bytes) -> Proxy:
    """A credential file: certificates and one key in any order; those outside the chain are left out."""
    certs = certificates(pem)
    key = load_key(pem)
    leaf = next((c for c in certs if _is_key_of(key, c)), None)
    if leaf is None:
        raise BadCredential("the credential's private key belongs to none of its certificates")
    return Proxy(in_order(leaf, certs), key)


def certificates(pem: bytes) -> Chain:
    """The certificates of a PEM text in their order; CredentialNotFound when there is none."""
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        raise CredentialNotFound("no certificate was found in the credential")
    return from_pem(pem)


def load_key(pem: bytes) -> PrivateKey:
    """The one private key of a PEM text, unencrypted, RSA or elliptic curve."""
    blocks = [m.group() for m in _BLOCK.finditer(pem) if m.group(1).endswith(b"PRIVATE KEY")]
    if len(blocks) != 1:
        raise BadCredential(f"the credential holds {len(blocks)} private keys instead of one")
    try:
        key = serialization.load_pem_private_key(blocks[0], None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadCredential(f"the private key cannot be read: {error}") from error
    if not isinstance(key, PrivateKey):
        raise BadCredential("the private key is neither RSA nor elliptic curve")
    return key


def dump(cert: x509.Certificate, key: PrivateKey, chain: Iterable[x509.Certificate]) -> bytes:
    """A proxy file in the order all grid tools read: certificate, key, then the rest of the chain."""
    rest = b"".join(c.public_bytes(_PEM) for c in chain)
    return cert.public_bytes(_PEM) + key_pem(key) + rest


def key_pem(key: PrivateKey) -> bytes:
    """The unencrypted key as PEM, in the traditional form that Globus reads."""
    return key.private_bytes(_PEM, serialization.PrivateFormat.TraditionalOpenSSL,
                             serialization.NoEncryption())


def _is_key_of(key: PrivateKey, cert: x509.Certificate) -> bool:
    return _same_key(key.public_key(), cert)


def _same_key(key: PublicKey, cert: x509.Certificate) -> bool:
    try:
        return cert.public_key() == key
    except (ValueError, UnsupportedAlgorithm):
        return False


def in_order(leaf: x509.Certificate, certs: Sequence[x509.Certificate]) -> Chain:
    """The leaf and, of the others, each one's issuer by name."""
    chain = [leaf]
    while (issuer := next((c for c in certs if c.subject == chain[-1].issuer and c not in chain), None)):
        chain.append(issuer)
    return tuple(chain)


# -- whose it is -----------------------------------------------------------------------------------------


def identify(chain: Sequence[x509.Certificate], now: float,
             read: Callable[[x509.Certificate], ProxyInfo | None] = proxy_info) -> Identity:
    """Whose chain this is, leaf first; certificates after the end entity (of authorities) are not looked at.

    ProxyRuleBroken names the rule, CredentialExpired tells when. Signatures are not checked here. `read` as in
    `proxies_of`.
    """
    if not chain:
        raise CredentialNotFound("no certificate was presented")
    infos = proxies_of(chain[:LONGEST_CHAIN], read)
    used = chain[: len(infos) + 1]
    not_after = min(_end(c) for c in used)
    if now >= not_after:
        raise CredentialExpired("Your proxy credential has expired", not_after=not_after)
    if now + SKEW_S < max(_start(c) for c in used):
        raise CredentialNotYetValid("the credential is not valid yet: is a clock wrong?")
    owner = used[-1]
    return Identity(subject_dn(owner.subject), ca_dn=subject_dn(owner.issuer), not_after=not_after,
                    limited=any(info.limited for info in infos), chain_length=len(used))


def require_life(identity: Identity, now: float, needed_s: float) -> None:
    """CredentialExpired or CredentialTooShort when less than `needed_s` seconds remain."""
    if now >= identity.not_after:
        raise CredentialExpired("Your proxy credential has expired", not_after=identity.not_after)
    if identity.not_after - now < needed_s:
        raise CredentialTooShort(f"Your proxy credential will expire in less than {needed_s / 60:g} minutes",
                                 not_after=identity.not_after)


def remarks(chain: Sequence[x509.Certificate]) -> tuple[str, ...]:
    """What is odd but allowed: certificates that outlive, or begin before, the one they were issued by."""
    found = []
    for cert, issuer in pairwise(chain[: len(proxies_of(chain)) + 1]):
        name = subject_dn(cert.subject)
        if _end(cert) > _end(issuer):
            found.append(f"{name} is valid {_end(cert) - _end(issuer):.0f} s longer than its issuer")
        if _start(cert) < _start(issuer):
            found.append(f"{name} is valid {_start(issuer) - _start(cert):.0f} s before its issuer")
    return tuple(found)


def _end(cert: x509.Certificate) -> float:
    return cert.not_valid_after_utc.timestamp()


def _start(cert: x509.Certificate) -> float:
    return cert.not_valid_before_utc.timestamp()


# -- delegation ------------------------------------------------------------------------------------------


def new_key(kind: str = "rsa:2048") -> PrivateKey:
    """A key of kind `ec` (P-256) or `rsa:BITS`; Globus tools and MyProxy read RSA only."""
    if kind == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    name, _, bits = kind.partition(":")
    if name != "rsa" or not bits.isdecimal() or int(bits) < 2048:
        raise ValueError(f"no such kind of key: {kind!r}")
    return rsa.generate_private_key(65537, int(bits))


def request(kind: str = "rsa:2048") -> tuple[bytes, bytes]:
    """(private key, signing request), both PEM: the receiving side's first half of a delegation."""
    key = new_key(kind)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "proxy")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return key_pem(key), csr.public_bytes(_PEM)


def requested_key(csr: bytes) -> PublicKey:
    """The public key that a PEM signing request asks to certify, after its proof of possession is checked."""
    try:
        found = x509.load_pem_x509_csr(csr)
        key = found.public_key()
        proven = found.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise BadCredential(f"the signing request cannot be read: {error}") from error
    if not proven or not isinstance(key, PublicKey):
        raise BadCredential("the signing request does not prove possession of a usable key")
    return key


def new_proxy(issuer_chain: Sequence[x509.Certificate], issuer_key: PrivateKey, public_key: PublicKey,
              now: float, lifetime_s: float, limited: bool = False, *, serial: int,
              attributes: Sequence[bytes] = (), path_length: int | None = None) -> x509.Certificate:
    """A proxy certificate for `public_key`, issued by `issuer_chain[0]`; `[it, *issuer_chain]` is its chain.

    `serial` is a random positive number and becomes the added common name. A proxy of a limited proxy is
    limited, and none outlives its chain. `attributes` are VOMS attribute certificates (DER) to carry;
    `path_length` proxies may follow, None: any number.
    """
    issuer = issuer_chain[0]
    owner = identify(issuer_chain, now)
    if not _is_key_of(issuer_key, issuer):
        raise BadCredential("the signing key does not belong to the issuer's certificate")
    language = LIMITED if limited or owner.limited else INHERIT_ALL
    info = x509.UnrecognizedExtension(PROXY_CERT_INFO, ProxyInfo(path_length, language).encode())
    start = max(_start(issuer), now - SKEW_S)
    name = x509.Name([*issuer.subject.rdns, x509.RelativeDistinguishedName(
        [x509.NameAttribute(NameOID.COMMON_NAME, str(serial))])])
    builder = (x509.CertificateBuilder(issuer.subject, name, public_key, serial)
               .not_valid_before(_moment(start))
               .not_valid_after(_moment(min(owner.not_after, now + lifetime_s)))
               .add_extension(info, critical=True).add_extension(_usage(public_key), critical=True))
    if attributes:
        builder = builder.add_extension(embedding.extension(attributes), critical=False)
    cert = builder.sign(issuer_key, hashes.SHA256())
    proxies_of((cert, *issuer_chain))
    return cert


def accept(key: bytes, chain: bytes, expected_dn: str, now: float,
           end_entity: x509.Certificate) -> tuple[Identity, bytes]:
    """The second half of a delegation, PEM in and out: whose it is, and the complete proxy file.

    `key` is our pending one, `chain` what the caller signed; `expected_dn` and `end_entity` are the
    caller's, from the authenticated connection: the chain must be signed link by link up to that very
    certificate, which OpenSSL has verified there.
    """
    pending = load_key(key)
    certs = certificates(chain)
    identity = identify(certs, now)
    if not _is_key_of(pending, certs[0]):
        raise BadCredential("the delegated certificate was not issued for the key that was requested")
    if not same_dn(identity.dn, expected_dn) or certs[identity.chain_length - 1] != end_entity:
        raise UntrustedCredential(f"the delegated credential belongs to {identity.dn}, not to the caller",
                                  dn=identity.dn)
    used = certs[: identity.chain_length]
    verify_links(used)
    return identity, dump(used[0], pending, used[1:])


def verify_links(chain: Sequence[x509.Certificate]) -> None:
    """Check that each certificate is signed by the next; UntrustedCredential when one is not."""
    for cert, issuer in pairwise(chain):
        try:
            cert.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
            raise UntrustedCredential(
                f"the signature on {subject_dn(cert.subject)} is not by its issuer") from error


def _usage(key: PublicKey) -> x509.KeyUsage:
    return x509.KeyUsage(digital_signature=True, key_encipherment=isinstance(key, rsa.RSAPublicKey),
                         content_commitment=False, data_encipherment=False, key_agreement=False,
                         key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False)


def _moment(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch // 1, UTC)
