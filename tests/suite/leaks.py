"""Looking for secrets where they must not be: in many spellings, in everything that the service writes."""

from __future__ import annotations

import base64
import re
import traceback
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import sqlalchemy as sa
from twisted.logger import formatEvent

from tests.suite.world import World
from wms.database import metadata
from wms.errors import WmsError

LEAST = 12
"""A shorter piece could be there by chance."""
_BODY = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----(.+?)-----END \1-----", re.DOTALL)


def spellings(secret: bytes) -> set[bytes]:
    """A secret and its pieces as they might be found: text, base64 of three kinds, hexadecimal, DER, URL."""
    pieces = {secret, *(part for part in re.split(rb"[.\s]", secret) if len(part) >= LEAST)}
    for _, body in _BODY.findall(secret):
        inner = base64.b64decode(body)
        pieces |= {inner[place:place + 24] for place in range(0, len(inner) - 24, 24)}
        pieces |= {line for line in body.split() if len(line) >= LEAST}
    return {spelt for piece in pieces if len(piece) >= LEAST for spelt in _spelt(piece)}


def _spelt(piece: bytes) -> Iterator[bytes]:
    yield piece
    yield piece.hex().encode()
    yield piece.hex().upper().encode()
    yield quote(piece).encode()
    yield repr(piece)[2:-1].encode()
    for shift in range(3):  # inside of something else the groups of three bytes may begin anywhere
        inner = piece[shift:len(piece) - (len(piece) - shift) % 3]
        for encoded in (base64.b64encode(inner), base64.urlsafe_b64encode(inner)):
            if len(encoded) >= LEAST:
                yield encoded


def found(secrets: Mapping[str, bytes], places: Iterable[tuple[str, bytes]]) -> list[str]:
    """Which secret is where."""
    wanted = [(name, re.compile(b"|".join(re.escape(one) for one in sorted(spellings(secret)))))
              for name, secret in secrets.items()]
    return sorted({f"{name} in {place}" for place, content in places for name, pattern in wanted
                   if pattern.search(content)})


def written(world: World) -> Iterator[tuple[str, bytes]]:
    """All that the service has written: rows, logs, files; of its credentials what lies on disk."""
    with world.engine.begin() as conn:
        for name, table in metadata.tables.items():
            for row in conn.execute(sa.select(table)):
                yield f"table {name}", b"\n".join(_bytes(value) for value in row)
    for event in world.logged:
        yield "log", logged(event)
    for path in world.directory.rglob("*"):
        if path.is_file():
            yield f"file {path.relative_to(world.directory)}", path.read_bytes()


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def logged(event: Mapping[str, Any]) -> bytes:
    """A log entry as people may come to see it."""
    failure = event.get("log_failure")
    trace = failure.getTraceback() if failure is not None else ""
    values = " ".join(f"{key}={value} {value!r}" for key, value in event.items())
    return f"{formatEvent(dict(event))} {values} {trace}".encode()


def told(error: BaseException) -> bytes:
    """What anybody is told of an error."""
    record = msgspec.json.encode(error.record()) if isinstance(error, WmsError) else b""
    return record + f"{error} {error!r}".encode() + "".join(traceback.format_exception_only(error)).encode()


def files(directory: Path, *without: str) -> Iterator[tuple[str, bytes]]:
    """Files below a directory but those whose path has one of these parts."""
    for path in directory.rglob("*"):
        here = path.relative_to(directory)
        if path.is_file() and not set(here.parts) & set(without):
            yield str(here), path.read_bytes()
