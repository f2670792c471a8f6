"""The Log Monitor as a daemon: the reader of its topic, and one observer a backend."""

from __future__ import annotations

import sqlalchemy as sa

from logmonitor import store
from logmonitor.endings import Endings
from logmonitor.observer import Observer
from logmonitor.translate import Failure
from wms.consumer import Consumer
from wms.messages.topics import LOGMONITOR
from wms.outbox import Outbox
from wms.service import Daemon, Kit, Ticker

FORGET_AFTER_S = 86_400.0
ORPHANS_S = 60.0


def make(kit: Kit) -> Daemon:
    """The daemon `logmonitor`."""
    endings = Endings(kit)

    async def forget() -> None:
        await kit.database.transact(store.forget, kit.now() - FORGET_AFTER_S)

    async def part_with_orphans() -> None:
        if await kit.database.read(store.orphans, list(kit.backends)):
            await kit.database.transact(_end_orphans, kit, endings)

    observers = [Observer(kit, endings, name, backend) for name, backend in kit.backends.items()]
    return Daemon("logmonitor", [
        Consumer(kit, LOGMONITOR, endings.handle), *observers, Ticker(kit, "forget", 3600.0, forget),
        Ticker(kit, "orphans", ORPHANS_S, part_with_orphans)])


def _end_orphans(conn: sa.Connection, kit: Kit, endings: Endings) -> None:
    """Attempts at a backend that has left the configuration: nobody will ever see their end."""
    with Outbox(conn, kit.now()) as out:
        for row in store.orphans(conn, list(kit.backends)):
            endings.end(out, row, Failure(f"no backend {row.backend} is configured any more"))
