"""Memberships of a VO that a chain proves: its attribute certificates verified against vomsdir.

Pure: the chain has been verified before, the time is an argument. Reading is `wms.voms.certificate`; what a member
may do is `wms.authz`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtensionOID

from wms.errors import (
    AttributesExpired,
    AttributesUntrusted,
    BadAttributes,
    BadCredential,
    UntrustedCredential,
)
from wms.voms import fqans
from wms.voms.certificate import AttributeCertificate, in_chain
from wms.voms.fields import NameKey, name_key
from wms.voms.vomsdir import Vomsdir
from wms.x509.legacy import any_proxy_info
from wms.x509.proxy import verify_links
from wms.x509.rfc3820 import extension, subject_dn

Path = tuple[x509.Certificate, ...]
Check = Callable[[Path], object]

LONGEST_PATH = 10
_RSA = "1.2.840.113549.1.1."
_EC = "1.2.840.10045.4.3."
# Signatures with SHA-1 are not among them: they can be forged, and no server has made them since 2013.
SIGNATURES: dict[str, tuple[type, hashes.HashAlgorithm]] = {
    _RSA + "11": (rsa.RSAPublicKey, hashes.SHA256()),
    _RSA + "12": (rsa.RSAPublicKey, hashes.SHA384()),
    _RSA + "13": (rsa.RSAPublicKey, hashes.SHA512()),
    _EC + "2": (ec.EllipticCurvePublicKey, hashes.SHA256()),
    _EC + "3": (ec.EllipticCurvePublicKey, hashes.SHA384()),
    _EC + "4": (ec.EllipticCurvePublicKey, hashes.SHA512()),
}


@dataclass(frozen=True, slots=True)
class Membership:
    """What one attribute certificate proves: normalised FQANs in its order (the first is the primary one).

    Times are epoch seconds; `issuer` is the subject of the server that signed, `uri` its `host:port`; `targets` are the
    hosts it is for, none when it is for all.
    """

    vo: str
    fqans: tuple[str, ...]
    not_before: float
    not_after: float
    issuer: str
    uri: str
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Here:
    """The place and time at which attribute certificates are judged."""

    now: float
    vomsdir: Vomsdir
    host: str
    skew_s: float
    authorities: Sequence[x509.Certificate]
    check: Check


def memberships(chain: Sequence[x509.Certificate], now: float, vomsdir: Vomsdir, host: str, skew_s: float = 300, *,
                authorities: Sequence[x509.Certificate], check: Check = tuple) -> tuple[Membership, ...]:
    """All memberships of a verified leaf-first chain, those of the certificate nearest the leaf first.

    VOs that vomsdir does not know are passed by (`strangers`), and so is a VO's attribute certificate when a
    certificate nearer the leaf has one of that VO. Anything wrong with another raises BadAttributes,
    AttributesExpired or AttributesUntrusted. `host` is our name, for those that are meant for certain hosts.
    `authorities` are those of the CA directory; `check` gets the path from a server's certificate to one of them, that
    one included, and raises BadCredential for what else may be wrong (a revoked certificate, a signing policy).
    """
    here = _Here(now, vomsdir, host, skew_s, authorities, check)
    return tuple(_membership(ac, chain, here) for ac in _counting(chain, vomsdir))


def strangers(chain: Sequence[x509.Certificate], vomsdir: Vomsdir) -> tuple[str, ...]:
    """The VOs that the chain claims and vomsdir does not know."""
    return tuple(dict.fromkeys(ac.vo for _, ac in in_chain(chain) if not vomsdir.knows(ac.vo)))


def _counting(chain: Sequence[x509.Certificate], vomsdir: Vomsdir) -> Iterator[AttributeCertificate]:
    nearest: dict[str, int] = {}
    for place, ac in in_chain(chain):
        if vomsdir.knows(ac.vo) and nearest.setdefault(ac.vo, place) == place:
            yield ac


def _membership(ac: AttributeCertificate, chain: Sequence[x509.Certificate], here: _Here) -> Membership:
    _require_time(ac, here.now, here.skew_s)
    _require_holder(ac, chain)
    _require_target(ac, here.host)
    if ac.critical:
        raise BadAttributes(f"the VOMS attributes have a critical extension that is not known: {ac.critical[0]}")
    signer = _signer(ac, here)
    return Membership(ac.vo, _names(ac), ac.not_before, ac.not_after, subject_dn(signer.subject), ac.uri,
                      ac.targets or ())


def _require_time(ac: AttributeCertificate, now: float, skew_s: float) -> None:
    if now >= ac.not_after:
        raise AttributesExpired(f"The VOMS attributes of {ac.vo} have expired.", vo=ac.vo, not_after=ac.not_after,
                                hint="Make a new proxy: wms proxy init, or voms-proxy-init --rfc.")
    if now + skew_s < ac.not_before:
        raise BadAttributes(f"the VOMS attributes of {ac.vo} are not valid yet: is a clock wrong?", vo=ac.vo,
                            not_before=ac.not_before)


def _require_holder(ac: AttributeCertificate, chain: Sequence[x509.Certificate]) -> None:
    owner = next((cert for cert in chain if any_proxy_info(cert) is None), chain[-1])
    subject, issuer = _key(owner.subject), _key(owner.issuer)
    by_serial = ac.holder_serial == owner.serial_number and bool({subject, issuer} & set(ac.holder_names))
    by_name = subject in ac.entity_names
    named = [fits for fits, said in ((by_serial, ac.holder_names), (by_name, ac.entity_names)) if said]
    if not named or not all(named):
        raise AttributesUntrusted(f"the VOMS attributes of {ac.vo} were issued to somebody else", vo=ac.vo,
                                  dn=subject_dn(owner.subject))


def _require_target(ac: AttributeCertificate, host: str) -> None:
    if ac.targets is not None and host.lower() not in map(_host_of, ac.targets):
        meant = ", ".join(ac.targets) or "no host"
        raise AttributesUntrusted(f"the VOMS attributes of {ac.vo} are meant for {meant}, this is {host}", vo=ac.vo)


def _host_of(target: str) -> str:
    """Targets are host names, or URIs with one."""
    return target.rpartition("://")[2].partition("/")[0].partition(":")[0].lower()


def _names(ac: AttributeCertificate) -> tuple[str, ...]:
    found = tuple(fqans.parse(text) for text in ac.fqans)
    if not found:
        raise BadAttributes(f"the VOMS attributes of {ac.vo} name no membership", vo=ac.vo)
    if foreign := [str(fqan) for fqan in found if fqan.vo != ac.vo]:
        raise BadAttributes(f"the VOMS attributes of {ac.vo} name a membership of another VO: {foreign[0]}", vo=ac.vo)
    return tuple(dict.fromkeys(map(str, found)))


# -- who signed ------------------------------------------------------------------------------------------


def _signer(ac: AttributeCertificate, here: _Here) -> x509.Certificate:
    """The certificate by which the signature was verified and which vomsdir names."""
    try:
        path = _named_path(ac, here.vomsdir)
        _require_signature(ac, path[0])
        whole = _to_authority(path, here.authorities)
        _require_path(whole, here)
        here.check(whole)
    except AttributesUntrusted:
        raise
    except BadCredential as error:
        raise AttributesUntrusted(f"the VOMS server that signed for {ac.vo} is not trusted: {error.message}",
                                  vo=ac.vo, reason=error.code) from error
    return path[0]


def _named_path(ac: AttributeCertificate, vomsdir: Vomsdir) -> Path:
    """The signer's certificates that came along when an LSC file names them, else a certificate of vomsdir."""
    path = _carried(ac)
    lsc = vomsdir.lsc_of(ac.vo, _host_of(ac.uri))
    if path and _key(path[0].subject) == ac.issuer and lsc is not None and lsc.describes(path):
        return path
    for cert in vomsdir.certificates_of(ac.vo):
        if _key(cert.subject) == ac.issuer:
            return (cert,)
    said = subject_dn(path[0].subject) if path else "an unknown server"
    raise AttributesUntrusted(f"vomsdir names nobody at {ac.uri} who may sign for {ac.vo} as {said} did", vo=ac.vo,
                              hint=f"The administrator needs {ac.vo}/{_host_of(ac.uri)}.lsc.")


