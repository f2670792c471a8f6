"""The two streams of an interactive attempt on disk: growing files, bounded, each byte at its place."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock

from ns.files import directory
from ns.growth import Piece, piece

INPUT, OUTPUT = "input", "output"
_END, _OPEN = "end", "open"


class SessionFiles:
    """Below `root`; at most `limit` bytes a stream. Every method may block."""

    def __init__(self, root: str, limit: int) -> None:
        self._root, self._limit = root, limit
        self._lock = Lock()
        self._note = f"\r\n[wms: output beyond {limit} bytes is not kept]\r\n".encode()

    def place(self, id: str, attempt: int) -> Path:
        return directory(self._root, id) / f"session.{attempt}"

    def is_open(self, id: str, attempt: int) -> bool:
        """Has the wrapper of this attempt come already?"""
        return (self.place(id, attempt) / _OPEN).exists()

    def open(self, id: str, attempt: int) -> None:
        """The wrapper has come."""
        self._mark(id, attempt, _OPEN)

    def size(self, id: str, attempt: int, stream: str) -> int:
        return _size(self.place(id, attempt) / stream)

    def read(self, id: str, attempt: int, stream: str, at: int, most: int) -> bytes:
        """Up to `most` bytes from `at`; nothing where nothing is."""
        try:
            with open(self.place(id, attempt) / stream, "rb") as file:
                file.seek(at)
                return file.read(most)
        except FileNotFoundError:
            return b""

    def add(self, id: str, attempt: int, stream: str, at: int, content: bytes) -> Piece:
        """Write what is new of `content`, which belongs at `at`; what does not fit any more of the output is told."""
        path = self._made(id, attempt) / stream
        with self._lock:
            found = piece(_size(path), self._limit, at, len(content))
            note = self._note if found.cut and stream == OUTPUT else b""
            if found.take or note:
                with open(path, "ab", opener=_private) as file:
                    file.write(content[found.skip:found.skip + found.take] + note)
        return found

    def end(self, id: str, attempt: int) -> None:
        """No more input comes."""
        self._mark(id, attempt, _END)

    def ended(self, id: str, attempt: int) -> bool:
        return (self.place(id, attempt) / _END).exists()

    def _mark(self, id: str, attempt: int, name: str) -> None:
        (self._made(id, attempt) / name).touch(mode=0o600)

    def _made(self, id: str, attempt: int) -> Path:
        place = self.place(id, attempt)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        return place


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
