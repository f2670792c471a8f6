"""Who signed an attribute certificate, and whether vomsdir and the CA directory let us believe him.

Pure: all that is believed comes as an argument. What the attributes are worth otherwise is `wms.voms.attributes`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtensionOID

from wms.errors import AttributesUntrusted, BadCredential, UntrustedCredential
from wms.voms.certificate import AttributeCertificate
from wms.voms.fields import NameKey, name_key
from wms.voms.vomsdir import Vomsdir
from wms.x509.proxy import verify_links
from wms.x509.reading import from_der
from wms.x509.rfc3820 import extension, subject_dn

Path = tuple[x509.Certificate, ...]
Check = Callable[[Path], object]

LONGEST_PATH = 10
_RSA = "1.2.840.113549.1.1."
_EC = "1.2.840.10045.4.3."
# Signatures with SHA-1 are not among them: they can be forged.
SIGNATURES: dict[str, tuple[type, hashes.HashAlgorithm]] = {
    _RSA + "11": (rsa.RSAPublicKey, hashes.SHA256()),
    _RSA + "12": (rsa.RSAPublicKey, hashes.SHA384()),
    _RSA + "13": (rsa.RSAPublicKey, hashes.SHA512()),
    _EC + "2": (ec.EllipticCurvePublicKey, hashes.SHA256()),
    _EC + "3": (ec.EllipticCurvePublicKey, hashes.SHA384()),
    _EC + "4": (ec.EllipticCurvePublicKey, hashes.SHA512()),
}


@dataclass(frozen=True, slots=True)
class Belief:
    """What is believed where and when an attribute certificate is shown (as of `wms.voms.attributes.memberships`)."""

    vomsdir: Vomsdir
    authorities: Sequence[x509.Certificate]
    check: Check
    now: float
    skew_s: float


def signer_of(ac: AttributeCertificate, belief: Belief) -> x509.Certificate:
    """The certificate by which the signature was verified and which vomsdir names."""
    try:
        path = _named_path(ac, belief.vomsdir)
        _require_signature(ac, path[0])
        whole = _to_authority(path, belief.authorities)
        _require_path(whole, belief)
        belief.check(whole)
    except AttributesUntrusted:
        raise
    except BadCredential as error:
        raise AttributesUntrusted(f"the VOMS server that signed for {ac.vo} is not trusted: {error.message}",
                                  vo=ac.vo, reason=error.code) from error
    return path[0]


def _named_path(ac: AttributeCertificate, vomsdir: Vomsdir) -> Path:
    """The signer's certificates that came along when an LSC file names them, else a certificate of vomsdir."""
    path = _carried(ac)
    lsc = vomsdir.lsc_of(ac.vo, host_of(ac.uri))
    if path and key_of(path[0].subject) == ac.issuer and lsc is not None and lsc.describes(path):
        return path
    for cert in vomsdir.certificates_of(ac.vo):
        if key_of(cert.subject) == ac.issuer:
            return (cert,)
    said = subject_dn(path[0].subject) if path else "an unknown server"
    raise AttributesUntrusted(f"vomsdir names nobody at {ac.uri} who may sign for {ac.vo} as {said} did", vo=ac.vo,
                              hint=f"The administrator needs {ac.vo}/{host_of(ac.uri)}.lsc.")


def _carried(ac: AttributeCertificate) -> Path:
    return tuple(map(from_der, ac.signers))


def _require_signature(ac: AttributeCertificate, signer: x509.Certificate) -> None:
    if ac.algorithm not in SIGNATURES:
        raise AttributesUntrusted(f"the VOMS attributes of {ac.vo} are signed by an algorithm that is not accepted: "
                                  f"{ac.algorithm}", vo=ac.vo)
    kind, digest = SIGNATURES[ac.algorithm]
    try:
        key = signer.public_key()
        if isinstance(key, rsa.RSAPublicKey) and kind is rsa.RSAPublicKey:
            key.verify(ac.signature, ac.signed, padding.PKCS1v15(), digest)
            return
        if isinstance(key, ec.EllipticCurvePublicKey) and kind is ec.EllipticCurvePublicKey:
            key.verify(ac.signature, ac.signed, ec.ECDSA(digest))
            return
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        pass
    raise AttributesUntrusted(f"the signature on the VOMS attributes of {ac.vo} is not by "
                              f"{subject_dn(signer.subject)}", vo=ac.vo)


def _to_authority(path: Path, authorities: Sequence[x509.Certificate]) -> Path:
    """The path and the authorities above it, as far as we have them."""
    verify_links(path)
    found = list(path)
    while len(found) < LONGEST_PATH and found[-1].subject != found[-1].issuer:
        above = next((ca for ca in authorities if _issued(found[-1], ca)), None)
        if above is None:
            break
        found.append(above)
    if found[-1] not in authorities:
        raise BadCredential(f"{subject_dn(found[-1].issuer)} is no authority that is trusted here")
    return tuple(found)


def _issued(cert: x509.Certificate, ca: x509.Certificate) -> bool:
    """One name may have several keys while an authority changes them."""
    if ca.subject != cert.issuer:
        return False
    try:
        verify_links((cert, ca))
    except UntrustedCredential:
        return False
    return True


def _require_path(path: Path, belief: Belief) -> None:
    for cert in path:
        start, end = cert.not_valid_before_utc.timestamp(), cert.not_valid_after_utc.timestamp()
        if not start - belief.skew_s <= belief.now < end:
            raise BadCredential(f"the certificate of {subject_dn(cert.subject)} has expired or is not valid yet")
    for cert in path[1:]:
        if not _is_authority(cert):
            raise BadCredential(f"{subject_dn(cert.subject)} may not issue certificates")


def _is_authority(cert: x509.Certificate) -> bool:
    basic, usage = extension(cert, ExtensionOID.BASIC_CONSTRAINTS), extension(cert, ExtensionOID.KEY_USAGE)
    allowed = basic is not None and isinstance(basic.value, x509.BasicConstraints) and basic.value.ca
    return allowed and (usage is None or not isinstance(usage.value, x509.KeyUsage) or usage.value.key_cert_sign)


def key_of(name: x509.Name) -> NameKey:
    return name_key(name.public_bytes())


def host_of(place: str) -> str:
    """The host of a URI, of `host:port` or of a bare name."""
    return place.rpartition("://")[2].partition("/")[0].partition(":")[0].lower()