def _carried(ac: AttributeCertificate) -> Path:
    try:
        found = tuple(x509.load_der_x509_certificate(cert) for cert in ac.signers)
        for cert in found:  # `cryptography` reads these when they are asked for
            _key(cert.subject), _key(cert.issuer), cert.not_valid_before_utc, cert.not_valid_after_utc
    except (ValueError, TypeError, x509.InvalidVersion) as error:
        raise BadCredential(f"a certificate of the server cannot be read: {error}") from error
    return found


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


def _require_path(path: Path, here: _Here) -> None:
    for cert in path:
        start, end = cert.not_valid_before_utc.timestamp(), cert.not_valid_after_utc.timestamp()
        if not start - here.skew_s <= here.now < end:
            raise BadCredential(f"the certificate of {subject_dn(cert.subject)} has expired or is not valid yet")
    for cert in path[1:]:
        if not _is_authority(cert):
            raise BadCredential(f"{subject_dn(cert.subject)} may not issue certificates")


def _is_authority(cert: x509.Certificate) -> bool:
    basic, usage = extension(cert, ExtensionOID.BASIC_CONSTRAINTS), extension(cert, ExtensionOID.KEY_USAGE)
    allowed = basic is not None and isinstance(basic.value, x509.BasicConstraints) and basic.value.ca
    return allowed and (usage is None or not isinstance(usage.value, x509.KeyUsage) or usage.value.key_cert_sign)


def _key(name: x509.Name) -> NameKey:
    return name_key(name.public_bytes())
