"""The user's credential as a record; of a proxy file: where it is, whether it is good, what its delegation is called.

Found out before anything is sent and without loading a cryptography library. Whether it can be trusted is for the
services to say. Tokens are read in `clients.tokens`, which of them all counts in `clients.wallet`.
"""

from __future__ import annotations

import binascii
import hashlib
import os
import re
from calendar import timegm
from collections.abc import Mapping
from dataclasses import dataclass, field

from wms import der
from wms.errors import (
    BadCredential,
    CredentialExpired,
    CredentialNotFound,
    CredentialTooShort,
)

CERTIFICATE, TOKEN = "certificate", "token"
CA_DIR = "/etc/grid-security/certificates"
HINT = "Make one: wms proxy init (or voms-proxy-init --rfc), or point X509_USER_PROXY at it. Or get a token: wms login."
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_UTC_TIME, _GENERALIZED_TIME, _VERSION = 0x17, 0x18, 0xA0
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z")


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential that was looked at. `not_after`: when the token, or the first of the certificates, ends (epoch s).

    `path` is that of its file, empty for a token from the environment; `token` is empty for a proxy.
    """

    path: str
    ca_dir: str
    not_after: float
    delegation: str
    warnings: tuple[str, ...] = ()
    kind: str = CERTIFICATE
    token: str = field(default="", repr=False)


def find(environment: Mapping[str, str], uid: int) -> tuple[str, str]:
    """Paths of the proxy file and of the directory of CA certificates."""
    proxy = environment.get("X509_USER_PROXY") or f"/tmp/x509up_u{uid}"
    return proxy, environment.get("X509_CERT_DIR") or CA_DIR


def look(path: str, ca_dir: str, now: float, needed_s: float = 0.0) -> Credential:
    """Read and check the proxy file: there, readable, not expired, good for `needed_s` more seconds."""
    pem, mode = _read(path)
    not_after, delegation = inspect(pem)
    require_life(not_after, now, needed_s)
    warnings: tuple[str, ...] = ()
    if mode & 0o077:
        warnings = (f"The proxy file {path} can be read by others (mode {mode & 0o777:04o}): chmod 600 it.",)
    return Credential(path, ca_dir, not_after, delegation, warnings)


def _read(path: str) -> tuple[bytes, int]:
    try:
        with open(path, "rb") as file:
            return file.read(), os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise CredentialNotFound(f"No path to valid proxy file has been found: {path}: {error.strerror}",
                                 hint=HINT, path=path) from None


def inspect(pem: bytes) -> tuple[float, str]:
    """(end of the shortest-lived certificate, delegation id of the first) of a proxy file's content."""
    try:
        blobs = [binascii.a2b_base64(body) for body in _CERTIFICATE.findall(pem)]
        ends = [validity(blob)[1] for blob in blobs]
    except ValueError as error:
        raise BadCredential(f"the proxy file cannot be read: {error}", hint=HINT) from None
    if not ends or b"PRIVATE KEY-----" not in pem:
        raise BadCredential("the proxy file does not hold a certificate and its key", hint=HINT)
    return min(ends), hashlib.sha256(blobs[0]).hexdigest()[:32]


def require_life(not_after: float, now: float, needed_s: float) -> None:
    """Raise CredentialExpired or CredentialTooShort unless `needed_s` seconds are left."""
    left = not_after - now
    if left <= 0:
        raise CredentialExpired("Your proxy credential has expired.", hint=HINT, not_after=not_after)
    if left < needed_s:
        raise CredentialTooShort(
            f"Your proxy credential will expire in {left / 60:.0f} minutes; {needed_s / 60:.0f} are needed.",
            hint="Make a new one that lives longer.", not_after=not_after, needed_s=needed_s)


def validity(certificate: bytes) -> tuple[float, float]:
    """(not before, not after) of a DER certificate in epoch seconds; ValueError when it is none."""
    signed = der.split(der.take(der.take(certificate)[1])[1])
    fields = signed[1:] if signed and signed[0][0] == _VERSION else signed
    if len(fields) < 4:
        raise ValueError("not a certificate")
    start, end = (_moment(part) for part in der.split(der.take(fields[3])[1])[:2])
    return start, end


def _moment(blob: bytes) -> float:
    tag, content, _ = der.take(blob)
    text = content.decode("ascii")
    if tag == _UTC_TIME:  # RFC 5280: two-digit years up to 49 are of this century
        text = ("20" if text < "50" else "19") + text
    found = _TIME.fullmatch(text)
    if tag not in (_UTC_TIME, _GENERALIZED_TIME) or found is None:
        raise ValueError("not a time")
    return float(timegm(tuple(int(part) for part in found.groups())))
