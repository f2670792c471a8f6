"""The spool on disk as its reader sees it: what waits, how much of it was shipped, what was put aside.

Blocking, for threads; a lock that a writer holds is never awaited. Not the rules of the format (wms.spool_format).
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from interlogger.answers import Aside, limited
from wms.jobid import JobId
from wms.spool import MAX_LINE, QUARANTINE, WHY, append, is_at, read_small, sync_directory
from wms.spool_format import (
    CONTROL,
    MAX_HEAD,
    Control,
    Head,
    Window,
    control,
    is_spool_file,
    parse_control,
    parse_head,
    start_of,
    window,
)

READ = 256 * 1024
LOCK = "interlogger.lock"


@dataclass(frozen=True, slots=True)
class Stretch:
    """What of a file is to be shipped next; `part` begins at byte `start`."""

    name: str
    head: Head
    start: int
    part: Window


def prepare(directory: str) -> None:
    """The spool and its quarantine are there; only what is made now gets a mode."""
    for path in (Path(directory), Path(directory, QUARANTINE)):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)


def take_lock(directory: str) -> int | None:
    """An open file that says that we ship this spool; None while another process does."""
    fd = os.open(os.path.join(directory, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def listing(directory: str) -> list[str]:
    """Names of all files of events."""
    return [name for name in os.listdir(directory) if is_spool_file(name)]


def places(directory: str, names: Iterable[str]) -> dict[str, str]:
    """host:port of the server for each of these files that still is there and has a head."""
    found: dict[str, str] = {}
    for name in names:
        opened = parse_head(read_small(os.path.join(directory, name), MAX_HEAD))
        if opened is not None:
            found[name] = f"{opened.job.host}:{opened.job.port}"
    return found


def stretches(directory: str, names: Sequence[str], most: int, most_bytes: int) -> tuple[list[Stretch], list[str]]:
    """The next events of these files, `most` in all, at least one a file; and the names there was no room for."""
    found: list[Stretch] = []
    for index, name in enumerate(names):
        if most <= 0 or most_bytes <= 0:
            return found, list(names[index:])
        stretch = stretch_of(directory, name, most)
        if stretch is not None:
            found.append(stretch)
            most -= len(stretch.part.lines)
            most_bytes -= stretch.part.end - stretch.start
    return found, []


def stretch_of(directory: str, name: str, most: int) -> Stretch | None:
    """The next events of a file, maybe none; None when it is gone, empty, or its writer is at work."""
    with _opened(directory, name, fcntl.LOCK_SH) as fd:
        opened = None if fd is None else parse_head(os.pread(fd, MAX_HEAD, 0))
        if fd is None or opened is None:
            return None
        shipped = parse_control(read_small(os.path.join(directory, name + CONTROL)))
        start = start_of(opened, shipped, os.fstat(fd).st_size)
        return Stretch(name, opened, start, limited(_window(fd, start), most))


def _window(fd: int, start: int) -> Window:
    """At least one line, if a whole one is there; two lines that have run into one are no line, but have an end."""
    data = os.pread(fd, READ, start)
    found = window(data, start)
    if found.end == start and len(data) == READ:
        data = os.pread(fd, 2 * MAX_LINE, start)
        found = window(data, start)
        if found.end == start and len(data) == 2 * MAX_LINE:
            return Window([], [(data, start + len(data))], start + len(data))
    return found


def settle(directory: str, stretch: Stretch, offset: int) -> bool:
    """Everything before `offset` is settled: note it, or remove the file. True if it holds more, or may."""
    path = os.path.join(directory, stretch.name)
    with _opened(directory, stretch.name, fcntl.LOCK_EX) as fd:
        if fd is not None and _is_ours(fd, stretch.head) and _is_torn(fd, offset):
            _unlink(path + CONTROL)  # first: a control file without its file could be taken for that of the next
            os.unlink(path)
            return False
    temporary = path + CONTROL + ".tmp"
    with open(temporary, "wb") as file:
        file.write(control(Control(stretch.head.mark, offset)))
    os.replace(temporary, path + CONTROL)
    return True


def _is_ours(fd: int, opened: Head) -> bool:
    now = parse_head(os.pread(fd, MAX_HEAD, 0))
    return now is not None and now.mark == opened.mark


def _is_torn(fd: int, offset: int) -> bool:
    """Is there nothing but, maybe, a line whose writer was killed? Nobody writes, for we hold the lock."""
    return os.fstat(fd).st_size - offset < MAX_LINE and b"\n" not in os.pread(fd, MAX_LINE, offset)


def put_aside(directory: str, name: str, job: JobId, things: Iterable[Aside], now: float) -> None:
    """Keep events nobody takes, on disk before all else; `quarantine/NAME` can be given back to the spool."""
    quarantine = os.path.join(directory, QUARANTINE)
    for thing in things:
        text = thing.text.decode(errors="replace")
        append(quarantine, job, [text.replace("\n", " ")])
        _note(quarantine, name, {"time": now, "reason": thing.reason, "event": text})


def move_aside(directory: str, name: str, reason: str, now: float) -> str:
    """Take a whole file out of the spool; its new name, empty when it is in use or gone."""
    quarantine = os.path.join(directory, QUARANTINE)
    with _opened(directory, name, fcntl.LOCK_EX) as fd:
        if fd is None:
            return ""
        target = f"{name}.{len(os.listdir(quarantine))}.{int(now)}"
        _unlink(os.path.join(directory, name + CONTROL))
        os.rename(os.path.join(directory, name), os.path.join(quarantine, target))
        sync_directory(quarantine)
    _note(quarantine, target, {"time": now, "reason": reason})
    return target


def _note(quarantine: str, name: str, note: dict[str, object]) -> None:
    with open(os.path.join(quarantine, name + WHY), "a", encoding="utf-8") as file:
        file.write(json.dumps(note) + "\n")
        file.flush()
        os.fsync(file.fileno())


def damaged(directory: str) -> list[str]:
    """Files whose beginning is no head of ours though they hold lines, and those a writer put out of its way."""
    return [name for name in os.listdir(directory) if name.startswith("damaged.")
            or (is_spool_file(name) and _has_no_head(os.path.join(directory, name)))]


def _has_no_head(path: str) -> bool:
    begin = read_small(path, MAX_HEAD)
    return parse_head(begin) is None and (b"\n" in begin or len(begin) == MAX_HEAD)


def stuck_since(directory: str, stretch: Stretch, first: float) -> float:
    """Since when nothing of a file is taken (epoch s): its last progress, or its first event at `first`."""
    try:
        return max(first, os.stat(os.path.join(directory, stretch.name + CONTROL)).st_mtime)
    except FileNotFoundError:
        return first


@contextmanager
def _opened(directory: str, name: str, lock: int) -> Iterator[int | None]:
    """The file, locked; None when it is gone or somebody else has it locked."""
    path = os.path.join(directory, name)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield None
        return
    try:
        try:
            fcntl.flock(fd, lock | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield fd if is_at(fd, path) else None
    finally:
        os.close(fd)


def _unlink(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
