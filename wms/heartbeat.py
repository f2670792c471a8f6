"""The heartbeat of a process: progress of its daemons, written only after the database really did something.

A daemon that lives but does nothing falls silent; `wms ps` and the systemd watchdog see it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from wms import queue
from wms.service import Daemon, Kit, Ticker
from wms.systemd import notify, watchdog_s

BEAT_S = 2.0


class Beat(msgspec.Struct, frozen=True):
    """One heartbeat file: `time` and `started` are epoch seconds; queues of the whole database."""

    pid: int
    started: float
    time: float
    ready: bool
    daemons: dict[str, dict[str, Any]]
    queues: list[dict[str, Any]] = []


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
        """Everything has started."""
        self._ready = True
        await self._beat()

    async def _beat(self) -> None:
        await self._kit.database.transact(_touch)
        depths = await self._kit.database.read(queue.depths)
        now = self._kit.now()
        write(self.path, Beat(os.getpid(), self._started, now, self._ready,
                              {daemon.name: daemon.progress() for daemon in self._daemons},
                              [depth._asdict() for depth in depths]))
        notify("WATCHDOG=1")

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def _touch(conn: sa.Connection) -> None:
    """A real statement on the writer's way."""
    conn.execute(sa.select(sa.literal(1)))


def beat_path(state_dir: str, name: str) -> Path:
    return Path(state_dir) / "run" / f"{name}.json"


def write(path: Path, beat: Beat) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(msgspec.json.encode(beat))
    os.replace(temporary, path)


def read(path: Path) -> Beat | None:
    """The heartbeat of a process; None when it never beat or was stopped in order."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Beat)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
