"""Keeps the broker's decisions beside its work: packed in a thread, written after the jobs were placed.

A crash may lose the record of a decision, never what it decided.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from wm.matching.inputs import Decision, Rules
from wm.matching.request import Site
from wm.replay import store
from wm.replay.records import Scribe
from wm.replay.shelves import Shelf, base_of, shelved
from wms.service import Kit, Ticker

PERIOD_S = 30.0
MOST = 20
"""Decisions that wait to be written; when more do, the oldest are lost."""
LEVEL = 1
RECOUNT = 100
"""Writings after which the room is measured anew, as others may write, too."""


class _Written(NamedTuple):
    stands: bool
    used: int


class Keeping(Ticker):
    """`heard` is a listener of the broker. Nothing is kept where there is no room (wm.decisions_bytes: 0)."""

    def __init__(self, kit: Kit, site: Site, rules: Rules) -> None:
        super().__init__(kit, "decisions", PERIOD_S, self._keep)
        self._room = kit.settings.wm.decisions_bytes
        self._scribe = Scribe(site, rules)
        self._heard: deque[Decision] = deque()
        self._shelf: Shelf | None = None
        self._used = self._writings = 0
        self.kept = self.lost = 0

    def heard(self, decision: Decision) -> None:
        """Of a cycle that placed jobs, or made them wait for something new."""
        if not (decision.news and self._room):
            return
        self._heard.append(decision)
        if len(self._heard) > MOST:
            self._heard.popleft()
            self.lost += 1
        self.poke()

    async def stop(self) -> None:
        """What was heard is written."""
        await super().stop()
        await self._keep()

    def progress(self) -> dict[str, Any]:
        return {**super().progress(), "kept": self.kept, "lost": self.lost, "bytes": self._used}

    async def _keep(self) -> None:
        while self._heard:
            made = list(self._heard)
            self._heard.clear()
            if not await self._write(made):
                self._shelf = None
                await self._write(made)

    async def _write(self, made: Sequence[Decision]) -> bool:
        kept, shelf = await self._kit.thread(self._packed, made)
        written = await self._kit.database.transact(self._put, kept)
        if written.stands:
            self._shelf, self._used = shelf, written.used
            self._writings += 1
            self.kept += len(kept)
        return written.stands

    def _packed(self, made: Sequence[Decision]) -> tuple[list[store.Kept], Shelf | None]:
        shelf, kept = self._shelf, list[store.Kept]()
        for one in made:
            shelf, content = shelved(one.snapshot, shelf)
            record, outcome = self._scribe.packed(one)
            kept.append(store.Kept(
                one.inputs.id, one.inputs.now, shelf.name, zlib.compress(record, LEVEL), outcome,
                base_of(content) if content else "", zlib.compress(content, LEVEL) if content else b""))
        return kept, shelf

    def _put(self, conn: sa.Connection, kept: Sequence[store.Kept]) -> _Written:
        if not store.put(conn, kept):
            return _Written(False, self._used)
        count = self._writings % RECOUNT == 0
        used = store.used(conn) if count else self._used + sum(one.size for one in kept)
        return _Written(True, store.clear(conn, self._room) if used > self._room else used)
