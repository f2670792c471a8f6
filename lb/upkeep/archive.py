"""The directory of dumps: files that are whole, files that still grow, and which names are there.

Only files; what is in them is written in lb.upkeep.dump and lb.upkeep.purge.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from wms.config import Settings
from wms.errors import NotFound

PART = ".part"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*", re.ASCII)
_TAIL = 1 << 16


class Kept(NamedTuple):
    """A file: its name, its size in bytes, when it was written last (epoch seconds)."""

    name: str
    size: int
    written: float


def directory(settings: Settings) -> Path:
    """Where dumps are."""
    return Path(settings.lb.dump_dir or Path(settings.state_dir) / "lb")


def listing(folder: Path) -> list[Kept]:
    """The whole files there, by name."""
    paths = [path for path in folder.glob("*") if _is_whole(path)] if folder.is_dir() else []
    return [Kept(path.name, path.stat().st_size, path.stat().st_mtime) for path in sorted(paths)]


def find(folder: Path, name: str) -> Path:
    """A whole file by its name. Raises NotFound."""
    path = folder / name
    if _NAME.fullmatch(name) is None or not _is_whole(path):
        raise NotFound(f"There is no dump {name[:200]!r} here.")
    return path


def _is_whole(path: Path) -> bool:
    return path.is_file() and not path.name.endswith(PART) and not path.name.startswith(".")


def fresh_name(folder: Path, kind: str, now: float) -> str:
    """A name nobody has: kind and time, and a number if need be."""
    stem = f"{kind}-{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S}"
    names, number = {stem + ".ulm"}, 1
    while any((folder / (name + end)).exists() for name in names for end in ("", PART)):
        number += 1
        names = {f"{stem}-{number}.ulm"}
    return names.pop()


class Growing:
    """A file that is written line after line, and gone on with after its last whole line. With `hidden` it has its
    name only when it is finished.
    """

    def __init__(self, folder: Path, name: str, *, hidden: bool) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.name = name
        self._whole, self._part = folder / name, folder / (name + PART if hidden else name)
        self._file = open(os.open(self._part, os.O_RDWR | os.O_CREAT, 0o600), "r+b")  # noqa: SIM115 - until close
        self._file.truncate(_end_of_lines(self._file.fileno()))
        self._file.seek(0, os.SEEK_END)

    def write(self, lines: bytes) -> None:
        """After what is there; on disk with the next `sync`."""
        self._file.write(lines)

    def sync(self) -> None:
        """Return when everything written is on disk, and the file under its name."""
        self._file.flush()
        os.fsync(self._file.fileno())
        _sync_directory(self._part.parent)

    def finish(self) -> None:
        """It is whole now."""
        self.sync()
        self._file.close()
        os.replace(self._part, self._whole)
        _sync_directory(self._whole.parent)

    def close(self) -> None:
        """Leave it as it is, to be gone on with."""
        self._file.close()

    def drop(self) -> None:
        """Leave no trace of it."""
        self._file.close()
        self._part.unlink(missing_ok=True)


def _end_of_lines(descriptor: int) -> int:
    """Where the last whole line ends."""
    end = os.fstat(descriptor).st_size
    while end:
        begin = max(0, end - _TAIL)
        found = os.pread(descriptor, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
