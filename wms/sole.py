"""Sees to it that a part that cannot be played twice is played by one process at a time on a database.

A lock that ends with its holder, even by kill -9: a session's on PostgreSQL, a file's beside an SQLite database.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from twisted.internet.task import deferLater

from wms.errors import Unavailable
from wms.service import Kit, Ticker

LOOK_S = 5.0
PATIENCE_S = 10.0
"""How long a process that starts waits for one that may have just died."""
AGAIN_S = 0.5


class Lock(Protocol):
    """Both may block."""

    def take(self) -> bool:
        """True if it is ours, from before or from now on; raises Unavailable."""

    def give(self) -> None:
        """Ours no more; harmless if it was not."""


class FileLock:
    """On a file that is left behind; `path` None: nobody else can see the database."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._fd = -1

    def take(self) -> bool:
        if self._path is None or self._fd >= 0:
            return True
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._fd = fd
        return True

    def give(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def lock(url: str, role: str) -> Lock:
    """The lock of a role on the database at `url`."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "postgresql":
        from wms.server_lock import ServerLock

        return ServerLock(url, role)
    return FileLock(Path(f"{parsed.database}.{role}.lock") if parsed.database not in (None, "", ":memory:") else None)


class Sole(Ticker):
    """Begins when this process alone plays `role`; says so in the log, again and again, should that change."""

    def __init__(self, kit: Kit, role: str, patience_s: float = PATIENCE_S) -> None:
        super().__init__(kit, f"sole {role}", LOOK_S, self._look)
        self._lock = lock(kit.database.url, role)
        self._patience_s = patience_s
        self._occupied = Unavailable(f"Another process is {role} on this database.",
                                     hint="One does the work of all; this one may start when the other is gone.")

    async def start(self) -> None:
        end = self._kit.now() + self._patience_s
        while not await self._kit.thread(self._lock.take):
            if self._kit.now() >= end:
                raise self._occupied
            await deferLater(self._kit.clock, AGAIN_S, lambda: None)
        await super().start()

    async def stop(self) -> None:
        await super().stop()
        await self._kit.thread(self._lock.give)

    async def _look(self) -> None:
        """Others notice that the database is away; that somebody else took our place is noticed here."""
        with suppress(Unavailable):
            if not await self._kit.thread(self._lock.take):
                self._kit.log.error("{problem}", problem=self._occupied.message)
