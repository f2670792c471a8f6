"""How the daemons of a suite are, from their heartbeats. Pure but for reading the heartbeat files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from clients.site import Site, is_ours
from wms import beat as heartbeat
from wms.beat import Beat

Row = dict[str, Any]


def look(site: Site, now: float, stale_s: float) -> list[Row]:
    """One row a daemon: state (well, starting, silent, dead), age of the heartbeat, work done, queue."""
    rows: list[Row] = []
    for path in sorted((site.state / "run").glob("*.json")):
        beat = heartbeat.read(path)
        if beat is not None:
            state = "dead" if not is_ours(beat.pid, site) else _state(beat, now, stale_s)
            rows += _rows(beat, now, state)
    return rows


def _rows(beat: Beat, now: float, state: str) -> Iterable[Row]:
    waiting = {depth["topic"]: depth for depth in beat.queues}
    for name, progress in beat.daemons.items():
        depth = waiting.get(name, {"waiting": 0, "buried": 0})
        yield {"daemon": name, "state": state, "pid": beat.pid,
               "heartbeat_age_s": round(now - beat.time, 1), "up_s": round(now - beat.started, 1),
               "done": sum(part["done"] for part in progress.values()),
               "failed": sum(part["failed"] for part in progress.values()),
               "waiting": depth["waiting"], "buried": depth["buried"]}


def _state(beat: Beat, now: float, stale_s: float) -> str:
    if now - beat.time > stale_s:
        return "silent"
    return "well" if beat.ready else "starting"


def table(rows: list[Row]) -> str:
    """The rows for people."""
    if not rows:
        return "No daemon is running here."
    lines = [f"{'daemon':<14}{'state':<10}{'pid':>8}{'up':>9}{'done':>9}{'failed':>8}{'waiting':>9}{'buried':>8}"]
    lines += [f"{row['daemon']:<14}{row['state']:<10}{row['pid']:>8}{row['up_s']:>8.0f}s{row['done']:>9}"
              f"{row['failed']:>8}{row['waiting']:>9}{row['buried']:>8}" for row in rows]
    return "\n".join(lines)
