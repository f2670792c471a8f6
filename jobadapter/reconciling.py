"""Compares what each CE holds with what it should hold: a payload that nobody waits for does not stay for ever.

A token is only given up when two rounds found it so. What the CE does not hold is not looked at here: that the Log
Monitor sees.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from jobadapter import store
from wms import queue
from wms.ce import Backend
from wms.errors import Unavailable
from wms.messages.topics import JOBADAPTER
from wms.service import Kit, Ticker

SETTLE_S = 600.0
"""So long something may look lost that is only on its way."""
MOST = 500
"""Given up in one round."""
OURS = re.compile(r"[A-Za-z0-9_-]{22}-[1-9][0-9]{0,8}")


def reconciling(kit: Kit) -> list[Reconciler]:
    """One for each CE."""
    return [Reconciler(kit, name, backend) for name, backend in kit.backends.items()]


class Reconciler(Ticker):
    """A round at the start, then every `jobadapter.reconcile_s`, sooner when something looks lost."""

    def __init__(self, kit: Kit, name: str, backend: Backend) -> None:
        super().__init__(kit, f"reconcile {name}", SETTLE_S, self.round)
        self._backend = backend
        self._ce = name
        self._seen: dict[str, float] = {}
        self.given_up = 0

    async def round(self) -> None:
        try:
            held = [token for token in await self._backend.known() if OURS.fullmatch(token)]
            await self._part_with(await self._kit.database.read(self._lost, held))
        except Unavailable as error:
            self._kit.log.info("{ce} cannot say what it holds: {error}", ce=self._ce, error=error.message)
        self._period_s = SETTLE_S if self._seen else self._kit.settings.jobadapter.reconcile_s

    def _lost(self, conn: sa.Connection, held: Sequence[str]) -> list[str]:
        rows = store.find_all(conn, held)
        doubtful = [row for row in rows.values() if row.phase == store.INTENDED]
        return lost(held, rows, queue.jobs(conn, JOBADAPTER) if doubtful else (), self._kit.now())

    async def _part_with(self, found: Sequence[str]) -> None:
        """Of what was lost before and still is, a portion is cancelled and forgotten at the CE."""
        now = self._kit.now()
        self._seen = {token: self._seen.get(token, now) for token in found}
        tokens = [token for token, since in self._seen.items() if now - since >= SETTLE_S][:MOST]
        if not tokens:
            return
        await self._kit.database.transact(store.withdraw, tokens, now)
        await self._backend.cancel(tokens)
        await self._backend.clean(tokens)
        self.given_up += len(tokens)
        self._seen = {token: since for token, since in self._seen.items() if token not in set(tokens)}
        self._kit.log.warn("{ce} held {n} submissions that nobody waits for; they are cancelled", ce=self._ce,
                           n=len(tokens), first=tokens[0])

    def progress(self) -> dict[str, object]:
        return {**super().progress(), "doubtful": len(self._seen), "given_up": self.given_up}


def lost(held: Sequence[str], rows: Mapping[str, store.Submission], queued: Collection[str], now: float) -> list[str]:
    """Tokens that a CE holds though nobody waits for them. `queued` are the jobs with messages on their way."""
    waiting = {job.rsplit("/", 1)[-1] for job in queued}
    return [token for token in held if _is_lost(rows.get(token), waiting, now)]


def _is_lost(row: store.Submission | None, waiting: Collection[str], now: float) -> bool:
    if row is None:
        return True
    if row.phase == store.SUBMITTED or now - row.changed < SETTLE_S:
        return False
    return row.phase == store.STOPPED or row.id not in waiting
