"""Tells the Workload Manager which jobs began: for its measures only, many in a message, some seconds late.

What was not told before a crash is not made up for.
"""

from __future__ import annotations

import sqlalchemy as sa

from wms.messages.submission import Beginning, Begun
from wms.messages.topics import WM_BEGUN
from wms.outbox import Outbox
from wms.service import Kit, Ticker

PERIOD_S = 5.0
PORTION = 500


class Beginnings(Ticker):
    """`note` may be called from a transaction; one that does not commit makes a figure a little wrong."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit, "beginnings", PERIOD_S, self._tell)
        self._noted: list[Beginning] = []

    def note(self, id: str, attempt: int, at: float) -> None:
        """That attempt's payload may run, since `at` (epoch s)."""
        self._noted.append(Beginning(id, attempt, at))

    async def stop(self) -> None:
        await super().stop()
        await self._tell()

    async def _tell(self) -> None:
        while some := self._noted[:PORTION]:
            del self._noted[:PORTION]
            await self._kit.database.transact(_send, Begun(tuple(some)), self._kit.now())


def _send(conn: sa.Connection, begun: Begun, now: float) -> None:
    with Outbox(conn, now) as out:
        out.send(WM_BEGUN, begun)
