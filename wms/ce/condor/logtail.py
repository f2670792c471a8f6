"""Follows the event logs of one CE, a file after the other growing, and keeps what they told of each job.

Every process of the service follows them for itself, from their beginnings: they are kept short. Not here: what an
event means (states).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet import inotify

from wms.ce.condor.events import Reader
from wms.ce.condor.states import Seen, moved
from wms.ce.watching import Watching

__all__ = ["LogTail"]

_CHUNK = 1 << 20
_AT_ONCE = 8 << 20
"""Bytes taken in by one call, some tenths of a second; the rest by the next."""

_SUFFIX = ".log"


class _Log:
    """One file: `inode` and how far it was read."""

    def __init__(self, inode: int) -> None:
        self.inode = inode
        self.offset = 0
        self.reader = Reader()
        self.jobs: set[str] = set()


class LogTail:
    """`seen` is by handle, `cluster.proc`. What changes is told by `changed` when the kernel does, and by `read`."""

    def __init__(self, directory: Path, reactor: Any, changed: Callable[[], None]) -> None:
        self._directory = directory
        self._reactor = reactor
        self._changed = changed
        self._logs: dict[str, _Log] = {}
        self._seen: dict[str, Seen] = {}
        mask = inotify.IN_MODIFY | inotify.IN_CREATE | inotify.IN_MOVED_TO
        self._watching = Watching(reactor, mask, changed)

    @property
    def seen(self) -> Mapping[str, Seen]:
        return self._seen

    def start(self) -> None:
        """Watch the directory. On a network file system nobody tells: `read` looks by itself."""
        self._watching.start([str(self._directory)])

    def stop(self) -> None:
        self._watching.stop()

    def read(self) -> None:
        """Take in what was written since; a file that is shorter or another one than before, from its beginning.

        Where much was, only the first of it: then it says that there is more.
        """
        found = {name: status for name in sorted(os.listdir(self._directory)) if name.endswith(_SUFFIX)
                 and (status := _status(self._directory / name)) is not None}
        for name in set(self._logs) - set(found):
            self._drop(name)
        left = _AT_ONCE
        for name, status in found.items():
            log = self._logs.get(name)
            if log is None or log.inode != status.st_ino or log.offset > status.st_size:
                self._drop(name)
                log = self._logs[name] = _Log(status.st_ino)
            if log.offset < status.st_size and left > 0:
                left -= self._take(self._directory / name, log, left)
        if left <= 0:
            self._changed()

    def _drop(self, name: str) -> None:
        log = self._logs.pop(name, None)
        for handle in log.jobs if log else ():
            self._seen.pop(handle, None)

    def _take(self, path: Path, log: _Log, most: int) -> int:
        """How many bytes there were, up to a chunk more than `most`."""
        before = log.offset
        with suppress(FileNotFoundError), open(path, "rb") as file:
            file.seek(log.offset)
            while log.offset - before < most and (data := file.read(_CHUNK)):
                log.offset += len(data)
                for event in log.reader.feed(data, self._year()):
                    handle = f"{event.cluster}.{event.proc}"
                    log.jobs.add(handle)
                    self._seen[handle] = moved(self._seen.get(handle, Seen()), event)
        return log.offset - before

    def _year(self) -> int:
        return time.gmtime(self._reactor.seconds()).tm_year


def _status(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None
