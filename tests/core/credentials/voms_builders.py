"""A VOMS server's hand: real signed attribute certificates for tests, also such as no honest server would make.

`member_proxy(person(), server(), "/testvo", "/testvo/Role=pilot")` is all that most tests need; a service trusts it
with the files of `vomsdir_files(server())` in its vomsdir and the server's CA in its CA directory. Tests outside
tests/core/credentials put that directory on `sys.path` first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from credential_builders import AUTHORITY, NOW
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding

from wms import der
from wms.voms import certificate
from wms.x509 import authority, proxy
from wms.x509.authority import Issued
from wms.x509.proxy import PrivateKey, Proxy
from wms.x509.rfc3820 import subject_dn

SIGNATURES: dict[tuple[str, str], str] = {
    ("rsa", "sha1"): "1.2.840.113549.1.1.5",
    ("rsa", "sha256"): "1.2.840.113549.1.1.11",
    ("rsa", "sha384"): "1.2.840.113549.1.1.12",
    ("rsa", "sha512"): "1.2.840.113549.1.1.13",
    ("ec", "sha1"): "1.2.840.10045.4.1",
    ("ec", "sha256"): "1.2.840.10045.4.3.2",
    ("ec", "sha384"): "1.2.840.10045.4.3.3",
    ("ec", "sha512"): "1.2.840.10045.4.3.4",
}
HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(), "sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


@dataclass(frozen=True, slots=True)
class Server:
    """A VOMS server: its VO, where it says it is, and the credential by which it signs."""

    vo: str
    host: str
    port: int
    credential: Proxy

    @property
    def uri(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def certificate(self) -> x509.Certificate:
        return self.credential.chain[0]


@cache
def server(vo: str = "testvo", host: str = "voms.example.org", port: int = 15000, *, kind: str = "ec",
           ca: Issued = AUTHORITY, start: float = NOW, days: float = 365) -> Server:
    """A VOMS server with a certificate of a CA."""
    issued = authority.host_certificate(ca, [host], start, serial=77, kind=kind, days=days)
    return Server(vo, host, port, proxy.load(issued.certificate + issued.key))


def vomsdir_files(*servers: Server) -> dict[str, bytes]:
    """The LSC files (path below vomsdir -> content) that make a service believe these servers."""
    return {f"{s.vo}/{s.host}.lsc": lsc(s.certificate) for s in servers}


def lsc(cert: x509.Certificate) -> bytes:
    return f"{subject_dn(cert.subject)}\n{subject_dn(cert.issuer)}\n".encode()


def owner_of(credential: Proxy) -> x509.Certificate:
    """The certificate of the person behind a proxy."""
    return next(c for c in credential.chain if proxy.proxy_info(c) is None)


def member_proxy(user: Proxy, voms: Server | None = None, *fqans: str, now: float = NOW, lifetime_s: float = 3600,
                 limited: bool = False, serial: int = 8, kind: str = "ec", targets: Sequence[str] = ()) -> Proxy:
    """A proxy of `user` (a certificate or a proxy) with memberships; without `fqans`, just the VO."""
    voms = voms or server()
    made = attributes(voms, owner_of(user), *fqans, now=now, lifetime_s=lifetime_s, targets=targets)
    return carrying(user, made, now=now, lifetime_s=lifetime_s, limited=limited, serial=serial, kind=kind)


def carrying(user: Proxy, *acs: bytes, now: float = NOW, lifetime_s: float = 3600, limited: bool = False,
             serial: int = 8, kind: str = "ec") -> Proxy:
    """A proxy of `user` that carries these attribute certificates."""
    key = proxy.new_key(kind)
    cert = proxy.new_proxy(user.chain, user.key, key.public_key(), now, lifetime_s, limited, serial=serial,
                           attributes=acs)
    return Proxy((cert, *user.chain), key)


# -- attribute certificates ------------------------------------------------------------------------------


def attributes(voms: Server, holder: x509.Certificate, *fqans: str, now: float = NOW, lifetime_s: float = 3600,
               begin: float | None = None, end: float | None = None, targets: Sequence[str] = (),
               by: str = "issuer", entity: x509.Name | None = None, serial: int | None = None,
               holder_serial: int | None = None, issuer: x509.Name | None = None, authority_uri: str | None = None,
               signer: PrivateKey | None = None, digest: str = "sha256",
               certificates: Sequence[x509.Certificate] | None = None, extensions: Sequence[bytes] = (),
               said: bytes | None = None) -> bytes:
    """A signed attribute certificate (DER).

    `by` names the holder by certificate ("issuer", or "subject" as old servers do) or not at all (""), `entity` by
    subject; `certificates` are those that come along (the server's); `signer` another key than the server's; `said`
    what stands in the place of the attribute with `fqans`.
    """
    key = signer or voms.credential.key
    algorithm = der.element(der.SEQUENCE, signature_oid(key, digest))
    info = der.element(der.SEQUENCE, b"".join([
        der.integer(1),
        der.element(der.SEQUENCE, _holder(holder, by, holder_serial) + _entity(entity)),
        der.element(0xA0, _names(issuer or voms.certificate.subject)),
        algorithm,
        der.integer(4711 if serial is None else serial),
        der.element(der.SEQUENCE, _time(now - 300 if begin is None else begin)
                    + _time(now + lifetime_s if end is None else end)),
        der.element(der.SEQUENCE, attribute(authority_uri or f"{voms.vo}://{voms.uri}", fqans or [f"/{voms.vo}"])
                    if said is None else said),
        _extensions([voms.certificate] if certificates is None else certificates, targets, extensions),
    ]))
    signature = der.element(0x03, b"\0" + sign(key, info, digest))
    return der.element(der.SEQUENCE, info + algorithm + signature)


def signature_oid(key: PrivateKey, digest: str) -> bytes:
    """The contents of an AlgorithmIdentifier."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return der.oid(SIGNATURES["ec", digest])
    return der.oid(SIGNATURES["rsa", digest]) + b"\x05\x00"


def sign(key: PrivateKey, data: bytes, digest: str) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(HASHES[digest]))
    return key.sign(data, padding.PKCS1v15(), HASHES[digest])


