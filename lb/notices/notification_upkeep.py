"""Keeps registrations within their bounds: those whose time is over go, queues nobody reads are cut.

Never on the way of an event: a part of the daemon that looks now and then.
"""

from __future__ import annotations

from lb.notices import notification_store
from wms.service import Kit, Ticker

PERIOD_S = 30.0
TOGETHER = 50
MOST_BYTES = 8_000_000
"""Of notices a registration may leave waiting; beyond it the oldest half goes, and a notice says how many."""


class Upkeep(Ticker):
    """The ticker."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit, "registrations", PERIOD_S, self._round)

    async def _round(self) -> None:
        database = self._kit.database
        while not self._nap.ended:
            over = await database.read(notification_store.expired, self._kit.now(), TOGETHER)
            for id in over:
                await database.transact(notification_store.drop, id, f"{self._kit.rng.getrandbits(64):016x}")
            if len(over) < TOGETHER:
                break
        for id in await database.read(notification_store.orphans, TOGETHER):
            await database.transact(notification_store.forget, id)
        for id in await database.read(notification_store.too_long, MOST_BYTES):
            number = await database.transact(notification_store.shorten, id, MOST_BYTES)
            self._kit.log.warn("{number} notices of {id} were given up: nobody takes them", number=number, id=id)
