"""Tells at once when something was written to the spool, where the kernel does (inotify); elsewhere scans have to do.

Only wake-ups: a lost one costs the time until the next scan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.interfaces import IReactorFDSet
from twisted.python.filepath import FilePath

from wms.service import Kit
from wms.spool_format import is_spool_file


class Watch:
    """Calls `news` with names of files, from the reactor."""

    def __init__(self, kit: Kit, directory: str, news: Callable[[Iterable[str]], None]) -> None:
        self._kit = kit
        self._directory = directory
        self._news = news
        self._notifier: Any = None

    async def start(self) -> None:
        if not IReactorFDSet.providedBy(self._kit.clock):
            return
        try:
            from twisted.internet import inotify

            self._notifier = inotify.INotify(self._kit.clock)
        except (ImportError, OSError) as error:
            self._kit.log.warn("no inotify here, the spool is only scanned: {problem}", problem=str(error))
            return
        self._notifier.startReading()
        self._notifier.watch(FilePath(self._directory), inotify.IN_CLOSE_WRITE | inotify.IN_MOVED_TO,
                             callbacks=[self._written])

    async def stop(self) -> None:
        if self._notifier is not None:
            self._notifier.loseConnection()
            self._notifier = None

    def _written(self, _watch: object, path: FilePath[Any], _mask: int) -> None:
        name = path.basename()
        text = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
        if is_spool_file(text):
            self._news([text])
