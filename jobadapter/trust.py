"""Which CAs a wrapper must trust to talk to this service: those above our own host certificate."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from wms.errors import BadCredential, ConfigError
from wms.x509.reading import from_pem

MAX_DEPTH = 10


def issuers(certificate: str, ca_dir: str) -> str:
    """PEM of the CA certificates from the host certificate's issuer up to its root; raises ConfigError."""
    cert = from_pem(Path(certificate).read_bytes())[0]
    known = _authorities(Path(ca_dir))
    found: list[x509.Certificate] = []
    name = cert.issuer
    while name in known and len(found) < MAX_DEPTH:
        found.append(known[name])
        if known[name].issuer == name:
            break
        name = known[name].issuer
    if not found:
        raise ConfigError(f"The CA of {certificate}, {cert.issuer.rfc4514_string()}, is not in {ca_dir}.")
    return "".join(ca.public_bytes(Encoding.PEM).decode() for ca in found)


def _authorities(ca_dir: Path) -> dict[x509.Name, x509.Certificate]:
    authorities: dict[x509.Name, x509.Certificate] = {}
    for path in sorted(ca_dir.glob("*.[0-9]")):
        try:
            cert = from_pem(path.read_bytes())[0]
        except BadCredential:
            continue
        authorities[cert.subject] = cert
    return authorities
