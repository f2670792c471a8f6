"""What sinfo says of partitions, as facts of queues. Pure.

Not here: the words of job states (slurm_words).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import msgspec

from wms.ce import Phase
from wms.ce.batch.dialect import Row
from wms.ce.batch.slurm_words import seconds
from wms.ce.published import QueueFacts

__all__ = ["FORMAT", "queues"]

FORMAT = "%R|%a|%l|%C|%c|%m|%D"
_STATUS = {"up": "Production", "down": "Queueing", "drain": "Draining", "inact": "Closed"}
"""AVAIL of sinfo(1): takes jobs and runs them, takes only, runs only, neither."""


class _Nodes(NamedTuple):
    """One line: a kind of nodes of a partition."""

    queue: str
    avail: str
    limit_s: int
    allocated: int
    idle: int
    smp: int
    memory_mb: int


def queues(said: Sequence[str], rows: Collection[Row], most: QueueFacts) -> list[QueueFacts]:
    """The partitions, in the order of sinfo. A partition without a usable node takes jobs and runs none."""
    found: dict[str, list[_Nodes]] = {}
    for line in said[0].splitlines():
        if (nodes := _nodes(line)) is not None:
            found.setdefault(nodes.queue, []).append(nodes)
    version = said[1].split()[-1] if said[1].split() else ""
    return [_queue(name, lines, rows, msgspec.structs.replace(most, lrms_version=version))
            for name, lines in found.items()]


def _nodes(line: str) -> _Nodes | None:
    fields = line.split("|")
    cpus = re.fullmatch(r"(\d+)/(\d+)/\d+/\d+", fields[3], re.ASCII) if len(fields) == 7 else None
    if cpus is None:
        return None
    return _Nodes(fields[0], fields[1], int(seconds(fields[2])), int(cpus[1]), int(cpus[2]), _least(fields[4]),
                  _least(fields[5]))


def _queue(name: str, lines: Sequence[_Nodes], rows: Iterable[Row], most: QueueFacts) -> QueueFacts:
    mine = [row for row in rows if name in row.queue.split(",")]
    running = sum(row.phase is Phase.RUNNING for row in mine)
    waiting = sum(row.phase is Phase.QUEUED for row in mine)
    idle = sum(line.idle for line in lines)
    slots = idle + sum(line.allocated for line in lines)
    status = _STATUS.get(lines[0].avail, "Closed")
    status = "Queueing" if status == "Production" and not slots else status
    free = idle if status == "Production" and not waiting else 0
    machine = {"GlueHostMainMemoryRAMSize": min(line.memory_mb for line in lines),
               "GlueHostArchitectureSMPSize": min(line.smp for line in lines)}
    return msgspec.structs.replace(
        most, queue=name, status=status, slots=slots, free=free, running=running, waiting=waiting,
        response_s=0 if free else 60 * (1 + waiting // max(1, slots)), max_wall_s=lines[0].limit_s,
        machine={**machine, **most.machine})


def _least(text: str) -> int:
    """`8` or `8+`."""
    digits = text.rstrip("+")
    return int(digits) if digits.isdecimal() else 0
