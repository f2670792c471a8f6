"""What an HTCondor CE publishes of its queues, from ads of schedd, slots and our own jobs. Pure.

Not here: asking for the ads (commands), nor the names of GLUE (wms.ce.published).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from wms.ce.condor.settings import CondorSettings
from wms.ce.condor.submitfile import label
from wms.ce.published import QueueFacts

__all__ = ["facts", "our_schedd"]

Ad = Mapping[str, Any]

_VERSION = re.compile(r"\d+\.\d+\.\d+")


def our_schedd(settings: CondorSettings, host: str, schedds: Sequence[Ad]) -> Ad | None:
    """The one that is named, that of this host, or the only one; None if there is none such."""
    named = [ad for ad in schedds if settings.schedd and ad.get("Name") == settings.schedd]
    here = [ad for ad in schedds if ad.get("Machine") == host]
    for candidates in (named, here):
        if candidates:
            return candidates[0]
    return schedds[0] if len(schedds) == 1 else None


def facts(settings: CondorSettings, queue: str, host: str, schedd: Ad | None, slots: Sequence[Ad],
          jobs: Sequence[Ad]) -> QueueFacts:
    """One queue. `jobs`: ours in the queue of the schedd, whose own counts are some minutes old."""
    policy = settings.queues[queue]
    states = Counter(_number(ad, "JobStatus") for ad in jobs if ad.get("WmsQueue") == label(queue))
    total, free = sum(map(_cpus, slots)), sum(map(_free, slots))
    ad = schedd or {}
    others = ad if len(settings.queues) == 1 else {}
    running = max(states[2] + states[6] + states[7], _number(others, "TotalRunningJobs"))
    waiting = max(states[1], _number(others, "TotalIdleJobs"))
    return QueueFacts(
        host=host, port=settings.port, queue=queue, system="condor", implementation=_implementation(settings),
        lrms_version=_version(ad), status="Production" if schedd is not None else "Closed", slots=total, free=free,
        running=running, waiting=waiting, response_s=0 if free else 60 * (1 + waiting // max(1, total)),
        max_wall_s=policy.max_wall_s, max_cpu_s=policy.max_cpu_s, max_running=_number(ad, "MaxJobsRunning"),
        max_total=_number(ad, "MaxJobsPerOwner"), max_slots_per_job=max(map(_cpus, slots), default=0),
        tags=tuple(settings.tags), access_rules=tuple(settings.access_rules), machine=_machine(slots))


def _implementation(settings: CondorSettings) -> str:
    return "HTCondor-CE" if settings.routed else "HTCondor"


def _version(ad: Ad) -> str:
    found = _VERSION.search(str(ad.get("CondorVersion", "")))
    return found[0] if found else ""


def _cpus(slot: Ad) -> int:
    """A partitionable slot counts with all it had; what was cut from it is in there."""
    kind = slot.get("SlotType")
    if kind == "Dynamic":
        return 0
    return _number(slot, "TotalSlotCpus") if kind == "Partitionable" else _number(slot, "Cpus")


def _free(slot: Ad) -> int:
    """What is left of a partitionable slot, a static one that nobody has claimed; none while its owner uses it."""
    if slot.get("SlotType") == "Dynamic" or slot.get("State") not in ("Unclaimed", "Backfill"):
        return 0
    return _number(slot, "Cpus")


def _machine(slots: Sequence[Ad]) -> dict[str, Any]:
    """Attributes of the kind of slot that there is most of."""
    kinds = Counter((_word(slot, "Arch"), _word(slot, "OpSysName"), _number(slot, "OpSysMajorVer"), _memory(slot))
                    for slot in slots if _cpus(slot))
    if not kinds:
        return {}
    (arch, system, release, memory_mb), _ = kinds.most_common(1)[0]
    return {"GlueHostArchitecturePlatformType": arch.lower(), "GlueHostOperatingSystemName": system,
            "GlueHostOperatingSystemRelease": str(release), "GlueHostOperatingSystemVersion": str(release),
            "GlueHostArchitectureSMPSize": max(map(_cpus, slots)), "GlueHostMainMemoryRAMSize": memory_mb,
            "GlueHostMainMemoryVirtualSize": memory_mb}


def _memory(slot: Ad) -> int:
    return _number(slot, "TotalSlotMemory") or _number(slot, "Memory")


def _number(ad: Ad, name: str) -> int:
    value = ad.get(name)
    return int(value) if isinstance(value, int | float) else 0


def _word(ad: Ad, name: str) -> str:
    value = ad.get(name)
    return value if isinstance(value, str) else ""
