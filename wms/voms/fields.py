"""Elements of DER taken in order from a bounded text, for structures that `cryptography` does not read.

Every reader here raises ValueError on what does not fit, and nothing else; encodings are made in `wms.der`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from wms import der

GENERALIZED_TIME, BIT_STRING, BOOLEAN = 0x18, 0x03, 0x01
DIRECTORY_NAME: Final = 0xA4  # [4] of a GeneralName
MOST = 1024  # elements of one list

# Tags of character strings and what they are encoded in.
STRINGS = {der.UTF8_STRING: "utf-8", 0x13: "ascii", 0x14: "latin-1", 0x16: "ascii", 0x1E: "utf-16-be", 0x12: "ascii"}

_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z", re.ASCII)

# A name in which neither spelling of letters, width of blanks nor kind of string counts (RFC 5280, 7.1).
NameKey = tuple[frozenset[tuple[bytes, str]], ...]


class Fields:
    """The elements of one structure, taken one after another."""

    def __init__(self, content: bytes) -> None:
        self._rest = content

    def next(self, tag: int) -> bytes:
        """The content of the next element, which must have this tag."""
        found = self.maybe(tag)
        if found is None:
            raise ValueError(f"an element with tag {tag:#04x} is missing")
        return found

    def maybe(self, tag: int) -> bytes | None:
        """The content of the next element when it has this tag; else None, and nothing is taken."""
        if not self._rest or self._rest[0] != tag:
            return None
        _, content, self._rest = der.take(self._rest)
        return content

    def whole(self, tag: int) -> bytes:
        """The next element, tag and length included."""
        before = self._rest
        self.next(tag)
        return before[: len(before) - len(self._rest)]

    @property
    def empty(self) -> bool:
        """Is nothing left?"""
        return not self._rest

    def end(self) -> None:
        """Nothing may follow."""
        if self._rest:
            raise ValueError("there is more than there should be")


def listed(content: bytes) -> list[tuple[int, bytes]]:
    """(tag, content) of all elements of a list."""
    found: list[tuple[int, bytes]] = []
    while content:
        tag, element, content = der.take(content)
        found.append((tag, element))
        if len(found) > MOST:
            raise ValueError(f"more than {MOST} elements")
    return found


def of_kind(content: bytes, kind: int) -> list[bytes]:
    """The contents of a list whose elements must all have one tag."""
    found = listed(content)
    if any(tag != kind for tag, _ in found):
        raise ValueError("an element of another kind")
    return [element for _, element in found]


def single(blob: bytes, tag: int) -> bytes:
    """The content of the one element that the text holds."""
    fields = Fields(blob)
    content = fields.next(tag)
    fields.end()
    return content


def number(content: bytes) -> int:
    if not content or len(content) > 32:
        raise ValueError("not a sane number")
    return int.from_bytes(content, "big", signed=True)


def moment(content: bytes) -> float:
    """Epoch seconds of a GeneralizedTime in UTC."""
    found = _TIME.fullmatch(content.decode("ascii"))
    if found is None:
        raise ValueError("not a time in UTC")
    year, month, day, hour, minute, second = (int(part) for part in found.groups())
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()


def bits(content: bytes) -> bytes:
    """The octets of a BIT STRING that has whole ones."""
    if content[:1] != b"\0":
        raise ValueError("not a string of whole octets")
    return content[1:]


def dotted(content: bytes) -> str:
    """An object identifier as text."""
    if not content or len(content) > 64 or content[-1] & 0x80:
        raise ValueError("not an object identifier")
    arcs, value = [], 0
    for octet in content:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (first, arcs[0] - 40 * first, *arcs[1:]))


def text(tag: int, content: bytes) -> str:
    """The text of a character string of whatever kind."""
    if tag not in STRINGS:
        raise ValueError("not a character string")
    return content.decode(STRINGS[tag])


def name_key(name: bytes) -> NameKey:
    """What two names (DER of a Name) must have in common to be the same."""
    return tuple(frozenset(_attribute(pair) for pair in of_kind(rdn, der.SEQUENCE))
                 for rdn in of_kind(single(name, der.SEQUENCE), der.SET))


def _attribute(content: bytes) -> tuple[bytes, str]:
    (oid_tag, oid), (tag, value) = listed(content)
    if oid_tag != der.OID:
        raise ValueError("not an attribute of a name")
    try:
        return oid, " ".join(text(tag, value).split()).lower()
    except ValueError:  # no text, or none of its kind: compared as it stands
        return oid, f"#{value.hex()}"
