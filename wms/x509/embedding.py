"""The extension that carries attribute certificates in a proxy: packed and unpacked, not looked into.

What an attribute certificate says is `wms.voms.certificate`, what it is worth `wms.voms.attributes`.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509

from wms import der
from wms.errors import BadAttributes
from wms.x509.rfc3820 import ATTRIBUTE_CERTIFICATES, raw_extension

LARGEST = 65536  # bytes of all attribute certificates of one proxy
MOST = 16  # attribute certificates of one proxy


def extension(attributes: Sequence[bytes]) -> x509.UnrecognizedExtension:
    """The extension, not critical, for attribute certificates (DER) in their order."""
    packed = der.element(der.SEQUENCE, der.element(der.SEQUENCE, b"".join(attributes)))
    return x509.UnrecognizedExtension(ATTRIBUTE_CERTIFICATES, packed)


def embedded(cert: x509.Certificate) -> tuple[bytes, ...]:
    """The attribute certificates (DER) of one certificate in their order, none when it has no extension.

    BadAttributes when the extension is malformed or larger than anybody's memberships.
    """
    found = raw_extension(cert, ATTRIBUTE_CERTIFICATES)
    if found is None:
        return ()
    blob = found[1]
    if len(blob) > LARGEST:
        raise BadAttributes(f"the VOMS attributes take {len(blob)} bytes, {LARGEST} are read at most")
    try:
        return _unpacked(blob)
    except ValueError as error:
        raise BadAttributes(f"the extension for VOMS attributes cannot be read: {error}") from error


def _unpacked(blob: bytes) -> tuple[bytes, ...]:
    outer, content, rest = der.take(blob)
    inner, found, after = der.take(content)
    if (outer, inner, rest, after) != (der.SEQUENCE, der.SEQUENCE, b"", b""):
        raise ValueError("not a list of attribute certificates")
    attributes: list[bytes] = []
    while found:
        following = der.take(found)[2]
        attributes.append(found[: len(found) - len(following)])
        found = following
        if len(attributes) > MOST:
            raise ValueError(f"more than {MOST} attribute certificates")
    return tuple(attributes)