def attribute(authority_uri: str, fqans: Sequence[str]) -> bytes:
    """The attribute with the memberships."""
    values = b"".join(der.element(der.OCTET_STRING, fqan.encode()) for fqan in fqans)
    syntax = der.element(0xA0, der.element(0x86, authority_uri.encode())) + der.element(der.SEQUENCE, values)
    return der.element(der.SEQUENCE, der.oid(certificate.FQANS)
                       + der.element(der.SET, der.element(der.SEQUENCE, syntax)))


def extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    return der.element(der.SEQUENCE, der.oid(oid) + (b"\x01\x01\xff" if critical else b"")
                       + der.element(der.OCTET_STRING, value))


def targeted(hosts: Sequence[str]) -> bytes:
    """The extension that names the only hosts an attribute certificate is for."""
    each = (der.element(0xA0, der.element(0x86, host.encode())) for host in hosts)
    return extension(certificate.TARGETS, der.element(der.SEQUENCE, der.element(der.SEQUENCE, b"".join(each))),
                     critical=True)


def _extensions(certificates: Sequence[x509.Certificate], targets: Sequence[str], more: Sequence[bytes]) -> bytes:
    found = [extension(certificate.NO_REVOCATION, b"\x05\x00"), *more]
    if certificates:
        chain = b"".join(c.public_bytes(Encoding.DER) for c in certificates)
        found.append(extension(certificate.SIGNERS, der.element(der.SEQUENCE, der.element(der.SEQUENCE, chain))))
    if targets:
        found.append(targeted(targets))
    return der.element(der.SEQUENCE, b"".join(found))


def _holder(holder: x509.Certificate, by: str, serial: int | None) -> bytes:
    names = {"issuer": holder.issuer, "subject": holder.subject}
    if by not in names:
        return b""
    number = der.integer(holder.serial_number if serial is None else serial)
    return der.element(0xA0, _names(names[by]) + number)


def _entity(entity: x509.Name | None) -> bytes:
    return b"" if entity is None else der.element(0xA1, _directory(entity))


def _names(name: x509.Name) -> bytes:
    return der.element(der.SEQUENCE, _directory(name))


def _directory(name: x509.Name) -> bytes:
    return der.element(0xA4, name.public_bytes())


def _time(epoch: float) -> bytes:
    text = re.sub(r"[-:T]", "", datetime.fromtimestamp(epoch // 1, UTC).isoformat()[:19])
    return der.element(0x18, f"{text}Z".encode())
