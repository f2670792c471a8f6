"""Events of this host into the spool: appended under a lock, on disk before anybody is told that it went well.

Who ships them from there is the interlogger. Used by commands: neither Twisted nor a database is loaded here.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Sequence
from typing import NamedTuple

from wms.errors import BadEvent, Unavailable
from wms.jobid import JobId
from wms.spool_format import CONTROL, MAX_HEAD, Head, file_name, frame, head, parse_control, parse_head, torn_at

QUARANTINE = "quarantine"
WHY = ".why"
MAX_LINE = 2_000_000
"""Largest event in bytes."""
_APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
_MODE = 0o660  # with the umask; the directory decides who may log
_HINTS = {errno.ENOENT: "Is an interlogger set up here? It makes the directory when it starts.",
          errno.EACCES: "Who may log from this host is who may write to that directory.",
          errno.ENOSPC: "Nothing was written. Make room and log the event again."}


class SpoolUnusable(Unavailable):
    """The event could not be written down and is nowhere."""

    code = "LB_SPOOL_UNUSABLE"


class NotConfirmed(Unavailable):
    """The event is safe on this host, but the server has not confirmed it in time (EAGAIN)."""

    code = "LB_NOT_CONFIRMED"
    status = 504
    exit = errno.EAGAIN


class Written(NamedTuple):
    """Where events were written: the file of `mark`, up to byte `end`."""

    path: str
    mark: str
    end: int


def append(directory: str, job: JobId, events: Sequence[str]) -> Written:
    """Add events of one job, as ULM lines. When this returns they are on disk; when it raises none of them is.

    SpoolUnusable when the disk or the directory does not allow it, BadEvent for an event that is too large.
    """
    frames = [frame(event) for event in events]
    if any(len(line) > MAX_LINE for line in frames):
        raise BadEvent(f"an event has at most {MAX_LINE} bytes", field="fields")
    path = os.path.join(directory, file_name(job))
    try:
        while True:
            fd = _locked(path)
            try:
                found = _opened(fd, path)
                if found is not None:
                    return _added(fd, path, *found, job, b"".join(frames))
            finally:
                os.close(fd)
    except OSError as error:
        raise SpoolUnusable(f"The event cannot be written to the spool {directory}: {error.strerror}.",
                            hint=_HINTS.get(error.errno or 0, "")) from None


def _locked(path: str) -> int:
    """The file at `path`, locked; not one that was removed while the lock was awaited."""
    while True:
        fd = os.open(path, _APPEND, _MODE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if is_at(fd, path):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def is_at(fd: int, path: str) -> bool:
    """Is the open file still the one at `path`?"""
    try:
        there = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    mine = os.fstat(fd)
    return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)


def _opened(fd: int, path: str) -> tuple[Head | None, int] | None:
    """(head, size without a torn end) of a locked file; None after it was moved out of the way as damaged."""
    size = os.fstat(fd).st_size
    begin = os.pread(fd, MAX_HEAD, 0)
    found = parse_head(begin)
    if found is None and b"\n" not in begin and size < MAX_HEAD:
        return None, 0
    tail = max(0, size - MAX_LINE)
    whole = tail + torn_at(os.pread(fd, MAX_LINE, tail))
    if found is None or whole < found.size:
        os.rename(path, f"{os.path.join(os.path.dirname(path), 'damaged.')}{os.urandom(4).hex()}")
        return None
    return found, whole


def _added(fd: int, path: str, opened: Head | None, size: int, job: JobId, frames: bytes) -> Written:
    mark = opened.mark if opened else os.urandom(8).hex()
    data = frames if opened else head(mark, job) + frames
    os.ftruncate(fd, size)
    try:
        _write(fd, data)
        os.fsync(fd)
        if opened is None:
            sync_directory(os.path.dirname(path))
    except BaseException:  # what is not on disk for certain must not be there by chance
        os.ftruncate(fd, size)
        raise
    return Written(path, mark, size + len(data))


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]


def sync_directory(directory: str) -> None:
    """New names in it are on disk."""
    fd = os.open(directory or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


# -- what became of it -----------------------------------------------------------------------------------


def is_shipped(written: Written) -> bool:
    """Has the interlogger settled all of it? The server took it, or refused it for good: see `refusal`."""
    shipped = parse_control(read_small(written.path + CONTROL))
    if shipped is not None and shipped.mark == written.mark:
        return shipped.offset >= written.end
    opened = parse_head(read_small(written.path, MAX_HEAD))
    return opened is None or opened.mark != written.mark


def read_small(path: str, most: int = 1000) -> bytes:
    """The beginning of a file; empty when there is none."""
    try:
        with open(path, "rb") as file:
            return file.read(most)
    except FileNotFoundError:
        return b""


def refusal(written: Written, event: str) -> str:
    """Why this event was refused for good; empty when it was not."""
    directory, name = os.path.split(written.path)
    try:
        with open(os.path.join(directory, QUARANTINE, name + WHY), encoding="utf-8") as file:
            notes = [json.loads(line) for line in file if line.endswith("\n")]
    except FileNotFoundError:
        return ""
    return next((str(note["reason"]) for note in notes if note.get("event") == event.removesuffix("\n")), "")
