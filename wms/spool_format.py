"""The format of a spool file: the events of one job that were logged on this host and wait to be shipped.

A head, then one line an event, each with its length and checksum, so that a torn or damaged line is known as one.
Pure: bytes in, records out. Locks, disks and order of writing are `wms.spool`.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from wms.errors import BadJobId
from wms.jobid import JobId

PREFIX = "dglogd.log."
CONTROL = ".ctl"
MAX_JOB = 2000
"""Longest job identifier that can be spooled, in bytes."""
MAX_HEAD = MAX_JOB + 100
_HEAD = re.compile(rb"lb-spool 1 ([0-9a-f]{16}) (\S+)\n")
_LINE = re.compile(rb"([0-9a-f]{8}) ([0-9a-f]{8}) ")
FRAME = 18
"""Bytes of a line before the event."""
_SHOWN = re.compile(r"[^A-Za-z0-9_-]")


class Head(NamedTuple):
    """What a file says of itself: `mark` is another for each file, `size` how many bytes the head has."""

    mark: str
    job: JobId
    size: int


class Line(NamedTuple):
    """One event as it was written, and where its line ends in the file."""

    text: bytes
    end: int


@dataclass(frozen=True, slots=True)
class Window:
    """What a stretch of a file holds. `damaged` are (reason, bytes, end) of lines that are none, in order.

    `end` is where the next stretch begins.
    """

    lines: Sequence[Line]
    damaged: Sequence[tuple[bytes, int]]
    end: int


class Control(NamedTuple):
    """How much of the file with this mark has been shipped, in bytes."""

    mark: str
    offset: int


def file_name(job: JobId) -> str:
    """The name of a job's file: the same for the same job, another for another, safe on every disk."""
    digest = sha256(str(job).encode()).hexdigest()[:32]
    return f"{PREFIX}{_SHOWN.sub('_', job.unique)[:40]}.{digest}"


def is_spool_file(name: str) -> bool:
    """May this name be that of a file of events?"""
    return name.startswith(PREFIX) and not name.endswith((CONTROL, ".tmp"))


def head(mark: str, job: JobId) -> bytes:
    """The first line of a new file; `mark` is 16 hexadecimal digits. Raises BadJobId for a monstrous identifier."""
    text = str(job).encode()
    if len(text) > MAX_JOB:
        raise BadJobId(f"a job identifier of {len(text)} bytes cannot be spooled, at most {MAX_JOB}")
    return b"lb-spool 1 %b %b\n" % (mark.encode(), text)


def parse_head(data: bytes) -> Head | None:
    """The head at the beginning of a file (its first MAX_HEAD bytes are enough); None when there is none."""
    found = _HEAD.match(data)
    if found is None:
        return None
    try:
        job = JobId.parse(found[2].decode())
    except (BadJobId, UnicodeDecodeError):
        return None
    return Head(found[1].decode(), job, found.end())


def frame(event: str) -> bytes:
    """An event in ULM, with or without its newline, as the line of a file."""
    text = event.removesuffix("\n").encode()
    return b"%08x %08x %b\n" % (len(text), zlib.crc32(text), text)


def torn_at(data: bytes) -> int:
    """Where the last whole line of the end of a file ends: what follows was never acknowledged.

    A line holds no newline but its last byte, so a line that was not written to its end has none.
    """
    return data.rfind(b"\n") + 1


def window(data: bytes, start: int) -> Window:
    """The events in `data`, the bytes of a file from offset `start`, which is the beginning of a line.

    A line that ends beyond the data is left for the next window; what is no line is passed over to the next newline.
    """
    lines: list[Line] = []
    damaged: list[tuple[bytes, int]] = []
    at, size = 0, len(data)
    while at < size:
        end = data.find(b"\n", at) + 1
        if not end:
            break
        text = _event(data[at:end - 1])
        if text is None:
            damaged.append((data[at:end], start + end))
        elif text:
            lines.append(Line(text, start + end))
        at = end
    return Window(lines, damaged, start + at)


def _event(line: bytes) -> bytes | None:
    """The event of a line; empty for a head, None for what is neither."""
    found = _LINE.match(line)
    text = line[FRAME:]
    if found is not None and int(found[1], 16) == len(text) > 0 and int(found[2], 16) == zlib.crc32(text):
        return text
    return b"" if parse_head(line + b"\n") is not None else None


def control(shipped: Control) -> bytes:
    """The content of the file beside a spool file."""
    return b"%b %d\n" % (shipped.mark.encode(), shipped.offset)


def parse_control(data: bytes) -> Control | None:
    """What it says; None when it was never written whole."""
    found = re.fullmatch(rb"([0-9a-f]{16}) (\d{1,18})\n", data)
    return None if found is None else Control(found[1].decode(), int(found[2]))


def start_of(opened: Head, shipped: Control | None, size: int) -> int:
    """Where shipping of a file of `size` bytes goes on: its beginning, unless `shipped` is about this very file."""
    if shipped is None or shipped.mark != opened.mark or not opened.size <= shipped.offset <= size:
        return opened.size
    return shipped.offset
