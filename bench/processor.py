"""Processor time of processes, from /proc. Not here: what a benchmark makes of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

__all__ = ["Spent", "resident_mb", "service", "spent"]

_TICKS = os.sysconf("SC_CLK_TCK")


class Spent(NamedTuple):
    """Milliseconds since the start of a process: its own, and those of its children that have ended."""

    own: float
    children: float

    def since(self, before: Spent) -> Spent:
        return Spent(self.own - before.own, self.children - before.children)


def spent(pid: int) -> Spent:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system, of_users, of_systems = (1000 * int(field) / _TICKS for field in fields[11:15])
    return Spent(user + system, of_users + of_systems)


def resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def service(state: Path) -> int:
    """The process of the suite whose state directory this is."""
    return int(json.loads((state / "run" / "suite.json").read_text())["pid"])
