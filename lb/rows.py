"""An event as a database row and back: small columns to sort and search by, the rest as one packed body.

Not the statements (lb.store, lb.query), and no check: events are valid before they come here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from wms.event import EVENT_TYPES, Event, Source
from wms.seqcode import SequenceCode

PLAIN = 0xFF  # marks a code that is not a sequence code, kept as text
ONE_BYTE = 248  # counters below this take one byte; larger ones a byte of length and their digits to base 256


class Body(msgspec.Struct, frozen=True, array_like=True):
    """What has no column of its own. Fields are only ever added, at the end and with a default."""

    fields: dict[str, Any]
    host: str
    user: str
    level: str
    priority: int
    instance: str


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Body).decode
_TYPE_CODES = {name: row.code for name, row in EVENT_TYPES.items()}
_TYPE_NAMES = {row.code: name for name, row in EVENT_TYPES.items()}
_SOURCE_CODES = {source.value: source.code for source in Source}
_SOURCE_NAMES = {source.code: source.value for source in Source}
_CLOCKED = frozenset(source.value for source in Source if source.component)


def to_row(job: int, number: int, event: Event, arrived: float) -> dict[str, Any]:
    """The row of a valid event, `number` in its `job` (key of its row); `arrived` is epoch seconds."""
    body = Body(event.fields, event.host, event.user, event.level, event.priority, event.instance)
    return {
        "job": job, "number": number, "type": _TYPE_CODES[event.type], "source": _SOURCE_CODES[event.source],
        "seqcode": pack_code(event.seqcode, event.source), "timestamp": event.timestamp, "arrived": arrived,
        "body": _encode(body)}


def from_row(row: Mapping[str, Any], job: str) -> Event:
    """The event of a row; `job` is the URL of its job."""
    body = _decode(row["body"])
    return Event(
        _TYPE_NAMES[row["type"]], job, _SOURCE_NAMES[row["source"]], unpack_code(row["seqcode"]),
        row["timestamp"], body.host, body.user, body.level, body.priority, body.instance, body.fields,
        row["arrived"])


@lru_cache(maxsize=4096)
def pack_code(text: str, source: str) -> bytes:
    """A sequence code as few bytes that sort as the code does; other systems' codes as marked text."""
    if source not in _CLOCKED:
        return bytes((PLAIN,)) + text.encode()
    code = SequenceCode.parse(text)
    return bytes(code) if max(code) < ONE_BYTE else b"".join(map(_packed, code))


@lru_cache(maxsize=4096)
def unpack_code(data: bytes) -> str:
    """The text that was packed."""
    if data[0] == PLAIN:
        return data[1:].decode()
    return str(SequenceCode._make(data if max(data) < ONE_BYTE else _unpacked(data)))


def _packed(counter: int) -> bytes:
    if counter < ONE_BYTE:
        return bytes((counter,))
    digits = counter.to_bytes((counter.bit_length() + 7) // 8)
    return bytes((ONE_BYTE - 1 + len(digits),)) + digits


def _unpacked(data: bytes) -> Iterable[int]:
    at = 0
    while at < len(data):
        head = data[at]
        size = max(0, head - ONE_BYTE + 1)
        yield int.from_bytes(data[at + 1:at + 1 + size]) if size else head
        at += 1 + size
