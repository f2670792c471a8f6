"""The frames of STOMP 1.2, as bytes and back. Pure: no connection, no time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from wms.errors import Unavailable

MAX_FRAME = 1_000_000
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", ":": "\\c"}
_UNESCAPES = {"\\": "\\", "n": "\n", "r": "\r", "c": ":"}
_PLAIN = frozenset({"CONNECT", "CONNECTED"})
"""Frames whose headers are not escaped."""
BEAT = b"\n"


class Frame(NamedTuple):
    """One frame; of repeated headers the first counts."""

    command: str
    headers: Mapping[str, str] = {}
    body: bytes = b""


def encode(frame: Frame) -> bytes:
    """The frame as it is sent; a frame with a body says how long that is."""
    headers = dict(frame.headers)
    if frame.body:
        headers["content-length"] = str(len(frame.body))
    escape = _same if frame.command in _PLAIN else _escaped
    lines = [frame.command, *(f"{escape(name)}:{escape(value)}" for name, value in headers.items())]
    return "\n".join(lines).encode() + b"\n\n" + frame.body + b"\0"


def decode(data: bytes) -> tuple[list[Frame], bytes]:
    """The whole frames at the beginning, without heart-beats, and the rest; raises Unavailable for nonsense."""
    frames: list[Frame] = []
    while data := data.lstrip(b"\r\n"):
        length = _length(data)
        if length is None:
            break
        frames.append(_frame(data[:length]))
        data = data[length + 1:]
    if len(data) > MAX_FRAME:
        raise Unavailable("The broker sent a frame that is too long.")
    return frames, data


def _length(data: bytes) -> int | None:
    """How many bytes the first frame has, without its final null; None while some are missing."""
    head, body = _split(data)
    if body < 0:
        return None
    announced = head.get("content-length", "")
    if announced and not (announced.isdecimal() and announced.isascii() and len(announced) < 10):
        raise Unavailable("The broker sent a frame with a strange length.")
    end = body + int(announced) if announced else data.find(b"\0", body)
    if end < 0 or end >= len(data):
        return None
    if data[end]:
        raise Unavailable("The broker sent a frame without an end.")
    return end


def _frame(data: bytes) -> Frame:
    headers, body = _split(data)
    command = data.partition(b"\n")[0].rstrip(b"\r").decode("latin-1")
    return Frame(command, headers, data[body:])


def _split(data: bytes) -> tuple[dict[str, str], int]:
    """The headers of the first frame and where its body begins (-1: not there yet)."""
    ends = [(at, at + len(mark)) for mark in (b"\n\n", b"\n\r\n") if (at := data.find(mark)) >= 0]
    if not ends:
        return {}, -1
    head, body = min(ends)
    try:
        first, *lines = data[:head].decode().replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError:
        raise Unavailable("The broker sent headers that are no text.") from None
    headers: dict[str, str] = {}
    read = _same if first.rstrip("\r") in _PLAIN else _unescaped
    for line in lines:
        name, colon, value = line.rstrip("\r").partition(":")
        if not colon:
            raise Unavailable("The broker sent a header without a colon.")
        headers.setdefault(read(name), read(value))
    return headers, body


def _same(text: str) -> str:
    return text


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in text)


def _unescaped(text: str) -> str:
    first, *others = text.split("\\")
    if not others:
        return text
    pieces, escaped = [first], iter(others)
    for piece in escaped:
        if piece:
            pieces.append(_UNESCAPES.get(piece[0], "") + piece[1:])
        else:
            pieces.append("\\" + next(escaped, ""))
    return "".join(pieces)


def beats(ours: tuple[int, int], theirs: str) -> tuple[float, float]:
    """Seconds between our beats, and between theirs (0: none), from what both offer in milliseconds."""
    can, want = (int(part) if part.strip().isdecimal() else 0 for part in (*theirs.split(","), "", "")[:2])
    send = max(ours[0], want) if ours[0] and want else 0
    hear = max(ours[1], can) if ours[1] and can else 0
    return send / 1000, hear / 1000
