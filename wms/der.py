"""The few bits of DER that certificates need and `cryptography` does not offer: elements and OIDs.

Not an ASN.1 library: definite lengths and one-byte tags only.
"""

from __future__ import annotations

SEQUENCE, SET, INTEGER, OCTET_STRING, OID, UTF8_STRING = 0x30, 0x31, 0x02, 0x04, 0x06, 0x0C


def element(tag: int, content: bytes) -> bytes:
    """The encoding of one element."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def integer(number: int) -> bytes:
    """The encoding of an integer that is not negative."""
    return element(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def take(blob: bytes) -> tuple[int, bytes, bytes]:
    """(tag, content, what follows) of the first element; ValueError when it is not all there."""
    if len(blob) < 2:
        raise ValueError("truncated DER")
    size, head = blob[1], 2
    if size >= 0x80:
        head += size & 0x7F
        size = int.from_bytes(blob[2:head], "big")
    if not 2 <= head <= 6 or blob[1] == 0x80 or len(blob) < head + size:
        raise ValueError("malformed or truncated DER")
    return blob[0], blob[head : head + size], blob[head + size :]


def split(blob: bytes) -> list[bytes]:
    """The encodings of elements that stand one after another."""
    found = []
    while blob:
        rest = take(blob)[2]
        found.append(blob[: len(blob) - len(rest)])
        blob = rest
    return found


def oid(dotted: str) -> bytes:
    """The encoding of an object identifier, tag and length included."""
    first, second, *others = (int(arc) for arc in dotted.split("."))
    return element(OID, b"".join(_base128(arc) for arc in (40 * first + second, *others)))


def _base128(number: int) -> bytes:
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.insert(0, 0x80 | (number & 0x7F))
    return bytes(digits)
