"""The name of whoever holds a proxy file, read without a cryptography library. Nothing is verified here.

A service believes only what a connection has shown.
"""

from __future__ import annotations

import binascii
import re

from wms import der
from wms.identity import dn_text

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_VERSION, _BMP = 0xA0, 0x1E
_COMMON_NAME = "2.5.4.3"

Name = list[tuple[str, str]]


def subject(pem: bytes) -> str:
    """The DN of the first certificate that is no proxy of the next; ValueError when there is none to read."""
    dn = ""
    for body in _CERTIFICATE.findall(pem):
        issuer, own = names(binascii.a2b_base64(body))
        dn = dn_text(own)
        if not (own[:-1] == issuer and own[-1][0] == _COMMON_NAME):
            return dn
    if not dn:
        raise ValueError("there is no certificate")
    return dn


def names(certificate: bytes) -> tuple[Name, Name]:
    """(issuer, subject) of a DER certificate as (dotted OID, value) pairs; ValueError when it is none."""
    fields = der.split(der.take(der.take(certificate)[1])[1])
    if fields and fields[0][0] == _VERSION:
        fields = fields[1:]
    if len(fields) < 5:
        raise ValueError("not a certificate")
    return _name(fields[2]), _name(fields[4])


def _name(blob: bytes) -> Name:
    found: Name = []
    for group in der.split(der.take(blob)[1]):
        for pair in der.split(der.take(group)[1]):
            kind, value = der.split(der.take(pair)[1])
            tag, content, _rest = der.take(value)
            found.append((_dotted(der.take(kind)[1]), content.decode("utf-16-be" if tag == _BMP else "utf-8")))
    return found


def _dotted(content: bytes) -> str:
    numbers, number = [], 0
    for byte in content:
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            numbers.append(number)
            number = 0
    first = min(2, numbers[0] // 40)
    return ".".join(map(str, [first, numbers[0] - 40 * first, *numbers[1:]]))
