"""The heartbeat of a process: progress of its daemons, written only after the database really did something.

A daemon that lives but does nothing falls silent; `wms ps` and the systemd watchdog see it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

import sqlalchemy as sa

from wms import queue
from wms.beat import Beat, beat_path, read, write
from wms.errors import Unavailable
from wms.service import Daemon, Kit, Ticker
from wms.systemd import notify, watchdog_s

BEAT_S = 2.0


class Heartbeat:
    """Writes `run/<name>.json` in the state directory every two seconds, and pets the watchdog."""

    def __init__(self, kit: Kit, name: str, daemons: Sequence[Daemon]) -> None:
        self._kit = kit
        self._daemons = daemons
        self._started = kit.now()
        self._ready = False
        self.path = beat_path(kit.settings.state_dir, name)
        self.ticker = Ticker(kit, "heartbeat", min(BEAT_S, watchdog_s() or BEAT_S), self._beat)

    async def ready(self) -> None:
        """Everything has started. If the database is away, it is written when that is back."""
        self._ready = True
        with suppress(Unavailable):
            await self._beat()

    async def _beat(self) -> None:
        await self._kit.database.transact(_touch)
        depths = await self._kit.database.read(queue.depths)
        now = self._kit.now()
        write(self.path, Beat(os.getpid(), self._started, now, self._ready,
                              {daemon.name: daemon.progress() for daemon in self._daemons},
                              [depth._asdict() for depth in depths], dict(self._kit.gate.refused)))
        notify("WATCHDOG=1")

    def remove(self) -> None:
        """Our heartbeat ends here; that of another process under our name does not."""
        last = read(self.path)
        if last is not None and last.pid == os.getpid():
            self.path.unlink(missing_ok=True)


def _touch(conn: sa.Connection) -> None:
    """A real statement on the writer's way."""
    conn.execute(sa.select(sa.literal(1)))
