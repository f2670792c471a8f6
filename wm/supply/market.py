"""Keeps the Information Supermarket fresh: asks every file and CE backend, swaps the snapshot, wakes the jobs.

A source that fails keeps its last word until that expires. The merging is pure: `wm.supply.supermarket`.
"""

from __future__ import annotations

from pathlib import Path

from wm import store
from wm.supply.purchasers import Purchase, static
from wm.supply.purchasers import backends as described
from wm.supply.supermarket import EMPTY, Kind, Snapshot, Source, Supermarket, changed
from wms.ce import Backend
from wms.errors import WmsError
from wms.service import Kit, within

ASK_TIMEOUT_S = 30.0
MAX_FILE_BYTES = 20_000_000


class Market:
    """`snapshot` is what matching uses; it is replaced whole."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._settings = kit.settings.information
        self._supermarket = Supermarket()
        self.snapshot: Snapshot = EMPTY

    async def refresh(self) -> None:
        """Ask all sources once."""
        for path in self._settings.files:
            await self._take(Source(f"file {path}", Kind.STATIC), path)
        for name, backend in self._kit.backends.items():
            await self._ask(Source(f"ce {name}", Kind.BACKEND, self._settings.ttl_s), name, backend)
        await self._publish()

    async def _take(self, source: Source, path: str) -> None:
        try:
            text = await self._kit.thread(_read, path)
            self._update(source, static.parse(text, list(self._kit.backends), path))
        except (WmsError, OSError, UnicodeDecodeError) as error:
            self._kit.log.error("{source} keeps its last word: {error}", source=source.name, error=str(error))

    async def _ask(self, source: Source, name: str, backend: Backend) -> None:
        try:
            told = described.purchase(name, await within(self._kit.clock, ASK_TIMEOUT_S, backend.describe()))
        except (WmsError, OSError) as error:
            self._kit.log.warn("{source} does not answer: {error}", source=source.name, error=str(error))
            return
        for sentence in told.refused:
            self._kit.log.error("{source}: {sentence}", source=source.name, sentence=sentence)
        self._update(source, told.purchase)

    def _update(self, source: Source, purchase: Purchase) -> None:
        self._supermarket = self._supermarket.updated(source, purchase, self._kit.now())

    async def current(self) -> Snapshot:
        """The snapshot to match with now: made anew when an entry of it has ceased to hold."""
        if not self.snapshot.version:
            await self.refresh()
        elif self.snapshot.expires <= self._kit.now():
            await self._publish()
        return self.snapshot

    async def _publish(self) -> None:
        old, self.snapshot = self.snapshot, self._supermarket.snapshot(self._kit.now(), self.snapshot)
        if changed(old, self.snapshot):
            await self._kit.database.transact(store.wake_all, self._kit.now())


def _read(path: str) -> str:
    with Path(path).open("rb") as file:
        return file.read(MAX_FILE_BYTES).decode()
