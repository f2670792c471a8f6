"""The heartbeat file of a process: its record, reading and writing. Who writes it is `wms.heartbeat`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec


class Beat(msgspec.Struct, frozen=True):
    """One heartbeat file: `time` and `started` are epoch seconds; queues of the whole database; `refused`
    counts the calls that the policy refused since the process began, by code."""

    pid: int
    started: float
    time: float
    ready: bool
    daemons: dict[str, dict[str, Any]]
    queues: list[dict[str, Any]] = []
    refused: dict[str, int] = {}


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
