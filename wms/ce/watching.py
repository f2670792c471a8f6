"""Changes in directories of this host, as the kernel tells them. On a network file system it tells nothing, and it ends
with a directory that is removed: who asks looks by himself too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet import inotify
from twisted.python.filepath import FilePath

__all__ = ["Watching"]


class Watching:
    """Calls `changed` in the reactor's thread after events of `mask` (inotify(7)) in directories."""

    def __init__(self, reactor: Any, mask: int, changed: Callable[[], None]) -> None:
        self._reactor = reactor
        self._mask = mask
        self._changed = changed
        self._notify: inotify.INotify | None = None

    def start(self, places: Iterable[str]) -> None:
        self._notify = inotify.INotify(self._reactor)
        self._notify.startReading()
        for place in places:
            self._notify.watch(FilePath(place), self._mask, callbacks=[lambda *_: self._changed()])

    def stop(self) -> None:
        """What has ended by itself is not ended again: its descriptor may be another one's by now."""
        notify, self._notify = self._notify, None
        if notify is not None and notify.connected:
            notify.connectionLost(None)
