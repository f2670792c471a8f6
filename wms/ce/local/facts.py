"""What the local CE publishes of itself: GLUE 1.3 attributes from its settings, its load and this machine.

Facts are read once at start; not here: the load, which is counted by the CE.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from wms.ce import published
from wms.ce.published import QueueFacts

__all__ = ["Load", "glue", "machine"]


class Load(NamedTuple):
    """Jobs of the whole CE and of one queue: slots are shared by the queues."""

    slots: int
    running: int
    queue_running: int
    queue_waiting: int
    waiting: int


def machine() -> dict[str, Any]:
    """GLUE host attributes of this machine: memory in MB, clock in MHz, names as the system gives them."""
    memory = _table("/proc/meminfo", ":")
    system = _table("/etc/os-release", "=")
    cpu = _table("/proc/cpuinfo", ":")
    cores = os.cpu_count() or 1
    ram_mb = _number(memory.get("MemTotal", "0")) // 1024
    return {
        "GlueHostArchitecturePlatformType": platform.machine(),
        "GlueHostArchitectureSMPSize": cores,
        "GlueHostMainMemoryRAMSize": ram_mb,
        "GlueHostMainMemoryVirtualSize": ram_mb + _number(memory.get("SwapTotal", "0")) // 1024,
        "GlueHostOperatingSystemName": system.get("NAME", platform.system()),
        "GlueHostOperatingSystemRelease": system.get("VERSION_ID", platform.release()),
        "GlueHostOperatingSystemVersion": system.get("VERSION_CODENAME", platform.release()),
        "GlueHostProcessorClockSpeed": _number(cpu.get("cpu MHz", "0")),
        "GlueHostProcessorModel": cpu.get("model name", platform.machine()),
        "GlueHostProcessorVendor": cpu.get("vendor_id", "unknown"),
        "GlueHostNetworkAdapterInboundIP": False,
        "GlueHostNetworkAdapterOutboundIP": True,
        "GlueSubClusterTmpDir": "/tmp",
        "GlueSubClusterPhysicalCPUs": cores,
        "GlueSubClusterLogicalCPUs": cores,
    }


def _table(path: str, separator: str) -> dict[str, str]:
    """`key<separator>value` lines; the first of several equal keys counts."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            pairs = [line.partition(separator) for line in file]
    except FileNotFoundError:
        return {}
    return {key.strip(): value.strip().strip('"') for key, found, value in reversed(pairs) if found}


def _number(text: str) -> int:
    head = text.split(" ", 1)[0]
    return int(float(head)) if head.replace(".", "", 1).isdecimal() else 0


def glue(
    host: str, queue: str, policy: Mapping[str, int], load: Load, tags: Sequence[str], rules: Sequence[str],
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """One queue as a CE. `policy`: max_wall_s, max_cpu_s (0: none)."""
    free = max(0, load.slots - load.running) if load.waiting == 0 else 0
    return published.glue(QueueFacts(
        host=host, queue=queue, system="fork", manager="local", implementation="wms-local", slots=load.slots, free=free,
        running=load.queue_running, waiting=load.queue_waiting, response_s=_response_s(load, free),
        max_wall_s=policy["max_wall_s"], max_cpu_s=policy["max_cpu_s"], tags=tuple(tags), access_rules=tuple(rules),
        machine=facts))


def _response_s(load: Load, free: int) -> int:
    """A guess, as every CE gives one: a minute for each full turn of the slots that is waiting."""
    return 0 if free else 60 * (1 + load.waiting // max(1, load.slots))
